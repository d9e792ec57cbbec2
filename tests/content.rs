//! What text may do: nothing in the pages that show it. And what an event may look like, over each door.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;

use common::{Client, PATIENCE, get, post, post_raw, server, server_with};
use serde_json::{Value, json};

const EVIL: &str = "<img src=x onerror=alert(1)>";

/// Events whose every text would be an element in a page that puts it into HTML.
fn evil_events() -> Value {
    json!([
        { "type": "project_created", "id": "e1", "project_id": "p1", "source": EVIL,
          "data": { "project_id": "p1", "project_name": EVIL, "name": EVIL, "description": EVIL } },
        { "type": "mcp_request", "id": "e2", "project_id": "p1", "source": EVIL,
          "data": { "flow_id": "f1", "project_id": "p1", "project_name": EVIL, "message": EVIL } },
        { "type": "task_progress", "id": "e3", "project_id": "p1",
          "data": { "agent_id": "agent_1", "task_id": "t1", "progress": 40, "message": EVIL, EVIL: [EVIL] } },
        { "event": "worker_communication", "id": "e4", "logger": "worker", "conversation_type": "worker_to_pm",
          "worker_id": "agent_1", "message": EVIL, "metadata": { "note": EVIL } },
        { "event": "pm_decision", "id": "e5", "logger": "marcus", "decision": EVIL, "rationale": EVIL,
          "confidence_score": 0.5 },
        { "event": "pm_thinking", "id": "e6", "logger": "marcus", "thought": EVIL },
        { "type": "custom.last", "id": "e7", "data": { "text": EVIL } },
    ])
}

/// Waits for the update of the last event, and gives everything that came up to it.
async fn until_last(client: &mut Client) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    loop {
        let (name, body) = client.next().await.expect("the connection lives");
        let last = body.to_string().contains("\"e7\"");
        all.push((name, body));
        if last {
            return all;
        }
    }
}

fn count(text: &str, of: &str) -> usize {
    text.matches(of).count()
}

/// The text as it goes out: a word joiner behind each `<`, so that no tag begins there.
const JOINED: &str = "<\u{2060}img";

