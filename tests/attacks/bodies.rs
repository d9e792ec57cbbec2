//! Request bodies that fill the server's memory before anybody can keep what is in them.

use std::io::Write;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    common::{Client, post, post_raw, server_with},
    wire::{self, Good, Process},
};

/// So many events of 10 kB.
fn events(count: usize) -> Vec<Value> {
    let text = "x".repeat(10_000);
    vec![json!({ "type": "note.x", "data": { "text": text } }); count]
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_wait_for_space_and_small_ones_and_streams_do_not() {
    let server = server_with(|c| c.server.max_body_bytes_in_flight = 256 * 1_024).await;
    let address = server.address();
    let good = Good::beside(address).await;
    let large = json!(events(20));
    assert_eq!(post(address, &large).await.0, 202);
    // As much as may be in flight is promised, and never sent.
    let mut hog = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n[";
    hog.write_all(head.as_bytes()).await.unwrap();
    hog.write_all(&[b' '; 20_000]).await.unwrap();
    let told = loop {
        let (status, answer) = post(address, &large).await;
        if status != 202 {
            break (status, answer);
        }
    };
    assert_eq!(
        (told.0, &told.1["error"]["code"]),
        (503, &json!("overloaded"))
    );
    let message = told.1["error"]["message"].as_str().unwrap();
    assert!(message.contains("max_body_bytes_in_flight"), "{message}");
    assert_eq!(wire::refused(address, "http", "overloaded").await, 1);
    // Meanwhile: one event, a stream of lines as long as the large body, and the other door.
    assert_eq!(post(address, &events(1)[0]).await.0, 202);
    let lines: String = events(20).iter().map(|e| format!("{e}\n")).collect();
    let (status, answer) = post_raw(address, "application/x-ndjson", lines).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(20)), "{answer}");
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let answer = producer.call("publish", large.clone()).await;
    assert_eq!(answer["accepted"], 20, "{answer}");
    // Who waits has the place of the one who hangs up.
    let waiting = tokio::spawn(async move { post(address, &large).await });
    drop(hog);
    assert_eq!(waiting.await.unwrap().0, 202);
    good.was_served().await;
    server.shutdown().await;
}

/// Row 30. A GiB of white space, or of lines, is a MiB when it is compressed.
#[tokio::test(flavor = "multi_thread")]
async fn compressed_bombs_are_refused_and_fill_no_memory() {
    let process = Process::start(&[]);
    let address = process.address;
    let good = Good::beside(address).await;
    let bomb = |piece: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..(1 << 30) / piece.len() {
            encoder.write_all(piece).expect("to memory");
        }
        encoder.finish().expect("to memory")
    };
    let blanks = bomb(&[b' '; 1 << 16]);
    let empty_lines = bomb(&[b'\n'; 1 << 16]);
    let long_line = bomb(&[b'x'; 1 << 16]);
    let before = process.memory();
    for (media, bomb, key) in [
        ("application/json", &blanks, "max_http_buffer_size"),
        ("application/x-ndjson", &empty_lines, "max_unpack_ratio"),
        ("application/x-ndjson", &long_line, "max_unpack_ratio"),
    ] {
        let sending = (0..8).map(|_| {
            reqwest::Client::new()
                .post(format!("http://{address}/api/v1/events"))
                .header("content-type", media)
                .header("content-encoding", "gzip")
                .body(bomb.clone())
                .send()
        });
        for answer in futures_util::future::join_all(sending).await {
            let answer = answer.expect("answers");
            assert_eq!(answer.status(), 413, "{media}");
            let told: Value = answer.json().await.expect("JSON");
            let message = told["error"]["message"].as_str().expect("a sentence");
            assert!(message.contains(key), "{message}");
        }
    }
    assert_eq!(wire::refused(address, "http", "too_large").await, 24);
    let grown = process.memory().saturating_sub(before);
    assert!(grown < 32 * 1_024, "{grown} KiB more");
    good.was_served().await;
}
