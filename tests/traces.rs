//! Traces: each event's way as spans at a real collector's port, connected by `traceparent`.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use kit::{Client, counted, get, process, server, until, wait_for};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as Attribute,
    trace::v1::Span,
};
use prost::Message;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector of spans.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    async fn start(&self, status: StatusCode) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let take = async move |State(collector): State<Self>, body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
            let scopes = request
                .resource_spans
                .into_iter()
                .flat_map(|r| r.scope_spans);
            let spans = scopes.flat_map(|scope| scope.spans);
            collector.0.lock().unwrap().extend(spans);
            status
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// The spans of this name, once there are as many.
    async fn spans(&self, name: &str, count: usize) -> Vec<Span> {
        until(name, async || {
            let spans = self.0.lock().unwrap();
            let found: Vec<_> = spans.iter().filter(|s| s.name == name).cloned().collect();
            (found.len() >= count).then_some(found)
        })
        .await
    }
}

fn attributes(span: &Span) -> HashMap<&str, Attribute> {
    let attributes = span.attributes.iter();
    let of = |a: &opentelemetry_proto::tonic::common::v1::KeyValue| a.value.clone()?.value;
    attributes
        .filter_map(|a| Some((a.key.as_str(), of(a)?)))
        .collect()
}

fn text(value: &str) -> Attribute {
    Attribute::StringValue(value.into())
}

fn traced(address: SocketAddr) -> process::Process {
    let mut command = process::serve_in_memory();
    command
        .env(
            "STOA_TRACES__OTLP_ENDPOINT",
            format!("\"http://{address}\""),
        )
        .env("OTEL_BSP_SCHEDULE_DELAY", "20");
    process::Process::listening(&mut command)
}

async fn post_with(address: SocketAddr, traceparent: &str, event: &Value) {
    let answer = kit::http_client()
        .post(format!("http://{address}/api/v1/events"))
        .header("traceparent", traceparent)
        .json(event)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
}

#[tokio::test]
async fn an_event_is_followed_from_its_door_to_the_socket() {
    let collector = Collector::default();
    let server = traced(collector.start(StatusCode::OK).await);
    let mut client = Client::open(server.address, "/", json!({})).await.unwrap();
    let event = json!({ "id": "e-1", "type": "task.created", "data": { "task_id": "t1" } });
    post_with(server.address, PARENT, &event).await;
    client.event("task_update").await;
    let spans = [
        collector.spans("publish", 1).await.remove(0),
        collector.spans("accept", 1).await.remove(0),
        collector.spans("append", 1).await.remove(0),
        collector.spans("deliver", 1).await.remove(0),
    ];
    for span in &spans {
        let trace: String = span.trace_id.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(trace, TRACE, "{}", span.name);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    let [publish, accept, append, deliver] = &spans;
    let caller: String = publish
        .parent_span_id
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(caller, "00f067aa0ba902b7");
    assert_eq!(accept.parent_span_id, publish.span_id);
    assert_eq!(append.parent_span_id, publish.span_id);
    assert_eq!(attributes(publish)["door"], text("http"));
    assert_eq!(attributes(accept)["event.id"], text("e-1"));
    let said = attributes(deliver);
    assert_eq!(said["event.id"], text("e-1"));
    assert_eq!(said["update"], text("task_update"));
    assert_eq!(said["observers"], Attribute::IntValue(1));
    wait_for("the count of the spans", async || {
        counted(server.address, "stoa_spans_total{outcome=\"exported\"}").await >= 4
    })
    .await;
}

#[tokio::test]
async fn an_event_without_a_caller_begins_a_trace_and_a_caller_that_samples_nothing_gets_no_spans()
{
    let collector = Collector::default();
    let server = traced(collector.start(StatusCode::OK).await);
    let mut client = Client::open(server.address, "/", json!({ "role": "producer" }))
        .await
        .unwrap();
    let unsampled = PARENT.replace("-01", "-00");
    let event = |id: &str| json!({ "id": id, "type": "task.created", "data": { "task_id": id } });
    post_with(server.address, &unsampled, &event("quiet")).await;
    client.event("task_update").await;
    let sent = client.call("publish", event("loud")).await;
    assert_eq!(sent["status"], "ok");
    client.event("task_update").await;
    let deliver = collector.spans("deliver", 1).await.remove(0);
    assert_eq!(attributes(&deliver)["event.id"], text("loud"));
    let accept = collector.spans("accept", 1).await.remove(0);
    assert_eq!(accept.trace_id, deliver.trace_id);
    assert_eq!(accept.span_id, deliver.parent_span_id);
    let all = collector.0.lock().unwrap();
    let quiet = |span: &&Span| attributes(span).get("event.id") == Some(&text("quiet"));
    assert_eq!(all.iter().find(quiet), None);
}

#[tokio::test]
async fn a_collector_that_fails_is_counted_and_stops_nothing() {
    let collector = Collector::default();
    let server = traced(collector.start(StatusCode::BAD_REQUEST).await);
    let event = json!({ "type": "task.created", "data": { "task_id": "t1" } });
    post_with(server.address, PARENT, &event).await;
    wait_for("the failed export", async || {
        counted(server.address, "stoa_spans_total{outcome=\"failed\"}").await >= 1
    })
    .await;
    post_with(server.address, PARENT, &event).await;
}

#[tokio::test]
async fn the_traceparent_of_a_publish_is_kept_with_its_events_unless_they_have_their_own() {
    let server = server().await;
    let address = server.address();
    let own = PARENT.replace("4bf9", "aaaa");
    let events = json!([
        { "id": "a", "type": "task.created" },
        { "id": "b", "type": "task.created", "metadata": { "traceparent": own, "k": 1 } },
    ]);
    post_with(address, PARENT, &events).await;
    post_with(
        address,
        "nonsense",
        &json!({ "id": "c", "type": "task.created" }),
    )
    .await;
    // A retry in another trace is the same event.
    post_with(address, &own, &json!({ "id": "a", "type": "task.created" })).await;
    let (_, history) = get(address, "/api/v1/events").await;
    let kept: Vec<_> = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["metadata"])
        .collect();
    assert_eq!(
        kept,
        [
            &json!({ "traceparent": PARENT }),
            &json!({ "traceparent": own, "k": 1 }),
            &json!({}),
        ]
    );
}
