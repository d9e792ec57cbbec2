//! The limits on events, over each door.

use kit::{Client, counted, get, post, post_raw, server, server_with};
use serde_json::{Value, json};

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
            json!({ "type": "a.b", "data": {}, "project_id": "x\ny" }),
            "project_id",
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
    for door in ["http", "socketio"] {
        let rejected =
            format!("stoa_events_rejected_total{{door=\"{door}\",code=\"invalid_data\"}}");
        assert_eq!(counted(server.address(), &rejected).await, 5, "{door}");
    }
    server.shutdown().await;
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
    let server =
        server_with(|config| config.content_filtering.max_elements.set(1_000).unwrap()).await;
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
    // Almost JSON of honest writers is read by its one meaning (`odd_input.rs`).
    for text in [
        r#"{"type":"a.b","data":{"x":1e999}}"#,
        r#"{"type":"a.b","data":{"x":"\ud800"}}"#,
        r#"{"type":"a.b","data":{"\udc00":1}}"#,
        r#"{"type":"a.b","data":{"x":NaN}}"#,
    ] {
        assert_eq!(http(text).await.0, 202, "{text}");
    }
    let not_json = [
        r#"{"type":"a.b","data":{"x":nan0}}"#,
        r#"{"type":"a.b","data":{"x":"\ud8"}}"#,
        r#"{'type':'a.b','data':{}}"#,
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
    assert_eq!(update["data"]["x"], "<script>alert(1)</script>");
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
