//! The door of spans, with the recorded requests of two real exporters.

use std::{io::Write, net::SocketAddr};

use flate2::{Compression, write::GzEncoder};
use kit::{counted, get, guarded, server_with};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    trace::v1::ResourceSpans,
};
use prost::Message;
use serde_json::{Value, json};
use stoa::{config::Role, server::Running};

use super::{send, state_when};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const PATH: &str = "/v1/traces";

/// A request as it goes out: whether it is JSON, and its body.
type Export = (bool, Vec<u8>);

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/data/producers/{name}")).expect("a recorded request")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

/// The recorded requests: Pydantic-AI's in protobuf, LangGraph's in JSON.
fn recorded() -> Vec<Export> {
    let mut all: Vec<Export> = (1..=4)
        .map(|n| (false, file(&format!("otlp_pydantic_ai.0{n}.bin"))))
        .collect();
    let lines = file("otlp_langgraph_openinference.jsonl");
    let lines = lines.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    all.extend(lines.map(|line| (true, line.to_vec())));
    all
}

/// The same spans, one in each request.
fn one_by_one() -> Vec<Export> {
    let mut all = Vec::new();
    for (is_json, body) in recorded() {
        if is_json {
            let request: Value = serde_json::from_slice(&body).expect("JSON");
            for of in request["resourceSpans"].as_array().expect("a list") {
                for scope in of["scopeSpans"].as_array().expect("a list") {
                    for span in scope["spans"].as_array().expect("a list") {
                        let scope = json!([{ "scope": scope["scope"], "spans": [span] }]);
                        let of = json!([{ "resource": of["resource"], "scopeSpans": scope }]);
                        let one = json!({ "resourceSpans": of });
                        all.push((true, one.to_string().into_bytes()));
                    }
                }
            }
            continue;
        }
        let request = ExportTraceServiceRequest::decode(&*body).expect("protobuf");
        for of in request.resource_spans {
            for scope in &of.scope_spans {
                for span in &scope.spans {
                    let mut scope = scope.clone();
                    scope.spans = vec![span.clone()];
                    let one = ExportTraceServiceRequest {
                        resource_spans: vec![ResourceSpans {
                            scope_spans: vec![scope],
                            ..of.clone()
                        }],
                    };
                    all.push((false, one.encode_to_vec()));
                }
            }
        }
    }
    all
}

fn shuffled<T>(mut list: Vec<T>, mut seed: u64) -> Vec<T> {
    for end in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        list.swap(end, (seed >> 33) as usize % (end + 1));
    }
    list
}

async fn export(address: SocketAddr, (is_json, body): Export) {
    let media = if is_json { JSON } else { PROTOBUF };
    let (status, _, answer) = send(address, PATH, &[media], body).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let empty: &[u8] = if is_json { b"{}" } else { b"" };
    assert_eq!(answer, empty, "{}", String::from_utf8_lossy(&answer));
}

/// A server that is patient with late parents: this machine may be slow.
async fn patient() -> Running {
    server_with(|config| config.otlp.parent_wait.set(60.0).expect("a time")).await
}

