//! Presence of a client: pings, and the bytes that a client takes.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;

use kit::{
    post,
    raw::{End, Raw, text},
    server_with,
};

/// A client on a slow link takes all that it can, and the ping behind it comes when it comes.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_what_is_sent_is_not_dead() {
    let server = server_with(|config| {
        config.server.ping_interval.set(0.3).unwrap();
        config.server.ping_timeout.set(1.0).unwrap();
        config.server.max_client_buffer.set(1 << 30).unwrap();
        config.server.max_client_delay.set(3_600.0).unwrap();
    })
    .await;
    let address = server.address();
    let mut slow = Raw::join(address).await;
    socket2::SockRef::from(&slow.stream)
        .set_recv_buffer_size(8 * 1024)
        .expect("a small window");
    let filler = "x".repeat(50_000);
    for n in 0..20 {
        let event = json!({ "type": "decision.logged", "data": { "what": filler, "n": n } });
        assert_eq!(post(address, &event).await.0, 202);
    }
    // Many times the ping's time out, and no pong: it is slow to read, which is the case.
    let mut read = 0;
    let mut buffer = vec![0; 10_000];
    while read < 400_000 {
        let n = slow
            .stream
            .read(&mut buffer)
            .await
            .expect("it is not ended");
        assert!(n > 0, "it was taken for dead after {read} bytes");
        read += n;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let text = server.metrics().text();
    assert!(!text.contains("reason=\"ping_timeout\""), "{text}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_all_and_answers_no_ping_is_ended() {
    let server = server_with(|config| {
        config.server.ping_interval.set(0.3).unwrap();
        config.server.ping_timeout.set(1.0).unwrap();
    })
    .await;
    let address = server.address();
    let mut silent = Raw::join(address).await;
    let mut alive = Raw::join(address).await;
    assert_eq!(silent.end().await, End::Cut);
    // Any text is an answer.
    alive.send(&text("421[\"ping\"]")).await.ok();
    let killed = "stoa_connections_killed_total{reason=\"ping_timeout\"}";
    let metrics = server.metrics().text();
    assert!(metrics.contains(killed), "{metrics}");
    server.shutdown().await;
}
