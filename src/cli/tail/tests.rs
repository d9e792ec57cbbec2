//! A watcher against a server that follows a script.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::*;
use crate::cli::arguments::ServerArgs;

fn watch(rooms: &[&str], types: &[&str], json: bool) -> Watch {
    watch_of(rooms, types, &[], json)
}

fn watch_of(rooms: &[&str], types: &[&str], exclude: &[&str], json: bool) -> Watch {
    let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    Watch::new(&TailArgs {
        server: ServerArgs {
            url: url::parse("localhost:1").expect("url"),
            token: None,
            ca: None,
        },
        rooms: owned(rooms),
        types: owned(types),
        exclude: owned(exclude),
        json,
        shape: None,
    })
    .expect("globs")
}

fn take(watch: &mut Watch, name: &str, payload: &str) -> Option<String> {
    watch.take(
        name,
        &RawValue::from_string(payload.to_owned()).expect("json"),
    )
}

#[test]
fn the_cursor_is_that_of_the_last_update() {
    let mut watch = watch(&[], &[], true);
    assert_eq!(watch.auth(), json!({ "name": "stoa tail" }));
    assert_eq!(watch_of(&[], &[], &[], false).auth()["shape"], "lean");
    assert_eq!(
        take(&mut watch, "connection_established", r#"{"cursor":"c1"}"#),
        None
    );
    assert_eq!(watch.auth()["cursor"], "c1");
    let line = take(
        &mut watch,
        "agent_update",
        r#"{"cursor":"c2","source_type":"agent.x","n":1.0}"#,
    );
    assert_eq!(
        line.as_deref(),
        Some(
            r#"{"event":"agent_update","payload":{"cursor":"c2","source_type":"agent.x","n":1.0}}"#
        )
    );
    assert_eq!(watch.auth()["cursor"], "c2");
}

#[test]
fn a_lean_update_moves_the_cursor_and_is_a_line() {
    let mut watch = watch(&[], &["task_*"], false);
    watch.catching_up = true;
    let update = r#"{"cursor":"c3","timestamp":"2026-05-23T12:00:03.5Z","priority":"high","hint":{"target":{"kind":"task","id":"t1"}},
        "data":{"task_name":"Paint","change_type":"completed"}}"#;
    let line = take(&mut watch, "task_update", update).expect("a line");
    assert!(
        line.ends_with("task:t1               completed, Paint"),
        "{line}"
    );
    assert_eq!(watch.auth()["cursor"], "c3");
}

