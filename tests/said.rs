//! What those are told who got something nearly right, over the wire.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use common::{get, post_raw, server};
use serde_json::{Value, json};

fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_by_hand_is_told_what_is_wrong_with_it() {
    let server = server().await;
    let address = server.address();
    for (body, told) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        (
            "{'type': 'task.created'}",
            "not JSON, which takes double quotes",
        ),
        (
            "{type: task.created}",
            "not JSON, in which names stand in double quotes",
        ),
        (
            "{\"type\": \"a.b\", \"data\": None}",
            "not JSON, which writes null",
        ),
    ] {
        let (status, answer) = post_raw(address, "application/json", body).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("bad_request")),
            "{body}: {answer}"
        );
        assert!(message(&answer).contains(told), "{body}: {answer}");
    }
    for (path, meant) in [
        ("/api/v1/event", "/api/v1/events"),
        ("/api/v1/events/", "/api/v1/events"),
        ("/events", "/api/v1/events"),
        ("/health", "/healthz"),
        ("/api/v1/stats", "/api/v1/ws/stats"),
    ] {
        let (status, answer) = get(address, path).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
        assert!(
            message(&answer).ends_with(&format!("did you mean {meant}?")),
            "{path}: {answer}"
        );
        let right = reqwest::get(format!("http://{address}{meant}"))
            .await
            .expect("answers");
        assert_eq!(right.status(), 200, "{meant}");
    }
    let wrong = reqwest::Client::new().post(format!("http://{address}/api/v1/event"));
    let answer: Value = wrong
        .json(&json!({ "type": "a.b" }))
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("JSON");
    assert!(
        message(&answer).contains("did you mean /api/v1/events?"),
        "{answer}"
    );
    server.shutdown().await;
}
