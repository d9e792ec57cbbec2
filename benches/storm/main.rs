//! Five thousand clients lose their server in the middle of a stream (kill -9) and come back all at once, each with its
//! last cursor: how long until all are back and caught up, what it costs the server, and whether each got exactly what it
//! missed.
//!
//! `cargo bench --bench storm -- --clients 5000`; also `--rate` (events/s while all watch). `STOA_BIN` names another server than
//! the one built here. Each client needs one descriptor on each side: `ulimit -n` must be above the number of clients.
//! Ends with code 1 on a fault.
//!
//! With `--distinct` each comes back to a place of its own (see `distinct`).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod distinct;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::crowd::{self, Packet, Progress};
use kit::socket::Socket;
use kit::{
    bench::argument,
    process::{Process, free_port},
};
use serde_json::Value;
use tokio::sync::watch;

/// Clients that connect at the same time the first time; the second time all do.
const CONNECTING: usize = 100;
/// Descriptors that a process needs for other things.
const SPARE: usize = 200;
/// The time for which the stream is watched before the crash.
const WATCHED: u64 = 4;
/// Published in one call right before the crash: some have got it by then and some have not.
const BURST: u64 = 200;
/// Published while they come back.
const AFTER: u64 = 100;
/// All are back by then, or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// The state that all clients share.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    began: Instant,
    /// The number of events in the end; 0 while it isn't known.
    events: AtomicU64,
    /// Clients that have noticed the crash.
    lost: AtomicUsize,
    /// Clients that have everything.
    complete: AtomicUsize,
    over: AtomicBool,
}

/// The records of one client.
#[derive(Debug, Default)]
struct Client {
    progress: Progress,
    cursor: String,
    updates: usize,
    /// The number of replayed events, as the server counts them.
    replayed: u64,
    /// Times it tried to connect again in vain.
    refused: usize,
    connected_at: Duration,
    resumed_at: Option<Duration>,
    complete_at: Option<Duration>,
    others: BTreeMap<String, usize>,
    faults: Vec<String>,
}

fn main() -> ExitCode {
    let asked = argument("--clients", 5_000);
    let rate = argument("--rate", 10) as u64;
    let may = descriptors();
    let clients = asked.min(may.saturating_sub(SPARE));
    if clients < asked {
        println!(
            "Only {may} descriptors are allowed here (ulimit -n): {clients} clients instead of {asked}."
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let journal = folder.path().join("stoa.db");
    let faults = if std::env::args().any(|argument| argument == "--distinct") {
        runtime.block_on(distinct::run(&journal, clients))
    } else {
        runtime.block_on(run(&journal, clients, rate))
    };
    // The connections need no farewell.
    runtime.shutdown_background();
    kit::bench::verdict(&faults, "Every client got every event once and in order.")
}

/// The number of descriptors that this process, and so the server that it starts, may have.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok())
        .unwrap_or(usize::MAX)
}

async fn run(journal: &std::path::Path, clients: usize, rate: u64) -> Vec<String> {
    let port = free_port();
    let server = Process::start(journal, port, &[]).await;
    let shared = Arc::new(Shared {
        address: server.address,
        began: Instant::now(),
        events: AtomicU64::new(0),
        lost: AtomicUsize::new(0),
        complete: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    });
    let (again, back) = watch::channel(false);
    let mut tasks = Vec::new();
    for first in (0..clients).step_by(CONNECTING) {
        let connecting: Vec<_> = (first..clients.min(first + CONNECTING))
            .map(|_| tokio::spawn(Socket::connect(shared.address, "{}", None)))
            .collect();
        for connecting in connecting {
            let socket = connecting.await.expect("no panic").expect("it connects");
            tasks.push(tokio::spawn(client(socket, shared.clone(), back.clone())));
        }
    }
    let connected = shared.began.elapsed();
    let before = server.memory("VmRSS").unwrap_or(0);
    let mut faults = Vec::new();
    let mut n = 0;
    let start = Instant::now();
    for _ in 0..WATCHED * rate {
        let due = start + Duration::from_secs_f64(n as f64 / rate as f64);
        tokio::time::sleep_until(due.into()).await;
        publish(shared.address, n, n + 1, &mut faults).await;
        n += 1;
    }
    publish(shared.address, n, n + BURST, &mut faults).await;
    n += BURST;
    server.kill();
    let killed = Instant::now();
    let server = Process::start(journal, port, &[]).await;
    let ready = killed.elapsed();
    while shared.lost.load(Ordering::Relaxed) < clients && killed.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Events after the crash are published while the clients come back.
    shared.events.store(n + AFTER, Ordering::Relaxed);
    let released = shared.began.elapsed();
    again.send_replace(true);
    for _ in 0..AFTER / 10 {
        publish(shared.address, n, n + 10, &mut faults).await;
        n += 10;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let waiting = Instant::now();
    while shared.complete.load(Ordering::Relaxed) < clients && waiting.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A little longer: nothing may come twice either.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stats = kit::process::json(shared.address, "/api/v1/ws/stats")
        .await
        .unwrap_or_default();
    let (peak, after) = (
        server.memory("VmHWM").unwrap_or(0),
        server.memory("VmRSS").unwrap_or(0),
    );
    shared.over.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.expect("no panic"));
    }
    println!("\n## {clients} clients come back at once\n");
    println!(
        "Connected the first time in {:.1} s; {before} KiB of memory then. {n} events, the last {BURST} before the kill and {AFTER} after it included.",
        connected.as_secs_f64()
    );
    println!(
        "Ready again {:.2} s after the kill. Connections at the end: {}.\n",
        ready.as_secs_f64(),
        stats["total_connections"]
    );
    println!(
        "| seconds from the moment they all try | p50 | p99 | last | clients |\n|---|--:|--:|--:|--:|"
    );
    row(
        "connected",
        all.iter().map(|client| client.connected_at).collect(),
        released,
    );
    row(
        "told that they have what they missed",
        all.iter().filter_map(|client| client.resumed_at).collect(),
        released,
    );
    row(
        "have everything, also what came meanwhile",
        all.iter().filter_map(|client| client.complete_at).collect(),
        released,
    );
    let replayed: u64 = all.iter().map(|client| client.replayed).sum();
    let refused: usize = all.iter().map(|client| client.refused).sum();
    let updates: usize = all.iter().map(|client| client.updates).sum();
    let fewest = all.iter().map(|client| client.replayed).min().unwrap_or(0);
    let most = all.iter().map(|client| client.replayed).max().unwrap_or(0);
    println!(
        "\n{updates} updates in all, {replayed} of them replayed (from {fewest} to {most} for one client); {refused} attempts to connect failed and were repeated."
    );
    println!(
        "Memory of the new server: {:.1} MiB at most, {:.1} MiB at the end.",
        peak as f64 / 1_024.0,
        after as f64 / 1_024.0
    );
    let mut others = BTreeMap::<&str, usize>::new();
    for (number, client) in all.iter().enumerate() {
        let complete = client.progress.is_complete(n);
        faults.extend(
            client
                .faults
                .iter()
                .chain(&client.progress.faults)
                .map(|fault| format!("client {number}: {fault}")),
        );
        if !complete {
            faults.push(format!("client {number} didn't get everything"));
        }
        for (name, count) in &client.others {
            *others.entry(name).or_default() += count;
        }
    }
    println!("Beside updates: {others:?}");
    faults
}