/// The state after these requests, without what the clock of the server says.
async fn state_after(requests: Vec<Export>) -> Value {
    let server = patient().await;
    let address = server.address();
    for request in requests {
        export(address, request).await;
    }
    let published = counted(address, "stoa_events_total").await;
    let folded = |state: &Value| state["counts"]["events"].as_u64() == Some(published);
    let mut state = state_when(address, "all is folded", folded).await;
    for key in ["cursor", "timestamp", "server_time"] {
        state[key] = Value::Null;
    }
    state["counts"]["events"] = Value::Null;
    if let Some(projects) = state["projects"].as_object_mut() {
        for project in projects.values_mut() {
            project["updated_at"] = Value::Null;
        }
    }
    server.shutdown().await;
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_does_not_depend_on_how_spans_were_batched() {
    let whole = state_after(recorded()).await;
    let count = |key: &str| whole[key].as_object().map_or(0, serde_json::Map::len);
    assert_eq!((count("agents"), count("tasks"), count("runs")), (9, 10, 4));
    for (what, requests) in [
        ("one by one", one_by_one()),
        ("shuffled", shuffled(one_by_one(), 3)),
        ("shuffled", shuffled(one_by_one(), 8)),
    ] {
        let state = state_after(requests).await;
        for (key, value) in whole.as_object().expect("an object") {
            let Some(things) = value.as_object() else {
                assert_eq!(value, &state[key], "{what}: {key}");
                continue;
            };
            for (id, thing) in things {
                assert_eq!(thing, &state[key][id], "{what}: {key} {id}");
            }
        }
        assert_eq!(whole, state, "{what}");
    }
}

/// A small request in JSON.
fn spans(count: u64, service: &str) -> Value {
    let trace = service
        .bytes()
        .fold(77_u128, |sum, byte| sum * 31 + u128::from(byte));
    let spans: Vec<Value> = (1..=count)
        .map(|n| {
            json!({
                "traceId": format!("{trace:032x}"), "spanId": format!("{n:016x}"), "name": "invoke_agent ada",
                "startTimeUnixNano": "1795720794892627968", "endTimeUnixNano": "1795720794896112896",
                "attributes": [
                    { "key": "gen_ai.operation.name", "value": { "stringValue": "invoke_agent" } },
                    { "key": "gen_ai.agent.name", "value": { "stringValue": "ada" } },
                ],
            })
        })
        .collect();
    let resource =
        json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "spans": spans }] }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_in_its_own_words() {
    let server = server_with(|config| {
        config.otlp.max_spans.set(3).expect("a count");
        config.otlp.max_bytes.set(20_000).expect("a count");
        config.otlp.max_attributes.set(1).expect("a count");
        config.otlp.max_depth.set(3).expect("a count");
        config.otlp.max_values.set(8).expect("a count");
    })
    .await;
    let address = server.address();
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    let json = |body: &[u8]| serde_json::from_slice::<Value>(body).expect("JSON");
    // Compressed, by both paths, and again: the same spans are none more.
    let small = spans(2, "a").to_string();
    for path in [PATH, "/api/v1/otlp/v1/traces"] {
        let (status, headers, body) =
            send(address, path, &[JSON, GZIP], gzip(small.as_bytes())).await;
        assert_eq!((status, text(&body).as_str()), (200, "{}"));
        assert_eq!(headers["content-type"], "application/json");
    }
    assert_eq!(
        counted(address, "stoa_otlp_spans_total{outcome=\"repeated\"}").await,
        2
    );
    assert_eq!(
        counted(address, "stoa_otlp_spans_total{outcome=\"taken\"}").await,
        2
    );
    // More spans than one request may have.
    let many = spans(5, "b");
    let (status, _, body) = send(address, PATH, &[JSON], many.to_string()).await;
    assert_eq!(status, 200);
    let partial = &json(&body)["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2");
    assert!(
        partial["errorMessage"]
            .as_str()
            .is_some_and(|why| why.contains("max_spans"))
    );
    assert_eq!(
        counted(address, "stoa_otlp_spans_total{outcome=\"beyond\"}").await,
        2
    );
    assert!(counted(address, "stoa_otlp_left_out_total{what=\"attributes\"}").await >= 2);
    let (status, headers, body) =
        send(address, PATH, &[PROTOBUF], file("otlp_pydantic_ai.01.bin")).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (200, &"application/x-protobuf".parse().unwrap())
    );
    let answer = ExportTraceServiceResponse::decode(&*body).expect("protobuf");
    assert_eq!(
        answer.partial_success.map(|partial| partial.rejected_spans),
        Some(4)
    );
    // Attributes that are too much.
    let nested = json!({ "arrayValue": { "values": [{ "arrayValue": { "values": [{ "arrayValue": { "values": [{ "intValue": 1 }] } }] } }] } });
    let long = json!({ "arrayValue": { "values": vec![json!({ "intValue": 1 }); 9] } });
    for (what, value) in [("depth", nested), ("values", long)] {
        let mut odd = spans(1, what);
        odd["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] =
            json!([{ "key": "gen_ai.output.messages", "value": value }]);
        assert_eq!(send(address, PATH, &[JSON], odd.to_string()).await.0, 200);
        let counter = format!("stoa_otlp_left_out_total{{what=\"{what}\"}}");
        assert_eq!(counted(address, &counter).await, 1, "{what}");
    }
    // Bodies that are none, or too large, packed or not.
    let bomb = gzip(&vec![b' '; 1_000_000]);
    for (headers, body, wanted, code, told) in [
        (
            vec![JSON],
            b"{\"resourceSpans\": 4}".to_vec(),
            400,
            3,
            "ExportTraceServiceRequest",
        ),
        (
            vec![JSON, GZIP],
            b"{\"resourceSpans\": []}".to_vec(),
            400,
            3,
            "is no gzip",
        ),
        (
            vec![JSON],
            vec![b' '; 30_000],
            413,
            3,
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        ),
        (vec![JSON, GZIP], bomb, 413, 3, "[otlp] max_bytes"),
        (
            vec![JSON, ("content-encoding", "br")],
            b"{}".to_vec(),
            415,
            3,
            "gzip",
        ),
        (
            vec![("content-type", "text/plain")],
            b"{}".to_vec(),
            415,
            3,
            "application/x-protobuf",
        ),
    ] {
        let (status, _, body) = send(address, PATH, &headers, body).await;
        let answer = json(&body);
        assert_eq!(
            (status, &answer["code"]),
            (wanted, &json!(code)),
            "{answer}"
        );
        assert!(
            answer["message"]
                .as_str()
                .is_some_and(|why| why.contains(told)),
            "{answer}"
        );
    }
    let (status, headers, body) = send(address, PATH, &[PROTOBUF], vec![0x0a, 0x7f]).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (400, &"application/x-protobuf".parse().unwrap())
    );
    assert!(text(&body).contains("in the middle"));
    // Logs and metrics are answered and counted.
    for signal in ["logs", "metrics"] {
        let (status, _, body) =
            send(address, &format!("/v1/{signal}"), &[PROTOBUF], vec![1, 2]).await;
        assert_eq!((status, body.len()), (200, 0));
        let counter = format!("stoa_otlp_requests_total{{signal=\"{signal}\"}}");
        assert_eq!(counted(address, &counter).await, 1);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_producers_door() {
    let server = guarded::guarded(|config| {
        config.rate_limiting.enabled = stoa::config::Switch::On;
        config.rate_limiting.producer_events_per_second = 12;
    })
    .await;
    let address = server.address();
    let body = |service: &str| spans(1, service).to_string();
    let bearer = |token: String| format!("Bearer {token}");
    let (status, headers, answer) = send(address, PATH, &[JSON], body("a")).await;
    let code =
        |answer: &[u8]| serde_json::from_slice::<Value>(answer).expect("JSON")["code"].clone();
    assert_eq!((status, code(&answer)), (401, json!(16)));
    assert!(headers.contains_key("www-authenticate"));
    let watcher = bearer(guarded::observer("eve", &["a"]));
    let asked = [JSON, ("authorization", watcher.as_str())];
    let (status, _, answer) = send(address, PATH, &asked, body("a")).await;
    assert_eq!((status, code(&answer)), (403, json!(7)));
    let limited = bearer(guarded::token(&stoa::access::authn::Grant {
        user: Some("limited".into()),
        projects: Some(vec!["a".into()]),
        ..guarded::grant(Role::Producer)
    }));
    let limited = [JSON, ("authorization", limited.as_str())];
    let (status, _, answer) = send(address, PATH, &limited, body("a")).await;
    assert_eq!((status, answer.as_slice()), (200, &b"{}"[..]));
    let free = bearer(guarded::producer());
    let free = [JSON, ("authorization", free.as_str())];
    // Another's project: the spans are rejected, and the answer says why.
    let other = bearer(guarded::token(&stoa::access::authn::Grant {
        user: Some("other".into()),
        projects: Some(vec!["a".into()]),
        ..guarded::grant(Role::Producer)
    }));
    let other = [JSON, ("authorization", other.as_str())];
    let (status, _, answer) = send(address, PATH, &other, body("b")).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(
        (status, &answer["partialSuccess"]["rejectedSpans"]),
        (200, &json!("1"))
    );
    let why = answer["partialSuccess"]["errorMessage"]
        .as_str()
        .unwrap_or_default();
    assert!(why.contains("your token doesn't name project"), "{why}");
    // Over budget it is told when to come again, and what was refused is taken then.
    let mut refused = None;
    for n in 0..20 {
        let service = format!("s{n}");
        let (status, headers, answer) = send(address, PATH, &free, body(&service)).await;
        if status == 429 {
            assert_eq!(code(&answer), json!(8));
            assert!(headers.contains_key("retry-after"));
            refused = Some(service);
            break;
        }
        assert_eq!(status, 200);
    }
    let service = refused.expect("there is a budget");
    kit::wait_for("its budget is there again", async || {
        send(address, PATH, &free, body(&service)).await.0 == 200
    })
    .await;
    let admin = bearer(guarded::admin());
    let found = kit::http_client()
        .get(format!("http://{address}/api/v1/state"))
        .header("authorization", admin);
    let found: Value = found
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("JSON");
    let agent = format!("{service}:ada");
    assert!(
        found["agents"].get(&agent).is_some(),
        "{agent} is in {}",
        found["agents"]
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_wait_are_told_when_the_time_is_over_or_the_server_goes_down() {
    let body = |parent: u64, id: u64| {
        let mut one = spans(1, "late");
        let span = &mut one["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        span["parentSpanId"] = format!("{parent:016x}").into();
        span["spanId"] = format!("{id:016x}").into();
        span["attributes"] = json!([
            { "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
        ]);
        one.to_string()
    };
    let kept = tempfile::tempdir().expect("a folder");
    let path = kept.path().join("stoa.db");
    let start = async |wait: f64| {
        server_with(|config| {
            guarded::kept_in(config, &path);
            config.otlp.parent_wait.set(wait).expect("a time");
        })
        .await
    };
    let told = async |address: SocketAddr| {
        let history = get(address, "/api/v1/events?type=llm.completed").await.1;
        history["events"].as_array().map_or(0, Vec::len)
    };
    let quick = start(0.05).await;
    export(quick.address(), (true, body(9, 1).into_bytes())).await;
    kit::wait_for("it goes without", async || told(quick.address()).await == 1).await;
    assert_eq!(counted(quick.address(), "stoa_otlp_orphans_total").await, 1);
    quick.shutdown().await;
    let patient = start(60.0).await;
    export(patient.address(), (true, body(9, 2).into_bytes())).await;
    assert_eq!(told(patient.address()).await, 1);
    patient.shutdown().await;
    let again = server_with(|config| guarded::kept_in(config, &path)).await;
    assert_eq!(told(again.address()).await, 2);
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_spans_than_are_remembered_are_forgotten() {
    let server =
        server_with(|config| config.otlp.remembered_spans.set(100).expect("a count")).await;
    let address = server.address();
    export(address, (true, spans(150, "many").to_string().into_bytes())).await;
    let counter = "stoa_otlp_forgotten_total{reason=\"number\"}";
    assert_eq!(counted(address, counter).await, 50);
    server.shutdown().await;
}
