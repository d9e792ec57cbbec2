//! Some clients read slowly and some not at all: the others get every event once and in order, those that read end with
//! the right state, those that don't are sent away. `cargo bench --bench slow` does the same with more of them, and looks at
//! the clock.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;
#[path = "load/crowd.rs"]
mod crowd;
#[path = "load/socket.rs"]
mod socket;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use common::{PATIENCE, get, post};
use crowd::{Packet, Progress};
use serde_json::{Value, json};
use socket::Socket;

const GOOD: usize = 10;
const BAD: usize = 2;
/// Events of one publishing call.
const BATCH: u64 = 100;
const STALL: Duration = Duration::from_secs(2);
/// What a slow one takes at a time, and how often: less than comes, and enough to be seen to read.
const SLOW_BYTES: usize = 6 * 1_024;
const SLOW_EVERY: Duration = Duration::from_millis(25);
/// The slow ones want this and nothing else.
const FILTER: &str = r#"{"filters":{"types":["progress_update"]}}"#;

/// Reads until it has the whole stream, `events` once that is known to be so many.
async fn read_all(mut socket: Socket, events: Arc<AtomicU64>) -> Progress {
    let mut progress = Progress::default();
    loop {
        let read = socket.read(|packet| {
            if let Packet::Update(update) = crowd::read(packet) {
                progress.take(update);
            }
        });
        if let Ok(read) = tokio::time::timeout(Duration::from_millis(100), read).await {
            read.expect("a good one stays connected");
        }
        let events = events.load(Ordering::Relaxed);
        if events > 0 && progress.is_complete(events) {
            return progress;
        }
    }
}

/// Reads slowly until it has the last value of every task.
async fn read_slowly(mut socket: Socket, events: Arc<AtomicU64>) -> Progress {
    let mut progress = Progress::default();
    loop {
        tokio::time::sleep(SLOW_EVERY).await;
        let mut left = SLOW_BYTES;
        while left > 0 {
            let read = socket.read_some(left, |packet| {
                if let Packet::Update(update) = crowd::read(packet) {
                    progress.take(update);
                }
            });
            match tokio::time::timeout(Duration::from_millis(100), read).await {
                Ok(took) => left -= took.expect("a slow one stays connected"),
                Err(_) => break,
            }
        }
        let events = events.load(Ordering::Relaxed);
        if events > 0 && progress.has_last_steps(events) {
            return progress;
        }
    }
}

async fn connections(address: SocketAddr) -> Value {
    get(address, "/api/v1/ws/stats").await.1["total_connections"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_or_not_at_all_disturbs_nobody() {
    let server = common::server_with(|c| {
        c.server.max_client_buffer = 128 * 1_024;
        c.server.stall_timeout = STALL.as_secs_f64();
    })
    .await;
    let address = server.address();
    let events = Arc::new(AtomicU64::new(0));
    let (mut good, mut slow, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..GOOD {
        let socket = Socket::connect(address, "{}", None).await.unwrap();
        good.push(tokio::spawn(read_all(socket, events.clone())));
    }
    for _ in 0..BAD {
        let socket = Socket::connect_small(address, FILTER, 4_096).await.unwrap();
        slow.push(tokio::spawn(read_slowly(socket, events.clone())));
        stopped.push(Socket::connect_small(address, "{}", 4_096).await.unwrap());
    }

    // Until everybody who can't keep up has been parked: how much that takes is the kernel's affair.
    let filler = "x".repeat(300);
    let begun = Instant::now();
    let mut published = 0;
    let parked = |text: &str| {
        let line = text
            .lines()
            .find(|l| l.starts_with("stoa_observers_parked_total"));
        line.and_then(|l| l.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0)
    };
    while parked(&server.metrics().text()) < 2 * BAD as u64 || begun.elapsed() < STALL / 2 {
        assert!(begun.elapsed() < PATIENCE, "nobody was parked");
        let batch: Vec<Value> = (published..published + BATCH)
            .map(|n| crowd::event(n, &filler))
            .collect();
        let (status, answer) = post(address, &Value::Array(batch)).await;
        assert_eq!(
            (status, &answer["accepted"]),
            (202, &json!(BATCH)),
            "{answer}"
        );
        published += BATCH;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    events.store(published, Ordering::Relaxed);

    for task in good {
        let progress = tokio::time::timeout(PATIENCE, task).await;
        let progress = progress.expect("a good one gets everything").unwrap();
        assert!(progress.faults.is_empty(), "{:?}", progress.faults);
    }
    for task in slow {
        let progress = tokio::time::timeout(PATIENCE, task).await;
        let progress = progress
            .expect("a slow one gets the last of everything")
            .unwrap();
        assert!(progress.faults.is_empty(), "{:?}", progress.faults);
    }
    // The good and the slow ones went with their tasks.
    let gone = Instant::now();
    while connections(address).await != 0 {
        assert!(gone.elapsed() < STALL + PATIENCE, "who reads nothing stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for socket in stopped {
        assert!(
            socket.is_cut(),
            "the server cut the connection, nobody else did"
        );
    }
    let text = server.metrics().text();
    let stalled = text
        .lines()
        .find(|l| l.starts_with("stoa_connections_killed_total{reason=\"stalled\""));
    assert!(stalled.is_some_and(|l| l.ends_with(" 2")), "{stalled:?}");
    server.shutdown().await;
}