pub(crate) fn row(what: &str, mut times: Vec<Duration>, from: Duration) {
    times.sort_unstable();
    let at = |share: usize| {
        let time = times.get((times.len().max(1) - 1) * share / 100);
        time.map_or(0.0, |time| time.saturating_sub(from).as_secs_f64())
    };
    println!(
        "| {what} | {:.2} | {:.2} | {:.2} | {} |",
        at(50),
        at(99),
        at(100),
        times.len()
    );
}

pub(crate) async fn publish(address: SocketAddr, from: u64, to: u64, faults: &mut Vec<String>) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let body: Vec<Value> = (from..to)
        .map(|n| crowd::event(n, "a step of the work"))
        .collect();
    let sent = client
        .post(format!("http://{address}/api/v1/events"))
        .json(&body)
        .send()
        .await;
    let answer = match sent {
        Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
        Err(error) => Value::String(error.to_string()),
    };
    if answer["accepted"] != to - from {
        faults.push(format!("publishing {from} to {to}: {answer}"));
    }
}

async fn client(
    mut socket: Socket,
    shared: Arc<Shared>,
    mut back: watch::Receiver<bool>,
) -> Client {
    let mut client = Client::default();
    while watch_once(&mut socket, &mut client, &shared).await {}
    drop(socket);
    shared.lost.fetch_add(1, Ordering::Relaxed);
    back.wait_for(|back| *back).await.expect("it comes back");
    let auth = serde_json::json!({ "cursor": client.cursor }).to_string();
    let mut socket = loop {
        match Socket::connect(shared.address, &auth, None).await {
            Ok(socket) => break socket,
            Err(_) if shared.over.load(Ordering::Relaxed) => return client,
            Err(_) => client.refused += 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    client.connected_at = shared.began.elapsed();
    while !shared.over.load(Ordering::Relaxed) {
        if !watch_once(&mut socket, &mut client, &shared).await {
            client.faults.push("lost its second connection".into());
            break;
        }
    }
    client
}

/// Reads once; false when the connection is over.
async fn watch_once(socket: &mut Socket, client: &mut Client, shared: &Shared) -> bool {
    let read = socket.read(|packet| see(packet, client, shared.began));
    let read = tokio::time::timeout(Duration::from_millis(500), read).await;
    let events = shared.events.load(Ordering::Relaxed);
    if events > 0 && client.complete_at.is_none() && client.progress.is_complete(events) {
        client.complete_at = Some(shared.began.elapsed());
        shared.complete.fetch_add(1, Ordering::Relaxed);
    }
    !matches!(read, Ok(Err(_)))
}

fn see(packet: &[u8], client: &mut Client, began: Instant) {
    if let Some(cursor) = crowd::between(packet, b"\"cursor\":\"") {
        client.cursor.clear();
        client.cursor.push_str(cursor);
    }
    match crowd::read(packet) {
        Packet::Update(update) => {
            client.updates += 1;
            client.progress.take(update);
        }
        Packet::Other(name) => {
            if name == "resumed" {
                let (_, body): (String, Value) = serde_json::from_slice(packet).expect("JSON");
                client.resumed_at = Some(began.elapsed());
                client.replayed = body["replayed"].as_u64().unwrap_or(0);
                if body["complete"] != true {
                    client.faults.push(format!("not complete: {body}"));
                }
            }
            *client.others.entry(name).or_default() += 1;
        }
    }
}
