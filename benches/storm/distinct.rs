//! The storm at as many places as there are clients: one observer watches 20,000 events go by and notes the cursor of every
//! update; then the server is killed, and each client comes to the new one with another of these cursors. Before that all
//! come with the first of them, so that both are of one run. Filters of four kinds take turns. A few others watch the stream
//! meanwhile and say how late it comes to them.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::publish;
use kit::{
    crowd::{Packet, Place, Progress, between, read},
    process::{Process, free_port},
    socket::Socket,
    watched::Watched,
};

/// Events that go by before the kill.
const MISSED: u64 = 20_000;
/// So many in a call, so many calls a second: slowly enough for thousands of updates.
const BATCH: u64 = 15;
const CALLS: f64 = 100.0;
/// Events a second while they come back, one in a call.
const RATE: f64 = 50.0;
/// The time in which others watch alone.
const ALONE: Duration = Duration::from_secs(5);
/// All are told by then, or never.
const PATIENCE: Duration = Duration::from_secs(120);
/// The bound on its time, as a multiple of that of the storm from one place.
const TIMES: u32 = 3;
/// A watcher's p99 below this says nothing about the server.
const ALWAYS: Duration = Duration::from_millis(10);

/// The wishes of a client.
#[derive(Debug, Clone, Copy)]
enum Kind {
    All,
    Slow,
    Decisions,
    Blocked,
}

const KINDS: [Kind; 4] = [Kind::All, Kind::Slow, Kind::Decisions, Kind::Blocked];

impl Kind {
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::All => &["*"],
            Self::Slow => &["progress_update", "task_update"],
            Self::Decisions => &["decision_event", "task_update"],
            Self::Blocked => &["task_update"],
        }
    }

    fn takes(self, place: Place, is_blocked: bool) -> bool {
        match (self, place) {
            (Self::All, _) => true,
            (Self::Slow, Place::Progress { .. }) => true,
            (Self::Slow | Self::Blocked, Place::Decision(_)) => is_blocked,
            (Self::Decisions, place) => matches!(place, Place::Decision(_)),
            (Self::Blocked, Place::Progress { .. }) => false,
        }
    }

    fn begin(self) -> Progress {
        match self {
            Self::All | Self::Decisions => Progress::default(),
            Self::Slow | Self::Blocked => Progress::of_slow(),
        }
    }

    fn has_all(self, progress: &Progress, events: u64) -> bool {
        match self {
            Self::All => progress.is_complete(events),
            Self::Slow => progress.has_last_steps(events),
            Self::Decisions => progress.has_last_decisions(events),
            Self::Blocked => progress.has_last_blocked(events),
        }
    }
}

/// A place in the stream, and what clients of each kind have that stand there.
#[derive(Debug, Clone)]
struct Stand {
    cursor: String,
    progress: [Progress; KINDS.len()],
}

/// Shared by the clients of one storm.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    began: Instant,
    told: AtomicUsize,
    /// The number of events in the end; 0 while it isn't known.
    events: AtomicU64,
    complete: AtomicUsize,
}

/// The figures of one storm.
#[derive(Debug, Default)]
struct Outcome {
    told: Vec<Duration>,
    alone: Duration,
    beside: Duration,
    updates: u64,
    peak: u64,
    read: u64,
}

