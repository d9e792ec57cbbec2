//! Spans that are refused: those of now come again and are taken once, those of ever are counted.

use std::net::SocketAddr;

use kit::{counted, counted_in, get, guarded, post, server_with, wait_for};
use serde_json::{Value, json};
use stoa::config::Role;

use super::send;

const JSON: (&str, &str) = ("content-type", "application/json");
const PATH: &str = "/v1/traces";

/// A call of a model, in a project, below a parent that never comes if it has one.
fn call(id: u64, parent: Option<u64>, project: &str) -> String {
    let said = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let mut attributes = vec![
        said("gen_ai.operation.name", "chat"),
        said("stoa.project_id", project),
    ];
    if parent.is_none() {
        attributes.push(said("gen_ai.agent.name", "ada"));
    }
    let parent = parent.map(|parent| format!("{parent:016x}"));
    let span = json!({
        "traceId": format!("{:032x}", 77), "spanId": format!("{id:016x}"), "parentSpanId": parent, "name": "chat x",
        "startTimeUnixNano": "1795720794892627968", "endTimeUnixNano": "1795720794896112896",
        "attributes": attributes,
    });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string()
}

/// The calls among the newest events: one page of the history looks at so many, and the flood may have had more.
async fn calls(address: SocketAddr) -> usize {
    let newest = "/api/v1/events?type=llm.completed&order=desc";
    let history = get(address, newest).await.1;
    history["events"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_are_refused_for_now_come_again() {
    let server = server_with(|config| {
        config.pace.degrade_lag.set(1).expect("a count");
        config.pace.degrade_after_ms.set(100).expect("a time");
        config.pace.recover_after_ms.set(2_000).expect("a time");
    })
    .await;
    let address = server.address();
    let progress = |n: usize| json!({ "type": "task.progress", "data": { "task_id": format!("t{n}"), "progress": 1 } });
    let flood: Value = (0..200).map(progress).collect();
    wait_for("low priority to be refused", async || {
        let floods = (0..6).map(|_| post(address, &flood));
        futures_util::future::join_all(floods).await;
        counted(address, "stoa_degradation_step").await == 3
    })
    .await;
    let body = call(1, None, "a");
    let (status, headers, answer) = send(address, PATH, &[JSON], body.clone()).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!((status, &answer["code"]), (503, &json!(14)), "{answer}");
    assert_eq!(headers["retry-after"], "5");
    assert_eq!(calls(address).await, 0);
    assert_eq!(
        counted(address, "stoa_otlp_spans_total{outcome=\"taken\"}").await,
        0
    );
    // The exporter sends it again, and once too often.
    wait_for("the load to be gone", async || {
        send(address, PATH, &[JSON], body.clone()).await.0 == 200
    })
    .await;
    let (status, _, answer) = send(address, PATH, &[JSON], body.clone()).await;
    assert_eq!((status, answer.as_slice()), (200, &b"{}"[..]));
    assert_eq!(calls(address).await, 1);
    assert_eq!(
        counted(address, "stoa_otlp_spans_total{outcome=\"taken\"}").await,
        1
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_spans_that_are_refused_are_counted() {
    let server = guarded::guarded(|config| {
        config.otlp.parent_wait.set(0.05).expect("a time");
    })
    .await;
    let address = server.address();
    let limited = guarded::token(&stoa::access::authn::Grant {
        user: Some("limited".into()),
        projects: Some(vec!["a".into()]),
        ..guarded::grant(Role::Producer)
    });
    let limited = format!("Bearer {limited}");
    let asked = [JSON, ("authorization", limited.as_str())];
    let (status, _, answer) = send(address, PATH, &asked, call(1, Some(9), "b")).await;
    assert_eq!((status, answer.as_slice()), (200, &b"{}"[..]));
    wait_for("its refusal is counted", async || {
        counted_in(&server, "stoa_otlp_spans_total{outcome=\"rejected\"}") == 1
    })
    .await;
    server.shutdown().await;
}
