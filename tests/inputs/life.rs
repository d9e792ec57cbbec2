//! Questions without tokens, over a crash, and when the server goes down.

use std::time::Duration;

use kit::{
    counted_in, get, post,
    process::{Process, serve},
    server, server_with, until_folded,
};
use serde_json::{Value, json};

use super::{asked, path};

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_a_program_answers_and_the_state_forgets_the_answered_first() {
    let server = server_with(|config| config.performance.max_inputs.set(8).unwrap()).await;
    let address = server.address();
    let url = format!("http://{address}/api/v1/stream?types=input_update");
    let mut stream = reqwest::get(url).await.unwrap();
    let events: Vec<Value> = (0..4)
        .map(|n| asked("p", &format!("q{n}"), &json!({})))
        .collect();
    let (status, _) = post(address, &Value::Array(events)).await;
    assert_eq!(status, 202);
    let client = reqwest::Client::new();
    let url = format!("http://{address}/api/v1/inputs/q0");
    let answered = client
        .post(&url)
        .json(&json!({ "value": { "chosen": 1 } }))
        .send()
        .await
        .unwrap();
    assert_eq!(answered.status(), 200);
    // An agent that only follows a stream has the answer.
    let mut text = String::new();
    while !text.contains("\"status\":\"received\"") {
        let chunk = stream.chunk().await.unwrap().expect("it lasts");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.contains("\"answer\":{\"chosen\":1}"), "{text}");
    // A page of somebody else's answers nothing.
    let page = client
        .post(&url)
        .header("origin", "https://evil.example")
        .json(&json!({ "value": 1 }))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 403);
    let more: Vec<Value> = (4..9)
        .map(|n| asked("p", &format!("q{n}"), &json!({})))
        .collect();
    let (_, told) = post(address, &Value::Array(more)).await;
    until_folded(address, &told["cursor"]).await;
    let (_, state) = get(address, "/api/v1/state").await;
    let open: Vec<_> = state["inputs"].as_object().unwrap().keys().collect();
    assert_eq!(open, ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"]);
    assert_eq!(
        counted_in(
            &server,
            "stoa_state_evicted_total{kind=\"inputs\",reason=\"count\"}"
        ),
        1
    );
    assert_eq!(get(address, &path("q0", "")).await.0, 404);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_question_and_answer_loses_neither() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("stoa.db");
    let begin = || Process::listening(&mut serve(&journal));
    let first = begin();
    let (status, _) = post(first.address, &asked("p", "q1", &json!({}))).await;
    assert_eq!(status, 202);
    first.kill();
    let again = begin();
    let (address, client) = (again.address, reqwest::Client::new());
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(
        (
            &state["inputs"]["q1"]["status"],
            &state["agents"]["ada"]["status"]
        ),
        (&json!("open"), &json!("waiting"))
    );
    let answered = client
        .post(format!("http://{address}/api/v1/inputs/q1"))
        .json(&json!({ "value": "yes" }))
        .send()
        .await
        .unwrap();
    assert_eq!(answered.status(), 200);
    again.kill();
    let last = begin();
    let (status, found) = get(last.address, &path("q1", "wait=30")).await;
    assert_eq!(
        (status, &found["status"], &found["answer"]),
        (200, &json!("received"), &json!("yes")),
        "{found}"
    );
    last.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_lets_go_those_who_wait() {
    let server = server().await;
    let address = server.address();
    post(address, &asked("p", "q1", &json!({}))).await;
    let waiting = tokio::spawn(async move { get(address, &path("q1", "wait=60")).await });
    while counted_in(&server, "stoa_input_waits") == 0 {
        tokio::task::yield_now().await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), server.shutdown()).await;
    assert!(ended.is_ok(), "it waits for nobody");
    let (status, told) = waiting.await.unwrap();
    assert_eq!(
        (status, &told["error"]["code"]),
        (503, &json!("unavailable")),
        "{told}"
    );
}