/// Both storms; what went wrong.
pub(crate) async fn run(journal: &Path, clients: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let port = free_port();
    let server = Process::start(journal, port, &[]).await;
    let stands = watch_all(server.address, &mut faults).await;
    let places = stands.len() - 1;
    println!(
        "\n## {clients} clients come back to {} places over {MISSED} events\n",
        places.min(clients)
    );
    let mut next = MISSED;
    let mut server = server;
    let mut outcomes = Vec::new();
    for distinct in [false, true] {
        server.kill();
        server = Process::start(journal, port, &[]).await;
        let mine = |n: usize| {
            if distinct {
                &stands[n * places / clients]
            } else {
                &stands[0]
            }
        };
        let storm = storm(&server, clients, mine, &mut next, &mut faults);
        outcomes.push(storm.await);
    }
    println!("| | one place | distinct |\n|---|--:|--:|");
    let line = |what: &str, value: &dyn Fn(&Outcome) -> String| {
        println!(
            "| {what} | {} | {} |",
            value(&outcomes[0]),
            value(&outcomes[1])
        );
    };
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    let millis = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    line("told that they have what they missed, p50, s", &|o| {
        seconds(at(&o.told, 50))
    });
    line("p99", &|o| seconds(at(&o.told, 99)));
    line("the last", &|o| seconds(at(&o.told, 100)));
    line("updates in all", &|o| o.updates.to_string());
    line("records read for them", &|o| o.read.to_string());
    line("p99 of 20 who watch, before, ms", &|o| millis(o.alone));
    line("during it", &|o| millis(o.beside));
    line("memory at most, MiB", &|o| {
        format!("{:.1}", o.peak as f64 / 1_024.0)
    });
    let [one, many] = [&outcomes[0], &outcomes[1]].map(|o| at(&o.told, 100));
    println!(
        "\nDistinct places took {:.2} times as long.",
        many.as_secs_f64() / one.as_secs_f64()
    );
    if many > one * TIMES {
        faults.push(format!("more than {TIMES} times as long"));
    }
    for outcome in &outcomes {
        if outcome.beside > (outcome.alone * TIMES).max(ALWAYS) {
            faults.push(format!("others waited more than {TIMES} times as long"));
        }
    }
    faults
}

fn at(times: &[Duration], share: usize) -> Duration {
    let at = times.len().saturating_sub(1) * share / 100;
    times.get(at).copied().unwrap_or_default()
}

/// Publishes the stream before one observer, and notes where it stood after each of its updates.
async fn watch_all(address: SocketAddr, faults: &mut Vec<String>) -> Vec<Stand> {
    let mut socket = Socket::connect(address, "{}", None)
        .await
        .expect("it connects");
    let watching = tokio::spawn(async move {
        let mut stands = Vec::new();
        let mut progress = KINDS.map(Kind::begin);
        while !progress[0].is_complete(MISSED) {
            let see = |packet: &[u8]| {
                take(packet, &mut progress);
                let cursor = between(packet, b"\"cursor\":\"");
                if let (Packet::Update(_), Some(cursor)) = (read(packet), cursor) {
                    let cursor = cursor.to_owned();
                    let progress = progress.clone();
                    stands.push(Stand { cursor, progress });
                }
            };
            socket.read(see).await.expect("it stays connected");
        }
        stands
    });
    let start = Instant::now();
    for first in (0..MISSED).step_by(BATCH as usize) {
        let due = start + Duration::from_secs_f64((first / BATCH) as f64 / CALLS);
        tokio::time::sleep_until(due.into()).await;
        publish(address, first, MISSED.min(first + BATCH), faults).await;
    }
    let stands = tokio::time::timeout(PATIENCE, watching).await;
    stands.expect("all of it comes").expect("no panic")
}

/// Takes an update into the progress of each kind that wants it.
fn take(packet: &[u8], progress: &mut [Progress; KINDS.len()]) {
    let Packet::Update(update) = read(packet) else {
        return;
    };
    let is_blocked = packet.starts_with(b"[\"task_update\"");
    for (kind, progress) in KINDS.into_iter().zip(progress) {
        if kind.takes(update.place, is_blocked) {
            progress.take(update);
        }
    }
}