#[test]
fn while_it_catches_up_only_what_was_missed_moves_the_cursor() {
    let mut watch = watch(&[], &[], true);
    watch.cursor = Some("c2".into());
    watch.catching_up = true;
    take(&mut watch, "connection_established", r#"{"cursor":"c9"}"#);
    let summary = r#"{"cursor":"c9","source_type":"conversation_summary","hint":{"target":{"kind":"system","id":"conversation_summary"}}}"#;
    take(&mut watch, "conversation_summary", summary);
    assert_eq!(watch.cursor.as_deref(), Some("c2"));
    take(
        &mut watch,
        "task_update",
        r#"{"cursor":"c3","source_type":"task.x"}"#,
    );
    assert_eq!(watch.cursor.as_deref(), Some("c3"));
    assert_eq!(
        take(&mut watch, "resumed", r#"{"cursor":"c9","complete":true}"#),
        None
    );
    assert_eq!(watch.cursor.as_deref(), Some("c9"));
    take(
        &mut watch,
        "conversation_summary",
        &summary.replace("c9", "d1"),
    );
    assert_eq!(watch.cursor.as_deref(), Some("d1"));
}

#[test]
fn rooms_mean_only_those_rooms() {
    let mut narrow = watch(&["project:p1"], &[], true);
    assert!(
        narrow.narrow()
            && !watch(&["observers"], &[], true).narrow()
            && !watch(&[], &[], true).narrow()
    );
    narrow.cursor = Some("c1".into());
    assert_eq!(
        narrow.auth(),
        json!({ "name": "stoa tail", "rooms": ["project:p1"] })
    );
    narrow.leaving = true;
    let update = r#"{"cursor":"c2","source_type":"task.x"}"#;
    assert_eq!(take(&mut narrow, "task_update", update), None);
    assert_eq!(narrow.cursor.as_deref(), Some("c1"));
    narrow.leaving = false;
    assert!(take(&mut narrow, "task_update", update).is_some());
    let metrics = r#"{"source_type":"m","hint":{"target":{"kind":"system","id":"m"}}}"#;
    assert_eq!(take(&mut narrow, "m", metrics), None);
}

/// A busy server sends more of these lines than of all others.
#[test]
fn what_only_seneca_reads_is_shown_only_to_who_asks_for_it() {
    let figures = |name: &str| {
        format!(
            r#"{{"cursor":"c9","source_type":"{name}","hint":{{"target":{{"kind":"system","id":"{name}"}}}}}}"#
        )
    };
    for name in [
        "conversation_summary",
        "system_metrics",
        "active_flows_update",
        "dashboard_update",
    ] {
        let mut plain = watch(&[], &[], true);
        assert_eq!(take(&mut plain, name, &figures(name)), None, "{name}");
        // The place in the stream moves on all the same.
        assert_eq!(plain.cursor.as_deref(), Some("c9"));
        for types in [
            &["*"][..],
            &[name],
            &["*_summary", "system.metrics", "*_update"],
        ] {
            assert!(
                take(&mut watch(&[], types, true), name, &figures(name)).is_some(),
                "{name} {types:?}"
            );
        }
    }
    // An event of the same name is an event.
    let event = r#"{"source_type":"system_metrics","hint":{"target":{"kind":"agent","id":"a"}}}"#;
    assert!(take(&mut watch(&[], &[], true), "system_notification", event).is_some());
}

#[test]
fn what_is_excluded_is_not_shown() {
    let mut watch = watch_of(&[], &[], &["noisy_*", "system.metrics"], true);
    assert_eq!(
        watch.auth()["filters"]["exclude"],
        json!(["noisy_*", "system.metrics"])
    );
    let metrics = r#"{"source_type":"system_metrics","hint":{"target":{"kind":"system","id":"system_metrics"}}}"#;
    assert_eq!(take(&mut watch, "system_metrics", metrics), None);
    assert!(take(&mut watch, "system_notification", "{}").is_some());
}

#[test]
fn types_hold_for_what_is_sent_to_everybody_too() {
    let mut watch = watch(&[], &["task_*"], false);
    assert_eq!(watch.auth()["filters"], json!({ "types": ["task_*"] }));
    // The update is made of an event, and the server has filtered it by the event's name as well.
    assert!(
        take(
            &mut watch,
            "progress_update",
            r#"{"source_type":"task.progress"}"#
        )
        .is_some()
    );
    let metrics = r#"{"source_type":"system_metrics","hint":{"target":{"kind":"system","id":"system_metrics"}}}"#;
    assert_eq!(take(&mut watch, "system_metrics", metrics), None);
    assert!(
        take(
            &mut watch,
            "system_notification",
            r#"{"message":"going down"}"#
        )
        .is_some()
    );
}

#[test]
fn json_is_one_line_even_if_the_server_wrote_several() {
    let line = take(&mut watch(&[], &[], true), "x", "{\"a\":\n 1}").expect("a line");
    assert_eq!(line, r#"{"event":"x","payload":{"a":1}}"#);
}

type Socket = WebSocketStream<TcpStream>;

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("sends");
}

async fn hear(socket: &mut Socket) -> String {
    let frame = socket.next().await.expect("a frame").expect("reads");
    frame.into_text().expect("text").to_string()
}

async fn server() -> (TcpListener, reqwest::Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = url::parse(&listener.local_addr().expect("address").to_string()).expect("url");
    (listener, url)
}

const OPEN: &str =
    r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":60000,"maxPayload":1000000}"#;

#[tokio::test]
async fn it_opens_answers_pings_and_reads_events() {
    let (listener, url) = server().await;
    let script = tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.expect("accepts").0)
            .await
            .expect("upgrades");
        say(&mut socket, OPEN).await;
        assert_eq!(hear(&mut socket).await, r#"40{"name":"n"}"#);
        say(&mut socket, r#"40{"sid":"x"}"#).await;
        say(&mut socket, "2").await;
        say(&mut socket, r#"42["agent_update",{"a":1}]"#).await;
        assert_eq!(hear(&mut socket).await, "3");
        assert_eq!(
            hear(&mut socket).await,
            r#"421["leave_room",{"room":"observers"}]"#
        );
        say(&mut socket, r#"431[{"status":"ok"}]"#).await;
        socket.close(None).await.ok();
    });
    let mut connection = Connection::open(&url, &json!({ "name": "n" }), None)
        .await
        .expect("opens");
    assert!(
        matches!(connection.next().await, Ok(Received::Event(name, _)) if name == "agent_update")
    );
    connection
        .ask(LEAVE, "leave_room", json!({ "room": "observers" }))
        .await
        .expect("asks");
    assert!(matches!(
        connection.next().await,
        Ok(Received::Ack(LEAVE, _))
    ));
    assert!(matches!(connection.next().await, Err(Lost::Gone(_))));
    script.await.expect("the script");
}

#[tokio::test]
async fn a_refusal_is_final_and_silence_at_the_door_is_not() {
    let (listener, url) = server().await;
    tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.expect("accepts").0)
            .await
            .expect("upgrades");
        say(&mut socket, OPEN).await;
        hear(&mut socket).await;
        say(
            &mut socket,
            r#"44{"message":"unauthorized: a token is needed"}"#,
        )
        .await;
        drop(listener);
        hear(&mut socket).await;
    });
    let refused = Connection::open(&url, &json!({}), None).await;
    assert!(
        matches!(refused, Err(Lost::Refused(reason)) if reason == "unauthorized: a token is needed")
    );
    assert!(matches!(
        Connection::open(&url, &json!({}), None).await,
        Err(Lost::Gone(_))
    ));
    assert!(passes("unavailable: going down") && !passes("unauthorized: no"));
}