async fn stream_until_last(address: SocketAddr, cursor: &str) -> String {
    let url = format!("http://{address}/api/v1/stream?cursor={cursor}");
    let mut response = reqwest::get(url).await.expect("answers");
    let mut text = String::new();
    while !text.contains("\"e7\"") {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await;
        let bytes = chunk.expect("in time").expect("reads").expect("goes on");
        text.push_str(std::str::from_utf8(&bytes).expect("whole text"));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_harmless_by_every_door_and_what_is_kept_is_true() {
    let server = server().await;
    let address = server.address();
    let (mut live, hello) = Client::connect(address, json!({})).await;
    let start = hello["cursor"].as_str().unwrap().to_owned();
    for topic in [
        "conversations",
        "pipeline_flow",
        "health_updates",
        "metrics",
    ] {
        live.emit(&format!("subscribe_{topic}"), json!({})).await;
        live.event("subscription_confirmed").await;
    }
    let mut page = Client::open(address, "/conversations", json!({}))
        .await
        .expect("connects");
    page.call("subscribe", json!({ "filters": {} })).await;
    let (mut batched, _) = Client::connect(address, json!({ "batch": true })).await;
    let (status, answer) = post(address, &evil_events()).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(7)), "{answer}");

    let mut doors = Vec::new();
    let seen = until_last(&mut live).await;
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "project_update",
        "conversation_event",
        "decision_event",
        "progress_update",
        "generic_update",
    ] {
        assert!(names.contains(&name), "{name} is missing among {names:?}");
    }
    doors.push(("live", json!(seen).to_string()));
    // Told once a second: before the last event or after it, and when there was none yet.
    let of_them = |body: &Value| count(&body.to_string(), JOINED) > 0;
    let told = seen
        .into_iter()
        .find(|(name, body)| name == "active_flows_update" && of_them(body));
    let flows = match told {
        Some((_, flows)) => flows,
        None => live.event_where("active_flows_update", of_them).await,
    };
    doors.push(("aggregates", flows.to_string()));
    doors.push(("batch", json!(until_last(&mut batched).await).to_string()));
    doors.push((
        "conversations",
        page.event_where("conversation", |v| v.to_string().contains("img"))
            .await
            .to_string(),
    ));
    doors.push(("thinking", page.event("marcus_thinking").await.to_string()));
    let (mut resumed, _) = Client::connect(address, json!({ "cursor": start })).await;
    doors.push(("replay", json!(until_last(&mut resumed).await).to_string()));
    doors.push(("stream", stream_until_last(address, &start).await));
    for path in [
        "/api/conversations/recent",
        "/api/pipeline/monitor/dashboard",
    ] {
        let (status, body) = get(address, path).await;
        assert_eq!(status, 200);
        doors.push((path, body.to_string()));
    }
    for (door, text) in &doors {
        assert_eq!(count(text, "<img"), 0, "{door}: {text}");
    }
    for door in [
        "live",
        "aggregates",
        "batch",
        "conversations",
        "thinking",
        "replay",
        "stream",
    ] {
        let (_, text) = doors.iter().find(|(name, _)| *name == door).unwrap();
        assert!(count(text, JOINED) > 0, "{door} shows nothing: {text}");
    }
    // The journal and the state say what was said.
    let (_, history) = get(address, "/api/v1/events").await;
    let (_, state) = get(address, "/api/v1/state").await;
    let asked = live.call("get_state", json!({})).await;
    for kept in [history, state, asked] {
        let kept = kept.to_string();
        assert!(
            count(&kept, "<img") > 0 && count(&kept, "\u{2060}") == 0,
            "{kept}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_off_nothing_is_changed() {
    let server = server_with(|config| config.content_filtering.sanitize_content = false).await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    post(server.address(), &evil_events()).await;
    let seen = json!(until_last(&mut client).await).to_string();
    assert!(
        count(&seen, "<img") > 0 && count(&seen, "\u{2060}") == 0,
        "{seen}"
    );
    server.shutdown().await;
}

/// Events that can be read but are not right, and the field that is named.
fn wrong() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({ "type": "task.progress", "data": { "task_id": "t", "progress": "half" } }),
            "data.progress",
        ),
        (
            json!({ "type": "task.progress", "data": { "task_id": { "id": 1 } } }),
            "data.task_id",
        ),
        (
            json!({ "type": "agent.status.changed", "data": { "agent_id": "a\u{1b}[2J" } }),
            "data.agent_id",
        ),
        (
            json!({ "type": "workflow.run.updated", "run": { "id": [] } }),
            "run.id",
        ),
        (
            json!({ "type": "a.b", "data": {}, "source": "x\ny" }),
            "source",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named_over_both_doors() {
    let server = server().await;
    let (mut producer, _) = Client::connect(server.address(), json!({ "role": "producer" })).await;
    for (event, field) in wrong() {
        let (status, answer) = post(server.address(), &event).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("invalid_data")),
            "{answer}"
        );
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(field),
            "{answer}"
        );
        let answer = producer.call("publish", event).await;
        assert_eq!(answer["error"]["code"], "invalid_data", "{answer}");
    }
    // The connection lives on.
    let answer = producer.call("publish", json!({ "type": "a.b" })).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    let (_, metrics) = metrics(server.address()).await;
    for door in ["http", "socketio"] {
        let counted = metrics.lines().any(|line| {
            line.contains("reject")
                && line.contains(door)
                && line.contains("invalid_data")
                && line.ends_with(" 5")
        });
        assert!(counted, "{metrics}");
    }
    server.shutdown().await;
}

