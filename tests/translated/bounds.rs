use kit::{counted_in, server_with};
use serde_json::{Value, json};

use super::{counts, send};

const JSON: &str = "application/json";

#[tokio::test(flavor = "multi_thread")]
async fn what_streams_hold_is_bounded_and_counted() {
    let server = server_with(|config| {
        config.translate.max_open.set(2).unwrap();
        config.translate.max_joined_bytes.set(8).unwrap();
        config.translate.max_threads.set(2).unwrap();
    })
    .await;
    let address = server.address();
    let forgotten = |reason: &str| {
        counted_in(
            &server,
            &format!("stoa_translations_forgotten_total{{reason=\"{reason}\"}}"),
        )
    };
    let mut body = vec![json!({ "type": "RUN_STARTED", "threadId": "t", "runId": "r" })];
    for id in ["a", "b", "c"] {
        body.push(json!({ "type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": "x" }));
    }
    body.push(
        json!({ "type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{\"query\":\"long\"}" }),
    );
    body.push(json!({ "type": "TOOL_CALL_END", "toolCallId": "c" }));
    let (status, answer) = send(address, "/ag-ui/in", JSON, Value::Array(body).to_string()).await;
    assert_eq!((status, counts(&answer)), (202, [6, 0, 0]), "{answer}");
    assert_eq!((forgotten("open"), forgotten("joined")), (1, 1));

    for thread in ["a", "b", "c"] {
        let path = format!("/ag-ui/in?thread={thread}");
        let begin = json!({ "type": "RUN_STARTED", "threadId": thread, "runId": thread });
        assert_eq!(send(address, &path, JSON, begin.to_string()).await.0, 202);
    }
    assert_eq!(
        forgotten("threads"),
        2,
        "the stream without a name was the first"
    );
    assert_eq!(counted_in(&server, "stoa_translation_threads"), 2);

    // A line that is longer than an event may be is refused by itself, and so is a parameter that is too long.
    let long = "x".repeat(70_000);
    let lines = format!(
        "{{\"type\":\"RUN_STARTED\",\"threadId\":\"t\",\"runId\":\"l\"}}\ndata: {long}\n\n{{\"type\":\"STATE_SNAPSHOT\"}}\n"
    );
    let (status, answer) = send(address, "/ag-ui/in", "text/event-stream", lines).await;
    assert_eq!((status, counts(&answer)), (202, [2, 0, 1]), "{answer}");
    assert_eq!(
        answer["rejected"][0]["error"]["code"], "too_large",
        "{answer}"
    );
    let path = format!("/ag-ui/in?thread={}", "x".repeat(300));
    let (status, answer) = send(address, &path, JSON, "{}").await;
    assert_eq!(status, 400, "{answer}");
    let many = Value::Array(vec![json!({ "type": "STATE_DELTA" }); 1_001]);
    let (status, answer) = send(address, "/ag-ui/in", JSON, many.to_string()).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (413, &json!("too_large")),
        "{answer}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_are_forgotten_by_bytes_and_after_a_while() {
    for (reason, bytes, ttl) in [("thread_bytes", 1, 3_600.0), ("thread_ttl", 1 << 20, 0.001)] {
        let server = server_with(|config| {
            config.translate.max_thread_bytes.set(bytes).unwrap();
            config.translate.thread_ttl = ttl.try_into().unwrap();
        })
        .await;
        let address = server.address();
        let name = format!("stoa_translations_forgotten_total{{reason=\"{reason}\"}}");
        let begin = json!({ "type": "RUN_STARTED", "threadId": "t", "runId": "r" }).to_string();
        let until = async {
            while counted_in(&server, &name) == 0 {
                let (status, _) = send(address, "/ag-ui/in?thread=t", JSON, begin.clone()).await;
                assert_eq!(status, 202);
            }
        };
        tokio::time::timeout(kit::PATIENCE, until)
            .await
            .expect("it is forgotten");
        server.shutdown().await;
    }
}
