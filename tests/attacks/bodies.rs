//! Request bodies that fill the server's memory before anybody can keep what is in them.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
};

use futures_util::future::select_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use kit::{Client, post, post_raw, process::Process, server_with, wait_for, wire::Good};

/// So many events of 10 kB.
fn events(count: usize) -> Vec<Value> {
    let text = "x".repeat(10_000);
    vec![json!({ "type": "note.x", "data": { "text": text } }); count]
}

/// A body that is promised and begun, and never ends.
async fn stalled(address: SocketAddr, len: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n["
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[b' '; 20_000]).await.unwrap();
    stream
}

/// So many bodies have waited or were refused, for this reason.
async fn bodies(address: SocketAddr, what: &str, reason: &str) -> u64 {
    let name = format!("stoa_bodies_{what}_total{{reason=\"{reason}\"}}");
    kit::counted(address, &name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_whose_bodies_never_end_holds_up_itself_only() {
    let server = server_with(|c| {
        c.server.max_body_bytes_in_flight.set(1 << 20).unwrap();
        c.server
            .max_body_bytes_per_address
            .set(512 * 1_024)
            .unwrap();
        c.server.body_patience.set(3_600.0).unwrap();
    })
    .await;
    let address = server.address();
    let mut hogs = Vec::new();
    for _ in 0..4 {
        hogs.push(stalled(address, 300_000).await);
    }
    wait_for("all but one to wait for their own address", async || {
        bodies(address, "waited", "address").await >= 3
    })
    .await;
    // Together they could hold more than there is, and less than that is left for others.
    let elsewhere = reqwest::Client::builder()
        .no_proxy()
        .local_address(IpAddr::from([127, 0, 0, 2]))
        .build()
        .unwrap();
    let call = elsewhere.post(format!("http://{address}/api/v1/events"));
    let answer = call.json(&events(20)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 202);
    assert_eq!(bodies(address, "waited", "total").await, 0);
    let answers = hogs.into_iter().map(|mut hog| {
        Box::pin(async move {
            let mut answer = vec![0; 4_096];
            let len = hog.read(&mut answer).await.unwrap_or(0);
            String::from_utf8_lossy(&answer[..len]).into_owned()
        })
    });
    let (told, ..) = select_all(answers).await;
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    assert!(told.contains("max_body_bytes_per_address"), "{told}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_gives_its_place_to_one_that_waits() {
    let server = server_with(|c| {
        c.server.max_body_bytes_in_flight.set(256 * 1_024).unwrap();
        c.server.body_patience.set(0.2).unwrap();
    })
    .await;
    let address = server.address();
    let mut hogs = Vec::new();
    for _ in 0..3 {
        hogs.push(stalled(address, 250_000).await);
    }
    // Each has the place for a moment only, and whoever sends what it promised gets it.
    assert_eq!(post(address, &json!(events(20))).await.0, 202);
    let mut told = String::new();
    hogs.remove(0).read_to_string(&mut told).await.ok();
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(told.contains("body_patience"), "{told}");
    assert!(bodies(address, "refused", "pace").await >= 1);
    assert!(kit::refused(address, "http", "timeout").await >= 1);
    drop(hogs);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_wait_for_space_and_small_ones_and_streams_do_not() {
    let server = server_with(|c| {
        c.server.max_body_bytes_in_flight.set(256 * 1_024).unwrap();
        c.server.body_patience.set(3_600.0).unwrap();
    })
    .await;
    let address = server.address();
    let good = Good::beside(address).await;
    let large = json!(events(20));
    assert_eq!(post(address, &large).await.0, 202);
    // As much as may be in flight is promised, and never sent.
    let hog = stalled(address, 900_000).await;
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
    assert_eq!(kit::refused(address, "http", "overloaded").await, 1);
    // Meanwhile: one event, a stream of lines as long as the large body, and the other door.
    assert_eq!(post(address, &events(1)[0]).await.0, 202);
    let lines: String = events(20).iter().map(|e| format!("{e}\n")).collect();
    let (status, answer) = post_raw(address, "application/x-ndjson", lines).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(20)), "{answer}");
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let answer = producer.call("publish", large.clone()).await;
    assert_eq!(answer["accepted"], 20, "{answer}");
    // A body that waits has the place of one that hangs up.
    let waiting = tokio::spawn(async move { post(address, &large).await });
    drop(hog);
    assert_eq!(waiting.await.unwrap().0, 202);
    good.was_served().await;
    server.shutdown().await;
}

/// Row 30. A GiB of white space, or of lines, is a MiB when it is compressed.
#[tokio::test(flavor = "multi_thread")]
async fn compressed_bombs_are_refused_and_fill_no_memory() {
    let process = Process::with_keys(&[]);
    let address = process.address;
    let good = Good::beside(address).await;
    let bomb = |piece: &[u8]| {
        // Short enough to be sent before it is refused: a client that is cut off while it sends may miss the answer.
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..(64 << 20) / piece.len() {
            encoder.write_all(piece).expect("to memory");
        }
        encoder.finish().expect("to memory")
    };
    let blanks = bomb(&[b' '; 1 << 16]);
    let empty_lines = bomb(&[b'\n'; 1 << 16]);
    let long_line = bomb(&[b'x'; 1 << 16]);
    let before = process.memory("VmRSS").expect("/proc");
    for (media, bomb, key) in [
        ("application/json", &blanks, "max_http_buffer_size"),
        ("application/x-ndjson", &empty_lines, "max_unpack_ratio"),
        ("application/x-ndjson", &long_line, "max_unpack_ratio"),
    ] {
        let sending = (0..8).map(|_| {
            kit::http_client()
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
    assert_eq!(kit::refused(address, "http", "too_large").await, 24);
    let grown = process
        .memory("VmRSS")
        .expect("/proc")
        .saturating_sub(before);
    assert!(grown < 32 * 1_024, "{grown} KiB more");
    good.was_served().await;
}
