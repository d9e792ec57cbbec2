//! Compressed bodies: what publishers send with `Content-Encoding` is what they would have sent without.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use flate2::{
    Compression,
    read::GzDecoder,
    write::{GzEncoder, ZlibEncoder},
};
use kit::{PATIENCE, START_SECRET, server, server_with};
use serde_json::{Value, json};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

async fn send(
    address: SocketAddr,
    path: &str,
    (media, coding): (&str, &str),
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    let sending = kit::http_client()
        .post(format!("http://{address}{path}"))
        .header("content-type", media)
        .header("content-encoding", coding)
        .bearer_auth(START_SECRET)
        .body(body)
        .send();
    let answer = tokio::time::timeout(PATIENCE, sending).await;
    let answer = answer.expect("in time").expect("answers");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

const EVENTS: &str = "/api/v1/events";
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_in_every_form_that_is_known() {
    let server = server().await;
    let address = server.address();
    let one = json!({ "type": "a.b" }).to_string();
    let list = json!([{ "type": "a.b" }, { "type": "c.d", "data": { "text": "ü" } }]).to_string();
    for (coding, media, body, count) in [
        ("gzip", JSON, gzip(one.as_bytes()), 1),
        ("x-gzip", JSON, gzip(list.as_bytes()), 2),
        ("GZIP", JSON, gzip(list.as_bytes()), 2),
        ("deflate", JSON, zlib(list.as_bytes()), 2),
        ("identity", JSON, list.clone().into_bytes(), 2),
    ] {
        let (status, answer) = send(address, EVENTS, (media, coding), body).await;
        assert_eq!(
            (status, &answer["accepted"]),
            (202, &json!(count)),
            "{coding}: {answer}"
        );
    }
    // A stream of lines is much longer than a body that is read whole, and may be of parts that were compressed each by
    // itself, as log files are.
    let line = json!({ "type": "note.x", "data": { "text": "word ".repeat(50) } }).to_string();
    let part = format!("{line}\n").repeat(3_000);
    let (one, two) = part.split_at(part.len() / 2 + 7);
    let body = [gzip(one.as_bytes()), gzip(two.as_bytes())].concat();
    let (status, answer) = send(address, EVENTS, (LINES, "gzip"), body).await;
    assert_eq!(
        (status, &answer["accepted"]),
        (202, &json!(3_000)),
        "{answer}"
    );
    let (status, answer) = send(address, EVENTS, (LINES, "deflate"), zlib(part.as_bytes())).await;
    assert_eq!(
        (status, &answer["accepted"]),
        (202, &json!(3_000)),
        "{answer}"
    );
    // Bodies that admins send are no different.
    let ban = json!({ "user": "mallory" }).to_string();
    let admin = "/api/v1/admin/bans";
    let (status, answer) = send(address, admin, (JSON, "gzip"), gzip(ban.as_bytes())).await;
    assert!(status < 300, "{status}: {answer}");
    let (status, answer) = send(address, admin, (JSON, "br"), ban).await;
    assert_eq!(status, 415, "{answer}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_or_too_long_is_refused_and_what_came_before_it_is_kept() {
    let server =
        server_with(|config| config.server.max_http_buffer_size.set(10_000).unwrap()).await;
    let address = server.address();
    let one = json!({ "type": "a.b" }).to_string();
    let (status, answer) = send(address, EVENTS, (JSON, "gzip"), one.clone()).await;
    let message = answer["error"]["message"].as_str().expect("a sentence");
    assert!(status == 400 && message.contains("is no gzip"), "{answer}");
    let mut cut = gzip(one.as_bytes());
    cut.truncate(cut.len() - 4);
    let (status, answer) = send(address, EVENTS, (JSON, "gzip"), cut).await;
    let message = answer["error"]["message"].as_str().expect("a sentence");
    assert!(status == 400 && message.contains("ends before"), "{answer}");
    // The bound counts unpacked bytes.
    let list = json!(vec![json!({ "type": "a.b", "data": { "n": 1 } }); 400]).to_string();
    let packed = gzip(list.as_bytes());
    assert!(list.len() > 10_000 && packed.len() < 1_000);
    let (status, answer) = send(address, EVENTS, (JSON, "gzip"), packed).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (413, &json!("too_large")),
        "{answer}"
    );
    let (_, history) = kit::get(address, EVENTS).await;
    assert_eq!(history["events"], json!([]));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_state_comes_whole_whether_it_is_compressed_or_not() {
    let server = server().await;
    let address = server.address();
    let tasks: Vec<Value> = (0..100)
        .map(|n| json!({ "type": "task.created", "data": { "task_id": format!("t{n}"), "note": "x".repeat(7_000) } }))
        .collect();
    assert_eq!(kit::post(address, &json!(tasks)).await.0, 202);
    let state = async |encoding: &'static str| {
        let client = kit::http_client();
        let asked = client
            .get(format!("http://{address}/api/v1/state"))
            .header("accept-encoding", encoding);
        let answer = asked.send().await.expect("it answers");
        let packed = answer.headers().contains_key("content-encoding");
        let bytes = answer.bytes().await.expect("the whole answer");
        (packed, bytes.to_vec())
    };
    let (packed, plain) = state("identity").await;
    assert!(!packed && plain.len() > 700_000, "{} bytes", plain.len());
    let (packed, bytes) = state("gzip").await;
    assert!(packed && bytes.len() < 100_000, "{} bytes", bytes.len());
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(&*bytes).read_to_end(&mut unpacked);
    read.expect("it is gzip");
    let tasks = |text: &[u8]| {
        let state: Value = serde_json::from_slice(text).expect("JSON");
        state["tasks"].clone()
    };
    assert_eq!(tasks(&unpacked), tasks(&plain));
    server.shutdown().await;
}