async fn metrics(address: SocketAddr) -> (u16, String) {
    let response = reqwest::get(format!("http://{address}/metrics"))
        .await
        .expect("answers");
    (
        response.status().as_u16(),
        response.text().await.expect("text"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_off_what_can_be_read_is_taken() {
    let server =
        server_with(|config| config.content_filtering.validate_message_format = false).await;
    for (event, _) in wrong() {
        let (status, answer) = post(server.address(), &event).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_only_so_many_values() {
    let server = server_with(|config| config.content_filtering.max_elements = 1_000).await;
    let address = server.address();
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let event = |values: usize| json!({ "type": "a.b", "data": { "list": vec![0; values] } });
    // The two keys of the event, and the one of its data.
    assert_eq!(post(address, &event(997)).await.0, 202);
    let (status, answer) = post(address, &event(998)).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("too_large")),
        "{answer}"
    );
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("max_elements")
    );
    let answer = producer.call("publish", event(998)).await;
    assert_eq!(answer["error"]["code"], "too_large", "{answer}");
    let answer = producer.call("publish", event(997)).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    let lines = format!("{}\n{}\n{}\n", event(5), event(998), event(6));
    let (status, answer) = post_raw(address, "application/x-ndjson", lines).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(2)), "{answer}");
    assert_eq!(answer["rejected"][0]["error"]["code"], "too_large");
    server.shutdown().await;
}

/// JSON that parsers disagree about, and what becomes of it here: taken, or refused with a code.
#[tokio::test(flavor = "multi_thread")]
async fn json_that_parsers_disagree_about() {
    let server = server().await;
    let address = server.address();
    let http = async |text: &str| post_raw(address, "application/json", text.to_owned()).await;
    // Of a key that stands twice the last one counts, for the checks as well as for what is kept.
    let (status, answer) =
        http(r#"{"type":"a.b","type":"task.done","data":{"progress":"x","progress":5}}"#).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    let (_, page) = get(address, "/api/v1/events").await;
    assert_eq!(page["events"][0]["type"], "task.done", "{page}");
    assert_eq!(
        page["events"][0]["data"],
        json!({ "progress": 5 }),
        "{page}"
    );
    let (status, answer) =
        http(r#"{"type":"task.done","data":{"progress":5,"progress":"x"}}"#).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("invalid_data")),
        "{answer}"
    );
    // Numbers beyond what a double holds, and halves of a character, are no JSON.
    let not_json = [
        r#"{"type":"a.b","data":{"x":1e999}}"#,
        r#"{"type":"a.b","data":{"x":-1e999}}"#,
        r#"{"type":"a.b","data":{"x":"\ud800"}}"#,
        r#"{"type":"a.b","data":{"\udc00":1}}"#,
        r#"{"type":"a.b","data":{"x":NaN}}"#,
        "{\"type\":\"a.b\",\"data\":{\"x\":\"\u{1}\"}}",
    ];
    for text in not_json {
        let (status, answer) = http(text).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("bad_request")),
            "{text}: {answer}"
        );
        // One line of many spoils none of the others.
        let lines = format!("{{\"type\":\"a.b\"}}\n{text}\n{{\"type\":\"a.b\"}}\n");
        let (status, answer) = post_raw(address, "application/x-ndjson", lines).await;
        assert_eq!(
            (status, &answer["accepted"]),
            (202, &json!(2)),
            "{text}: {answer}"
        );
        assert_eq!(answer["rejected"][0]["index"], 1);
    }
    // Numbers that a double holds only about stay as near as it can, and large ones do no harm.
    let (status, _) =
        http(r#"{"type":"a.b","data":{"x":123456789012345678901234567890,"y":1e308,"z":1e-999}}"#)
            .await;
    assert_eq!(status, 202);
    // Escapes that spell a tag are the same text as the tag.
    let (mut client, _) = Client::connect(address, json!({})).await;
    http(r#"{"type":"a.b","id":"esc","data":{"x":"\u003cscript\u003ealert(1)\u003c\/script\u003e"}}"#).await;
    let update = client
        .event_where("generic_update", |v| v["id"] == "esc")
        .await;
    assert_eq!(
        update["data"]["x"],
        "<\u{2060}script>alert(1)<\u{2060}/script>"
    );
    // Over Socket.IO such a packet is answered or ends its own connection; nobody else notices.
    for text in not_json {
        let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
        producer
            .send_text(&format!("421[\"publish\",{text}]"))
            .await;
        loop {
            match producer.text().await {
                None => break,
                Some(text) if text.starts_with("431") => {
                    assert!(text.contains("bad_request"), "{text}");
                    break;
                }
                Some(_) => {}
            }
        }
    }
    http(r#"{"type":"a.b","id":"after","data":{}}"#).await;
    client
        .event_where("generic_update", |v| v["id"] == "after")
        .await;
    server.shutdown().await;
}
