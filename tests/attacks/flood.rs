//! One client sends as fast as it can. It is slowed down; the others are not.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::tempdir;

use crate::{
    common::Client,
    process::{Process, free_port},
    wire::{End, FINAL, PING, Raw, assert_served, counter, frame, text},
};

async fn start(folder: &Path) -> Process {
    Process::start(env!("CARGO_BIN_EXE_stoa"), &folder.join("stoa.db"), free_port(), &[]).await
}

/// How many threads a process has.
fn threads(server: &Process) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id()));
    tasks.expect("/proc").count()
}

/// Row 7. A hundred thousand answers to pings that nobody sent cost nothing that stays, and no task or thread each.
#[tokio::test(flavor = "multi_thread")]
async fn pongs_that_nobody_asked_for_add_up_to_nothing() {
    const PONGS: usize = 100_000;
    let folder = tempdir().unwrap();
    let server = start(folder.path()).await;
    let address = server.address;
    assert_served(address).await;
    let (memory, tasks) = (server.memory("VmHWM").expect("/proc"), threads(&server));
    let begun = Instant::now();
    let mut raw = Raw::join(address).await;
    raw.push(&text("3").repeat(PONGS)).await;
    // The engine's pings and WebSocket's own are as many.
    raw.push(&text("2").repeat(PONGS)).await;
    raw.push(&frame(FINAL | PING, b"x").repeat(PONGS / 10)).await;
    raw.send(&text("421[\"ping\"]")).await.unwrap();
    raw.wait_for("431[").await;
    let rate = (2 * PONGS) as f64 / begun.elapsed().as_secs_f64();
    assert!(rate > 10_000.0, "only {rate} a second: that is no flood");
    let grown = server.memory("VmHWM").expect("/proc") - memory;
    assert!(grown < 16 * 1_024, "{grown} KiB more at the peak");
    assert_eq!(threads(&server), tasks);
    assert_served(address).await;
}

/// Row 7. WebSocket's own pings are answered, but not for whoever never reads the answers.
#[tokio::test(flavor = "multi_thread")]
async fn pings_whose_answers_nobody_reads_are_ended() {
    let folder = tempdir().unwrap();
    let server = start(folder.path()).await;
    let address = server.address;
    assert_served(address).await;
    let before = server.memory("VmHWM").expect("/proc");
    let mut raw = Raw::join(address).await;
    let pings = frame(FINAL | PING, &[b'x'; 125]).repeat(1_000);
    let begun = Instant::now();
    while raw.send(&pings).await.is_ok() {
        assert!(begun.elapsed() < crate::common::PATIENCE, "it may ping for ever");
    }
    let killed = "stoa_connections_killed_total{reason=\"slow_client\"";
    assert_eq!(counter(address, killed).await, 1);
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 32 * 1_024, "{grown} KiB more at the peak");
    assert_served(address).await;
}

/// What one exchange of a good client took: publish, and the update is there.
async fn exchanges(address: SocketAddr, count: usize) -> Vec<Duration> {
    let (mut good, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let mut took = Vec::with_capacity(count);
    for n in 0..count {
        let begun = Instant::now();
        let event = json!({ "type": "decision.logged", "data": { "what": "x", "n": n } });
        good.emit("publish", event).await;
        good.event_where("decision_event", |u| u["data"]["n"] == n).await;
        took.push(begun.elapsed());
    }
    took.sort();
    took
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

/// Row 20. An observer that sends as many events as the server takes (without rate limits) is slowed down by its own
/// connection; what others wait for stays within a generous multiple, and memory within the bound of an inbox.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_slows_down_its_sender_and_nobody_else() {
    const EXCHANGES: usize = 200;
    let folder = tempdir().unwrap();
    let server = start(folder.path()).await;
    let address = server.address;
    exchanges(address, 20).await;
    let alone = exchanges(address, EXCHANGES).await;
    let before = server.memory("VmHWM").expect("/proc");

    let stop = Arc::new(AtomicBool::new(false));
    let mut attackers = Vec::new();
    // What nobody handles, what is refused with an event of its own, and what is answered; one sender each.
    for event in ["42[\"x\"]", "42[\"publish\",{\"type\":\"a.b\"}]", "421[\"get_state\"]"] {
        let mut raw = Raw::join(address).await;
        let stop = stop.clone();
        attackers.push(tokio::spawn(async move {
            let burst = text(event).repeat(2_000);
            let mut bursts = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                raw.push(&burst).await;
                raw.forget();
                bursts += 1;
            }
            bursts
        }));
    }
    let flooded = exchanges(address, EXCHANGES).await;
    stop.store(true, Ordering::Relaxed);
    let mut bursts = 0;
    for attacker in attackers {
        bursts += attacker.await.unwrap();
    }
    let unknown = counter(address, "stoa_client_events_unknown_total").await;
    let refused = counter(address, "stoa_requests_refused_total{door=\"socketio\"").await;
    println!(
        "p99 alone {:?}, flooded {:?}; {bursts} bursts, {unknown} unknown, {refused} refused",
        p99(&alone),
        p99(&flooded)
    );
    assert!(refused > 2_000, "{refused} handled: that is no flood");
    assert!(
        p99(&flooded) < p99(&alone).max(Duration::from_millis(5)) * 40,
        "p99 {:?} alone, {:?} in the flood",
        p99(&alone),
        p99(&flooded)
    );
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 64 * 1_024, "{grown} KiB more at the peak");
    assert_served(address).await;
}

/// Row 15 has its tests in `tests/engine.rs` (a client that never reads leaves its rooms) and `tests/slow.rs` (it disturbs
/// nobody); here what those leave open: many at once, and what they cost.
#[tokio::test(flavor = "multi_thread")]
async fn many_that_never_read_cost_no_more_than_their_bound() {
    const READERLESS: u64 = 20;
    let folder = tempdir().unwrap();
    let server = Process::start(
        env!("CARGO_BIN_EXE_stoa"),
        &folder.path().join("stoa.db"),
        free_port(),
        &[
            ("STOA_SERVER__MAX_CLIENT_BUFFER", (256 * 1_024).to_string()),
            ("STOA_SERVER__STALL_TIMEOUT", "1.0".into()),
        ],
    )
    .await;
    let address = server.address;
    assert_served(address).await;
    let before = server.memory("VmHWM").expect("/proc");
    let mut readerless = Vec::new();
    for _ in 0..READERLESS {
        readerless.push(Raw::join(address).await);
    }
    let filler = "x".repeat(10_000);
    let stalled = "stoa_connections_killed_total{reason=\"stalled\"";
    let begun = Instant::now();
    while counter(address, stalled).await < READERLESS {
        assert!(begun.elapsed() < crate::common::PATIENCE, "they stay");
        let event = json!({ "type": "decision.logged", "data": { "what": filler } });
        crate::common::post(address, &json!(vec![event; 50])).await;
    }
    crate::wire::until_connections(address, 0).await;
    let grown = server.memory("VmHWM").expect("/proc") - before;
    let bound = READERLESS * 2 * 256 + 32 * 1_024;
    assert!(grown < bound, "{grown} KiB more at the peak, {bound} allowed");
    for mut raw in readerless {
        assert_eq!(raw.end().await, End::Cut);
    }
    assert_served(address).await;
}
