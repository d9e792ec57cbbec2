//! Some clients read slowly and some not at all: the others get every event once and in order, those that read end with
//! the right state, those that don't are sent away. `cargo bench --bench slow` does the same with more of them, and looks at
//! the clock.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kit::crowd::{self, Packet, Progress};
use kit::socket::Socket;
use kit::{PATIENCE, counted_in, get, post};
use serde_json::{Value, json};
use stoa::config::Config;

const GOOD: usize = 10;
const BAD: usize = 2;
/// Events of one publishing call.
const BATCH: u64 = 100;
/// Longer than a busy machine leaves one waiting who does read.
const STALL: Duration = Duration::from_secs(6);
/// The bytes that a slow one takes at a time, and the pause after them: less than comes, and enough to be seen to read.
const SLOW_BYTES: usize = 6 * 1_024;
const SLOW_EVERY: Duration = Duration::from_millis(25);

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

/// Reads slowly until it has the last value of every task, and all that is never coalesced.
async fn read_slowly(mut socket: Socket, events: Arc<AtomicU64>) -> Progress {
    let mut progress = Progress::of_slow();
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

/// Publishes these events in one call.
async fn publish(address: SocketAddr, numbers: std::ops::Range<u64>, filler: &str) {
    let count = numbers.end - numbers.start;
    let batch: Vec<Value> = numbers.map(|n| crowd::event(n, filler)).collect();
    let (status, answer) = post(address, &Value::Array(batch)).await;
    assert_eq!(
        (status, &answer["accepted"]),
        (202, &json!(count)),
        "{answer}"
    );
}

async fn connections(address: SocketAddr) -> Value {
    get(address, "/api/v1/ws/stats").await.1["total_connections"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_or_not_at_all_disturbs_nobody() {
    let server = kit::server_with(|c| {
        c.server.max_client_buffer.set(128 * 1_024).unwrap();
        c.server.stall_timeout.set(STALL.as_secs_f64()).unwrap();
    })
    .await;
    let address = server.address();
    let events = Arc::new(AtomicU64::new(0));
    let (mut good, mut slow, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..GOOD {
        let socket = Socket::connect(address, "{}", None).await.unwrap();
        good.push(tokio::spawn(read_all(socket, events.clone())));
    }
    let filter = json!({ "filters": { "types": crowd::SLOW_FILTER } }).to_string();
    for _ in 0..BAD {
        let socket = Socket::connect_small(address, &filter, 4_096)
            .await
            .unwrap();
        slow.push(tokio::spawn(read_slowly(socket, events.clone())));
        stopped.push(Socket::connect_small(address, "{}", 4_096).await.unwrap());
    }

    // Until everybody who can't keep up has been parked: how much that takes is the kernel's affair.
    let filler = "x".repeat(300);
    let begun = Instant::now();
    let mut published = 0;
    while counted_in(&server, "stoa_observers_parked_total") < 2 * BAD as u64
        || begun.elapsed() < Duration::from_secs(1)
    {
        assert!(begun.elapsed() < PATIENCE, "nobody was parked");
        publish(address, published..published + BATCH, &filler).await;
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
        // If those who were parked were others, and the kernel has still taken all of it.
        publish(address, published..published + BATCH, &filler).await;
        published += BATCH;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for socket in stopped {
        assert!(
            socket.is_cut(),
            "the server cut the connection, nobody else did"
        );
    }
    let stalled = "stoa_connections_killed_total{reason=\"stalled\"";
    assert_eq!(counted_in(&server, stalled), BAD as u64);
    server.shutdown().await;
}

/// Publishes progress until a client that doesn't read is parked, and then as much again; how many events that were.
async fn leave_behind(server: &stoa::server::Running) -> u64 {
    let filler = "x".repeat(300);
    let begun = Instant::now();
    let mut published = 0;
    while counted_in(server, "stoa_observers_parked_total") == 0 {
        assert!(begun.elapsed() < PATIENCE, "nobody was parked");
        publish(server.address(), published..published + BATCH, &filler).await;
        published += BATCH;
    }
    let end = 2 * published + 4_000;
    while published < end {
        publish(server.address(), published..published + BATCH, &filler).await;
        published += BATCH;
    }
    published
}

/// A client that reads nothing while all is published is not given up: a busy machine takes longer for that than the
/// default.
fn patient(config: &mut Config) {
    config.server.stall_timeout.set(600.0).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_far_behind_reads_less_than_what_waited_for_it() {
    const BUFFER: usize = 512 * 1_024;
    let server = kit::server_with(|c| {
        c.server.max_client_buffer.set(BUFFER as u64).unwrap();
        patient(c);
    })
    .await;
    let auth = json!({ "filters": { "types": crowd::SLOW_FILTER } }).to_string();
    let mut slow = Socket::connect_small(server.address(), &auth, 4_096)
        .await
        .unwrap();
    let published = leave_behind(&server).await;
    let (mut progress, mut bytes) = (Progress::of_slow(), 0);
    let reading = async {
        while !progress.has_last_steps(published) {
            let read = slow.read_some(16 * 1_024, |packet| {
                if let Packet::Update(update) = crowd::read(packet) {
                    progress.take(update);
                }
            });
            bytes += read.await.expect("it stays connected");
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("it ends with the last values");
    assert!(progress.faults.is_empty(), "{:?}", progress.faults);
    assert!(bytes < BUFFER / 2, "{bytes} of {published} events");
    let taken_back = counted_in(&server, "stoa_deliveries_taken_back_total");
    assert!(taken_back > 300, "only {taken_back} were taken back");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_found_though_little_waits_and_nothing_more_comes() {
    let server = kit::server_with(|c| c.server.max_client_delay.set(0.5).unwrap()).await;
    let address = server.address();
    let mut slow = Socket::connect_small(address, "{}", 4_096).await.unwrap();
    // Less than its bound, and then silence.
    publish(address, 0..400, &"x".repeat(600)).await;
    let begun = Instant::now();
    while counted_in(&server, "stoa_observers_parked_total") == 0 {
        assert!(begun.elapsed() < PATIENCE, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut progress = Progress::default();
    let reading = async {
        while !progress.is_complete(400) {
            let read = slow.read_some(16 * 1_024, |packet| {
                if let Packet::Update(update) = crowd::read(packet) {
                    progress.take(update);
                }
            });
            read.await.expect("it stays connected");
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("it gets everything");
    assert!(progress.faults.is_empty(), "{:?}", progress.faults);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_far_behind_may_leave_anywhere_and_go_on_there() {
    let server = kit::server_with(|c| {
        c.server.max_client_buffer.set(128 * 1_024).unwrap();
        patient(c);
    })
    .await;
    let address = server.address();
    let auth = |cursor: Option<&str>| {
        json!({ "cursor": cursor, "filters": { "types": crowd::SLOW_FILTER } }).to_string()
    };
    let mut slow = Socket::connect_small(address, &auth(None), 4_096)
        .await
        .unwrap();
    let published = leave_behind(&server).await;
    let (mut progress, mut cursor, mut visits) = (Progress::of_slow(), None, 1);
    let reading = async {
        loop {
            // Different much each time, so that it leaves at all kinds of places.
            let much = 1_500 + visits * 7_919 % 9_000;
            let mut took = 0;
            while took < much && !progress.has_last_steps(published) {
                let read = slow.read_some(much - took, |packet| {
                    let (_, body): (String, Value) = serde_json::from_slice(packet).unwrap();
                    if let Packet::Update(update) = crowd::read(packet) {
                        progress.take(update);
                        cursor = body["cursor"].as_str().map(str::to_owned);
                        assert!(cursor.as_ref().is_some_and(|c| c.len() < 400), "{body}");
                    }
                });
                took += read.await.expect("it stays connected");
            }
            if progress.has_last_steps(published) {
                return;
            }
            visits += 1;
            slow = Socket::connect_small(address, &auth(cursor.as_deref()), 4_096)
                .await
                .unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("it ends with the last values");
    assert!(progress.faults.is_empty(), "{:?}", progress.faults);
    assert!(visits > 5, "{visits}");
    server.shutdown().await;
}
