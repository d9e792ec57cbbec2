//! Answers to input that is nearly right, over the wire.

use std::net::SocketAddr;

use kit::{Client, PATIENCE, get, post, post_raw, server};
use serde_json::{Value, json};

fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_default()
}

/// The ids of the tasks in a page of the history.
async fn tasks(address: SocketAddr, query: &str) -> Vec<String> {
    let (status, page) = get(address, &format!("/api/v1/events?{query}")).await;
    assert_eq!(status, 200, "{query}: {page}");
    let events = page["events"].as_array().expect("events").iter();
    let id = |event: &Value| {
        event["data"]["task_id"]
            .as_str()
            .expect("a task")
            .to_owned()
    };
    events.map(id).collect()
}

/// A filter that is none would give what it was to leave out.
#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_none_is_refused_with_those_that_are() {
    let server = server().await;
    let address = server.address();
    for project in ["p1", "p2"] {
        let event = json!({ "type": "task.created", "project_id": project, "data": { "task_id": format!("{project}-t") } });
        assert_eq!(post(address, &event).await.0, 202);
    }
    for (path, name, told) in [
        (
            "/api/v1/events?task_id=zz",
            "\"task_id\"",
            "after, before, limit, type, project_id",
        ),
        (
            "/api/v1/events?projectId=p1",
            "\"projectId\"",
            "did you mean project_id?",
        ),
        (
            "/api/v1/events?project_id=p1&types=task.*",
            "\"types\"",
            "did you mean type?",
        ),
        (
            "/api/v1/state?project=p1",
            "\"project\"",
            "did you mean project_id?",
        ),
        (
            "/api/v1/stream?type=task.*",
            "\"type\"",
            "did you mean types?",
        ),
        (
            "/api/v1/stream?room=project:p1",
            "\"room\"",
            "did you mean rooms?",
        ),
    ] {
        let (status, answer) = get(address, path).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("bad_request")),
            "{path}: {answer}"
        );
        let message = message(&answer);
        assert!(
            message.contains(name) && message.contains(told),
            "{path}: {message}"
        );
    }
    // Parameters against caches say nothing, and a blank that was pasted is no part of an id.
    for query in [
        "project_id=p1&_=1748004000000",
        "t=1&ts=2&_t=3&project_id=p1",
        "project_id=%20p1",
        "project_id=p1+&type=%20task.created%20",
    ] {
        assert_eq!(tasks(address, query).await, ["p1-t"], "{query}");
    }
    let (status, state) = get(address, "/api/v1/state?project_id=%20p1&_=1").await;
    let known: Vec<_> = state["tasks"].as_object().expect("tasks").keys().collect();
    assert_eq!((status, known), (200, vec![&"p1-t".to_owned()]));
    // Seneca's pages send what they send.
    let (status, _) = get(address, "/api/conversations/recent?limit=5&theme=dark").await;
    assert_eq!(status, 200);
    let (mut client, _) = Client::connect(address, json!({})).await;
    let page = client
        .call("get_history", json!({ "project_id": " p1 " }))
        .await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{page}");
    let state = client
        .call("get_state", json!({ "project_id": " p1" }))
        .await;
    assert_eq!(
        state["tasks"].as_object().map(serde_json::Map::len),
        Some(1),
        "{state}"
    );
    server.shutdown().await;
}

/// Some pages can't set a header for an event stream: they name the place to go on from in the address.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_from_the_place_that_a_polyfill_names() {
    let server = server().await;
    let address = server.address();
    let event = |id: &str| json!({ "type": "task.created", "data": { "task_id": id } });
    let (_, first) = post(address, &event("t1")).await;
    post(address, &event("t2")).await;
    let cursor = first["cursor"].as_str().expect("a cursor");
    let url = format!("http://{address}/api/v1/stream?lastEventId={cursor}&_=5&name=page");
    let mut stream = kit::http_client().get(url).send().await.expect("answers");
    let mut text = String::new();
    let resumed = async {
        // It may come live, after the answer to the place.
        while !(text.contains("event: resumed") && text.contains("\"t2\"")) {
            let chunk = stream.chunk().await.expect("reads").expect("goes on");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    let resumed = tokio::time::timeout(PATIENCE, resumed);
    resumed.await.expect("it resumes");
    assert!(!text.contains("\"t1\""), "{text}");
    server.shutdown().await;
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
        let right = kit::http_client()
            .get(format!("http://{address}{meant}"))
            .send()
            .await
            .expect("answers");
        assert_eq!(right.status(), 200, "{meant}");
    }
    let wrong = kit::http_client().post(format!("http://{address}/api/v1/event"));
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
