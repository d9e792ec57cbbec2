//! The size that an emission may have, at both sides of the bound and by every way.

use kit::{Client, START_SECRET, counted, server, server_with};
use serde_json::json;

use super::emit;

/// The default of `[emit] max_bytes`.
const MOST: usize = 1 << 20;

/// A text that is so many bytes long as JSON.
fn text(bytes: usize) -> String {
    "x".repeat(bytes - 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_mebibyte_arrives_whole_and_one_byte_more_is_refused() {
    let server = server().await;
    let address = server.address();
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(address, json!({})).await.0);
    }
    // The bytes that go out count, and not their base64.
    let base64 = "A".repeat(MOST / 3 * 4 - 200);
    let placeholder = json!({ "_placeholder": true, "num": 0 });
    let bytes = json!({ "event": "b", "args": [placeholder], "attachments": [&base64] });
    let (status, answer) = emit(address, &bytes).await;
    assert_eq!(status, 202, "{answer}");
    for client in &mut clients {
        assert_eq!(client.binary().await.len(), base64.len() / 4 * 3);
    }
    for keep in [false, true] {
        let just = json!({ "event": "e", "args": [text(MOST - 1)], "keep": keep });
        let (status, answer) = emit(address, &just).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
        // Each has read it before more is emitted: nothing is for one whose queue is full.
        for client in &mut clients {
            let came = client.event("e").await;
            assert_eq!(came.as_str().map(str::len), Some(MOST - 3));
        }
        let (_, small) = emit(address, &json!({ "event": "small", "keep": keep })).await;
        assert_eq!(small["accepted"], 1);
        for client in &mut clients {
            client.event("small").await;
            let more = client.so_far().await;
            let again = more.iter().filter(|(name, _)| name == "e").count();
            assert_eq!(again, 0, "each comes once");
        }
        let more = json!({ "event": "e", "args": [text(MOST)], "keep": keep });
        let (status, answer) = emit(address, &more).await;
        assert_eq!(status, 400, "{answer}");
        assert_eq!(answer["error"]["code"], "too_large");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("1048576 bytes") && message.contains("[emit] max_bytes"));
    }
    assert_eq!(
        counted(
            address,
            "stoa_events_rejected_total{door=\"http\",code=\"too_large\"}"
        )
        .await,
        2
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_has_the_same_bound() {
    const BOUND: usize = 200_000;
    let server = server_with(|config| {
        config.emit.max_bytes.set(BOUND as u64).unwrap();
    })
    .await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let just = json!({ "event": "e", "args": [text(BOUND - 1)] });
    let more = json!({ "event": "e", "args": [text(BOUND)] });
    let lines = format!("{just}\n{more}\n{{\"event\":\"end\"}}\n");
    let post = |path: &str, media: &'static str, body: String| {
        let url = format!("http://{address}{path}");
        async move {
            let client = kit::http_client();
            let request = client.post(url).header("content-type", media);
            let sent = request.bearer_auth(START_SECRET).body(body);
            let answer = sent.send().await.unwrap();
            answer.json::<serde_json::Value>().await.unwrap()
        }
    };
    let answer = post("/api/v1/emit", "application/x-ndjson", lines).await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(answer["rejected"][0]["index"], 1, "{answer}");
    assert_eq!(answer["rejected"][0]["error"]["code"], "too_large");
    client.event("e").await;
    client.event("end").await;
    let operations = json!({ "operations": [{ "emit": just }, { "emit": more }] });
    let answer = post(
        "/api/v1/operations",
        "application/json",
        operations.to_string(),
    )
    .await;
    assert_eq!(answer["results"][0]["status"], "ok", "{answer}");
    assert_eq!(
        answer["results"][1]["error"]["code"], "too_large",
        "{answer}"
    );
    client.event("e").await;
    assert_eq!(client.call("emit_to", just).await["status"], "ok");
    client.event("e").await;
    let answer = client.call("emit_to", more).await;
    assert_eq!(answer["error"]["code"], "too_large", "{answer}");
    // A line without an end is not kept beyond what an emission may be.
    let endless = format!("{}\n{{\"event\":\"end\"}}", "x".repeat(3 * BOUND));
    let answer = post("/api/v1/emit", "application/x-ndjson", endless).await;
    assert_eq!(
        answer["rejected"][0]["error"]["code"], "too_large",
        "{answer}"
    );
    assert_eq!(answer["accepted"], 1);
    server.shutdown().await;

    // A client's queue has room for the largest, whatever the settings say.
    let server = server_with(|config| {
        config.server.max_client_buffer.set(65_536).unwrap();
    })
    .await;
    for (bytes, status) in [(65_535, 202), (65_536, 400)] {
        let emission = json!({ "event": "e", "args": [text(bytes)] });
        assert_eq!(emit(server.address(), &emission).await.0, status, "{bytes}");
    }
    server.shutdown().await;
}