/// All come at once, each to its own place.
async fn storm<'s>(
    server: &Process,
    clients: usize,
    mine: impl Fn(usize) -> &'s Stand,
    next: &mut u64,
    faults: &mut Vec<String>,
) -> Outcome {
    let shared = Arc::new(Shared {
        address: server.address,
        began: Instant::now(),
        told: AtomicUsize::new(0),
        events: AtomicU64::new(0),
        complete: AtomicUsize::new(0),
    });
    let watched = Watched::begin(server.address, *next, RATE, |_| true);
    tokio::time::sleep(ALONE).await;
    let alone = watched.p99();
    let released = shared.began.elapsed();
    let mut tasks = Vec::new();
    for n in 0..clients {
        let kind = n % KINDS.len();
        let Stand { cursor, progress } = mine(n).clone();
        let [a, b, c, d] = progress;
        let progress = [a, b, c, d].into_iter().nth(kind).unwrap_or_default();
        tasks.push(tokio::spawn(client(
            KINDS[kind],
            cursor,
            progress,
            shared.clone(),
        )));
    }
    until(&shared.told, clients).await;
    let beside = watched.p99();
    let (events, missing) = watched.end().await;
    faults.extend(missing);
    *next = events;
    shared.events.store(events, Ordering::Relaxed);
    until(&shared.complete, clients).await;
    let mut outcome = Outcome {
        alone,
        beside,
        peak: server.memory("VmHWM").unwrap_or(0),
        ..Outcome::default()
    };
    let metrics = server.text("/metrics").await.unwrap_or_default();
    outcome.read = kit::metrics::sum(&metrics, "stoa_replays_read_total");
    for (n, task) in tasks.into_iter().enumerate() {
        match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(client)) => {
                outcome.updates += client.updates;
                outcome
                    .told
                    .extend(client.told_at.map(|at| at.saturating_sub(released)));
                let all = client.faults.iter().chain(&client.progress.faults);
                faults.extend(all.map(|fault| format!("client {n}: {fault}")));
            }
            _ => faults.push(format!("client {n} never has everything")),
        }
    }
    outcome.told.sort_unstable();
    outcome
}

async fn until(count: &AtomicUsize, all: usize) {
    let waiting = Instant::now();
    while count.load(Ordering::Relaxed) < all && waiting.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[derive(Debug)]
struct Client {
    progress: Progress,
    updates: u64,
    told_at: Option<Duration>,
    faults: Vec<String>,
}

async fn client(kind: Kind, cursor: String, progress: Progress, shared: Arc<Shared>) -> Client {
    let filters = serde_json::json!({ "types": kind.types() });
    let auth = serde_json::json!({ "cursor": cursor, "filters": filters }).to_string();
    let mut client = Client {
        progress,
        updates: 0,
        told_at: None,
        faults: Vec::new(),
    };
    let began = Instant::now();
    let mut socket = loop {
        match Socket::connect(shared.address, &auth, None).await {
            Ok(socket) => break socket,
            Err(error) if began.elapsed() > PATIENCE => {
                client.faults.push(error.to_string());
                return client;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    loop {
        let packets = socket.read(|packet| client.see(packet, &shared));
        let cut = matches!(
            tokio::time::timeout(Duration::from_millis(200), packets).await,
            Ok(Err(_))
        );
        let events = shared.events.load(Ordering::Relaxed);
        if events > 0 && kind.has_all(&client.progress, events) {
            shared.complete.fetch_add(1, Ordering::Relaxed);
            return client;
        }
        if cut || began.elapsed() > PATIENCE + PATIENCE {
            client
                .faults
                .push(if cut { "cut off" } else { "not complete" }.into());
            return client;
        }
    }
}

impl Client {
    fn see(&mut self, packet: &[u8], shared: &Shared) {
        match read(packet) {
            Packet::Update(update) => {
                self.updates += 1;
                self.progress.take(update);
            }
            Packet::Other(name) if name == "resumed" => {
                let (_, body): (String, Value) = serde_json::from_slice(packet).expect("JSON");
                self.told_at = Some(shared.began.elapsed());
                shared.told.fetch_add(1, Ordering::Relaxed);
                if body["complete"] != true {
                    self.faults.push(format!("not complete: {body}"));
                }
            }
            Packet::Other(_) => {}
        }
    }
}
