//! One client sends as fast as it can. It is slowed down; the others are not.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::tempdir;
use tokio::time::timeout;

use kit::{
    Client, counted,
    process::{Process, free_port},
    raw::{End, FINAL, PING, Raw, assert_served, frame, text},
};

async fn start(folder: &Path) -> Process {
    Process::start(&folder.join("stoa.db"), free_port(), &[]).await
}

/// The number of a process's threads.
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
    let mut raw = Raw::join(address).await;
    raw.push(&text("3").repeat(PONGS)).await;
    // The engine's pings and WebSocket's own are as many.
    raw.push(&text("2").repeat(PONGS)).await;
    raw.push(&frame(FINAL | PING, b"x").repeat(PONGS / 10))
        .await;
    raw.send(&text("421[\"ping\"]")).await.unwrap();
    raw.wait_for("431[").await;
    let grown = server.memory("VmHWM").expect("/proc") - memory;
    assert!(grown < 16 * 1_024, "{grown} KiB more at the peak");
    // Threads that write to the disk come and go.
    let now = threads(&server);
    assert!(now < tasks + 10, "{now} threads, {tasks} before");
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
        assert!(begun.elapsed() < kit::PATIENCE, "it may ping for ever");
    }
    let killed = "stoa_connections_killed_total{reason=\"slow_client\"";
    assert_eq!(counted(address, killed).await, 1);
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 32 * 1_024, "{grown} KiB more at the peak");
    assert_served(address).await;
}

/// The events that a good client publishes while others flood.
const EXCHANGES: u64 = 200;

/// A sender whose bytes are not taken for so long has been stopped.
const STANDSTILL: Duration = Duration::from_secs(10);

/// Row 20. Clients that send as many events as the server takes (without rate limits) are slowed down by their own
/// connections; little of what they send is handled before what another one sends, and memory stays within the bound of an
/// inbox.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_slows_down_its_senders_and_nobody_else() {
    /// Packets that are refused and packets that nobody handles, for one event that is published and seen: around 2,000 of
    /// each, and more than 9,000 where a sender keeps a thread to itself. It is no time: a busy machine changes little.
    const BEFORE_ONE: u64 = 5_000;
    let folder = tempdir().unwrap();
    let server = start(folder.path()).await;
    let address = server.address;
    let (mut good, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let before = server.memory("VmHWM").expect("/proc");
    let stop = Arc::new(AtomicBool::new(false));
    let mut attackers = Vec::new();
    // Packets that nobody handles, that are refused with an event of their own, that are answered, that are heartbeats; one
    // sender each, so that there are more of them than threads to serve them.
    for packet in [
        "42[\"x\"]",
        "42[\"publish\",{\"type\":\"a.b\"}]",
        "421[\"get_state\"]",
        "3",
    ] {
        let mut raw = Raw::join(address).await;
        let stop = stop.clone();
        attackers.push(tokio::spawn(async move {
            let burst = text(packet).repeat(2_000);
            // It is slowed down, as far as to a standstill: that is what should become of it.
            while !stop.load(Ordering::Relaxed)
                && timeout(STANDSTILL, raw.push(&burst)).await.is_ok()
            {
                raw.forget();
            }
        }));
    }
    for n in 0..EXCHANGES {
        let event = json!({ "type": "decision.logged", "data": { "what": "x", "n": n } });
        good.emit("publish", event).await;
        good.event_where("decision_event", |u| u["data"]["n"] == n)
            .await;
    }
    for handled in [
        "stoa_requests_refused_total{door=\"socketio\"",
        "stoa_client_events_unknown_total",
    ] {
        let handled = counted(address, handled).await;
        assert!(handled > 10_000, "{handled} handled: that is no flood");
        let each = handled / EXCHANGES;
        assert!(each < BEFORE_ONE, "{each} of theirs for one of another's");
    }
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 64 * 1_024, "{grown} KiB more at the peak");
    stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.await.unwrap();
    }
    assert_served(address).await;
}

/// Row 15 has its tests in `tests/engine` (a client that never reads leaves its rooms) and `tests/slow.rs` (it disturbs
/// nobody); here what those leave open: many at once, and what they cost.
#[tokio::test(flavor = "multi_thread")]
async fn many_that_never_read_cost_no_more_than_their_bound() {
    const READERLESS: u64 = 20;
    let folder = tempdir().unwrap();
    let server = Process::start(
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
    while counted(address, stalled).await < READERLESS {
        assert!(begun.elapsed() < kit::PATIENCE, "they stay");
        let event = json!({ "type": "decision.logged", "data": { "what": filler } });
        kit::post(address, &json!(vec![event; 50])).await;
    }
    kit::raw::until_connections(address, 0).await;
    let grown = server.memory("VmHWM").expect("/proc") - before;
    let bound = READERLESS * 2 * 256 + 32 * 1_024;
    assert!(
        grown < bound,
        "{grown} KiB more at the peak, {bound} allowed"
    );
    for mut raw in readerless {
        assert_eq!(raw.end().await, End::Cut);
    }
    assert_served(address).await;
}
