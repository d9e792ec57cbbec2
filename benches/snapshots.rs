//! A thousand clients ask for a large state at once while events flow, and half of them do not read: what it costs the
//! server in memory, what it does to those who only watch, and whether everyone gets the whole state and exactly what came
//! after it.
//!
//! `cargo bench --bench snapshots -- --clients 1000`; also `--entities` (10,000 tasks of 1 KB) and `--rate` (events/s).
//! `STOA_BIN` names another server than the one built here. Those who ask want decisions only; twenty others want everything
//! and say how late it comes. Ends with code 1 on a fault or when a bound is broken.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

use std::{
    collections::HashSet,
    io::ErrorKind,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::crowd::{self, DECISION, Place};
use kit::socket::Socket;
use kit::watched::{WATCHERS, Watched};
use kit::{
    bench::argument,
    process::{Process, free_port},
};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Memory above idle that all of it may cost.
const MEMORY_KIB: u64 = 64 * 1_024;
/// A watcher's p99 may become so many times what it was without.
const TIMES: u32 = 3;
/// A p99 below this says nothing about the server: threads of other programs take as long.
const ALWAYS: Duration = Duration::from_millis(10);
/// The time in which the watchers are alone.
const ALONE: Duration = Duration::from_secs(5);
/// Bytes of facts of a task.
const FACTS: usize = 1_000;
const BATCH: usize = 250;
/// Clients that don't read have receive buffers this small.
const RECEIVE: u32 = 4_096;
/// All have the state by then, or never.
const PATIENCE: Duration = Duration::from_secs(120);
/// A filter that lets decisions pass and nothing else.
const DECISIONS: &str = r#"{"filters":{"types":["decision_event"]}}"#;

/// Shared by all clients.
#[derive(Debug)]
struct Shared {
    /// Events before the first of the stream.
    before: u64,
    entities: usize,
    began: Instant,
    /// Clients that have the whole state.
    whole: AtomicUsize,
    over: AtomicBool,
}

/// A client that asks, and all that it saw.
#[derive(Debug, Default)]
struct Asker {
    /// The parts that came of this snapshot, and how many there are.
    part: u64,
    parts: u64,
    tasks: HashSet<String>,
    /// The number of the first event after it; none until it is whole.
    after: Option<u64>,
    /// The last decision of each priority since.
    decisions: [Option<u64>; crowd::PRIORITIES.len()],
    bytes: u64,
    whole_at: Option<Duration>,
    cut: bool,
    faults: Vec<String>,
}

fn main() -> ExitCode {
    let clients = argument("--clients", 1_000);
    let entities = argument("--entities", 10_000);
    let rate = argument("--rate", 200) as f64;
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let journal = folder.path().join("stoa.db");
    let faults = runtime.block_on(run(&journal, clients, entities, rate));
    runtime.shutdown_background();
    let all = "Everybody got the whole state, and exactly what came after it.";
    kit::bench::verdict(&faults, all)
}

async fn run(journal: &std::path::Path, clients: usize, entities: usize, rate: f64) -> Vec<String> {
    // The stream's own fifty tasks and the decisions have room beside them.
    let room = (
        "STOA_PERFORMANCE__MAX_ENTITIES",
        (entities + 1_000).to_string(),
    );
    let server = Process::start(journal, free_port(), &[room]).await;
    let empty = server.memory("VmRSS").unwrap_or(0);
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    fill(&client, server.address, entities).await;
    let shared = Arc::new(Shared {
        before: entities as u64,
        entities,
        began: Instant::now(),
        whole: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    });
    let (ask, asked) = watch::channel(0_u8);
    let mut askers = Vec::new();
    for n in 0..clients {
        let reads = n % 2 == 0;
        let socket = match reads {
            true => Socket::connect(server.address, DECISIONS, None).await,
            false => Socket::connect_small(server.address, DECISIONS, RECEIVE).await,
        };
        let asker = asker(
            socket.expect("it connects"),
            shared.clone(),
            asked.clone(),
            reads,
        );
        askers.push(tokio::spawn(asker));
    }
    // Progress may wait for its window, which is no lateness.
    let is_decision = |n| matches!(crowd::place(n), Place::Decision(_));
    let watched = Watched::begin(server.address, 0, rate, is_decision);
    tokio::time::sleep(ALONE).await;
    let alone = watched.p99();
    let idle = server.memory("VmRSS").unwrap_or(0);
    let peak = Arc::new(AtomicU64::new(idle));
    let looking = tokio::spawn(look(server.id(), peak.clone(), shared.clone()));
    let begun = Instant::now();
    ask.send_replace(1);
    until(&shared, clients / 2 + clients % 2).await;
    let readers = begun.elapsed();
    let beside = watched.p99();
    let most = peak.load(Ordering::Relaxed);
    // Then the others read as well.
    ask.send_replace(2);
    until(&shared, clients).await;
    let all_of_them = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    shared.over.store(true, Ordering::Relaxed);
    let (_, mut faults) = watched.end().await;
    looking.await.expect("no panic");
    let (mut bytes, mut cut, mut whole) = (0, 0, 0);
    for (n, asker) in askers.into_iter().enumerate() {
        let asker = asker.await.expect("no panic");
        bytes += asker.bytes;
        cut += usize::from(asker.cut);
        whole += usize::from(asker.whole_at.is_some());
        if asker.whole_at.is_none() && !asker.cut {
            faults.push(format!(
                "client {n} has {} of {} parts",
                asker.part, asker.parts
            ));
        }
        faults.extend(
            asker
                .faults
                .iter()
                .map(|fault| format!("client {n}: {fault}")),
        );
    }
    let mib = |kib: u64| kib as f64 / 1_024.0;
    println!("\n## {clients} clients ask for {entities} entities at once, at {rate} events/s\n");
    println!("| | |\n|---|--:|");
    println!("| memory with nothing, MiB | {:.1} |", mib(empty));
    println!(
        "| with the state and all connected (idle) | {:.1} |",
        mib(idle)
    );
    println!(
        "| most above idle, until those who read had it | {:.1} |",
        mib(most - idle)
    );
    println!(
        "| most above idle, until all had it | {:.1} |",
        mib(peak.load(Ordering::Relaxed) - idle)
    );
    println!(
        "| those who read had it after, s | {:.1} |",
        readers.as_secs_f64()
    );
    println!("| all had it after, s | {:.1} |", all_of_them.as_secs_f64());
    println!("| sent, MiB | {} |", bytes >> 20);
    println!("| had the whole state, of {clients} | {whole} |");
    println!("| cut off because they took nothing | {cut} |");
    println!(
        "| p99 of {WATCHERS} watchers alone, ms | {:.1} |",
        alone.as_secs_f64() * 1e3
    );
    println!("| beside it | {:.1} |", beside.as_secs_f64() * 1e3);
    if peak.load(Ordering::Relaxed) - idle > MEMORY_KIB {
        faults.push(format!("more than {} MiB above idle", MEMORY_KIB >> 10));
    }
    if beside > (alone * TIMES).max(ALWAYS) {
        faults.push(format!("a p99 of more than {TIMES} times that alone"));
    }
    faults
}

/// Publishes the state's tasks.
async fn fill(client: &reqwest::Client, address: SocketAddr, entities: usize) {
    let text = "x".repeat(FACTS - 100);
    for first in (0..entities).step_by(BATCH) {
        let tasks = (first..entities.min(first + BATCH)).map(|n| {
            json!({ "type": "task.created", "project_id": "large",
                    "data": { "task_id": format!("large{n}"), "name": format!("Task {n}"), "notes": text } })
        });
        let body = Value::from_iter(tasks);
        loop {
            let request = client.post(format!("http://{address}/api/v1/events"));
            let answer = request.json(&body).send().await.expect("answers");
            match answer.status().as_u16() {
                202 => break,
                503 => tokio::time::sleep(Duration::from_millis(50)).await,
                other => panic!("{other}"),
            }
        }
    }
}

async fn look(process: u32, peak: Arc<AtomicU64>, shared: Arc<Shared>) {
    while !shared.over.load(Ordering::Relaxed) {
        let now = kit::process::memory(process, "VmRSS").unwrap_or(0);
        peak.fetch_max(now, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until(shared: &Shared, whole: usize) {
    let waiting = Instant::now();
    while shared.whole.load(Ordering::Relaxed) < whole && waiting.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_decision(decision: u64) -> bool {
    crowd::event(decision * DECISION + DECISION - 1, "")["type"] == "decision.logged"
}

/// Asks when it is told to, and reads at once or only when it is told so.
async fn asker(
    mut socket: Socket,
    shared: Arc<Shared>,
    mut asked: watch::Receiver<u8>,
    reads: bool,
) -> Asker {
    let mut asker = Asker::default();
    while *asked.borrow() == 0 {
        tokio::select! {
            read = socket.read(|_| {}) => read.expect("it stays connected"),
            changed = asked.changed() => changed.expect("the run goes on"),
        }
    }
    socket.send("421[\"get_state\",{}]").await.expect("it asks");
    if !reads {
        asked
            .wait_for(|asked| *asked == 2)
            .await
            .expect("the run goes on");
    }
    while !shared.over.load(Ordering::Relaxed) {
        let read = socket.read(|packet| asker.see(packet, &shared));
        match tokio::time::timeout(Duration::from_millis(500), read).await {
            Ok(Ok(())) | Err(_) => {}
            // One that took nothing may be cut off.
            Ok(Err(error)) if !reads && error.kind() != ErrorKind::InvalidData => {
                asker.cut = true;
                if asker.whole_at.is_none() {
                    shared.whole.fetch_add(1, Ordering::Relaxed);
                }
                break;
            }
            Ok(Err(error)) => {
                asker.faults.push(error.to_string());
                break;
            }
        }
    }
    asker
}

impl Asker {
    fn see(&mut self, packet: &[u8], shared: &Shared) {
        self.bytes += packet.len() as u64;
        if packet.starts_with(b"[\"snapshot\"") {
            self.take_part(packet, shared);
        } else if let (Some(n), Some(after)) = (crowd::number(packet), self.after)
            && let Place::Decision(d) = crowd::place(n)
        {
            let turns = crowd::PRIORITIES.len() as u64;
            let last = &mut self.decisions[(d % turns) as usize];
            // The next of its priority; a few are blocked tasks instead.
            let from = last.map_or(after / DECISION, |last| last + 1);
            let is_next = |next: &u64| next % turns == d % turns && is_decision(*next);
            let due = (from..).find(is_next);
            if due != Some(d) && self.faults.len() < 5 {
                self.faults.push(format!(
                    "decision {d} where {due:?} was due, after event {after}"
                ));
            }
            *last = Some(d);
        }
    }

    fn take_part(&mut self, packet: &[u8], shared: &Shared) {
        let (_, body): (String, Value) = serde_json::from_slice(packet).expect("JSON");
        let part = body["part"].as_u64().unwrap_or(1);
        self.parts = body["parts"].as_u64().unwrap_or(1);
        if part == 1 {
            self.tasks.clear();
            self.part = 0;
        }
        if part != self.part + 1 {
            self.faults.push(format!("part {part} after {}", self.part));
        }
        self.part = part;
        let tasks = body["tasks"].as_object().into_iter().flatten();
        self.tasks.extend(
            tasks
                .map(|(id, _)| id.clone())
                .filter(|id| id.starts_with("large")),
        );
        let cursor = body["cursor"].as_str();
        if cursor.is_some() != (part == self.parts) {
            self.faults
                .push(format!("part {part} of {}: {cursor:?}", self.parts));
        }
        let Some(cursor) = cursor else { return };
        if self.tasks.len() != shared.entities {
            self.faults
                .push(format!("{} of {} tasks", self.tasks.len(), shared.entities));
        }
        let place = cursor
            .split('.')
            .nth(1)
            .and_then(|place| u64::from_str_radix(place, 36).ok());
        self.after = place.map(|place| place - shared.before);
        self.decisions = Default::default();
        if self.whole_at.is_none() {
            self.whole_at = Some(shared.began.elapsed());
            shared.whole.fetch_add(1, Ordering::Relaxed);
        }
        self.tasks = HashSet::new();
    }
}
