//! Many observers watch one replay; each remembers what came and when.
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{script::Script, socket::Socket};

/// Clients that connect at the same time: a listener's backlog has an end.
const CONNECTING: usize = 100;
/// By then the observers are greeted; a greeting is no part of the stream.
const GREETED: Duration = Duration::from_millis(500);
/// Nothing new for so long after the last publish means that all is there: Seneca's aggregates come once a second, and a
/// busy machine may leave everybody waiting for longer than that.
const QUIET: Duration = Duration::from_secs(4);
/// When that doesn't come, what is missing is a fault of the server.
const PATIENCE: Duration = Duration::from_secs(60);

/// The filter of the filtered observers.
pub const FILTERED: [&str; 2] = ["task_update", "decision_event"];

/// The way in which an observer connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Without wishes: gets everything.
    Everything,
    /// Asks for rooms on top of that: gets the same, and nothing twice.
    Rooms,
    /// With a filter: gets only the updates in [`FILTERED`].
    Filtered,
}

impl Wish {
    fn of(number: usize) -> Self {
        match number % 10 {
            3 => Self::Filtered,
            1 | 6 => Self::Rooms,
            _ => Self::Everything,
        }
    }

    fn auth(self) -> &'static str {
        match self {
            Self::Everything => "{}",
            Self::Rooms => {
                r#"{"rooms":["agent:agent_backend_1","agent:agent_test_1","project:ce517e104762ce7ff5c06a0f8ffda938","general"]}"#
            }
            Self::Filtered => r#"{"filters":{"types":["task_update","decision_event"]}}"#,
        }
    }

    /// Whether it gets updates of this name.
    pub fn wants(self, name: &str) -> bool {
        self != Self::Filtered || FILTERED.contains(&name)
    }
}

/// Everything that one observer saw.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The way in which it connected.
    pub wish: Wish,
    /// The packets in order, each by its hash, with the time of its receipt since the run began.
    pub packets: Vec<(u64, Duration)>,
    /// The reason why it ended before it was asked to.
    pub lost: Option<String>,
}

/// Every packet that anybody saw, once, by its hash.
pub type Packets = HashMap<u64, Box<[u8]>>;

/// The outcome of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// All observers.
    pub observers: Vec<Seen>,
    /// Everything that they saw.
    pub packets: Packets,
    /// The time at which the publishing call of each line began.
    pub published: Vec<Duration>,
    /// From the first publishing call to the last one's answer.
    pub took: Duration,
    /// Publishes that were not answered as they should.
    pub refused: Vec<String>,
}

/// The state that the observers of a run share.
#[derive(Debug)]
struct Shared {
    packets: Mutex<Packets>,
    /// Counts receipts: tells when nothing comes any more.
    received: AtomicU64,
    began: Instant,
}

/// Connects the observers, publishes the script within `length` and waits until nothing comes any more.
pub async fn run(address: SocketAddr, script: &Script, observers: usize, length: Duration) -> Run {
    let shared = Arc::new(Shared {
        packets: Mutex::default(),
        received: AtomicU64::new(0),
        began: Instant::now(),
    });
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut watching = Vec::new();
    for first in (0..observers).step_by(CONNECTING) {
        let connecting: Vec<_> = (first..observers.min(first + CONNECTING))
            .map(|number| {
                let wish = Wish::of(number);
                let connect = Socket::connect(address, wish.auth(), Some("connection_established"));
                (wish, tokio::spawn(connect))
            })
            .collect();
        for (wish, connecting) in connecting {
            let socket = connecting.await.expect("no panic").expect("it connects");
            let watch = watch(socket, wish, shared.clone(), stopped.clone());
            watching.push(tokio::spawn(watch));
        }
    }
    tokio::time::sleep(GREETED).await;
    let (published, refused) = publish(address, script, length, shared.began).await;
    let ended = shared.began.elapsed();
    quiet(&shared).await;
    stop.send_replace(true);
    let mut seen = Vec::new();
    let stream_began = published.first().copied().unwrap_or_default();
    for observer in watching {
        let mut observer = observer.await.expect("no panic");
        observer
            .packets
            .retain(|(_, received)| *received >= stream_began);
        seen.push(observer);
    }
    let packets = std::mem::take(&mut *shared.packets.lock().expect("no panic"));
    Run {
        observers: seen,
        packets,
        published,
        took: ended - stream_began,
        refused,
    }
}

async fn watch(
    mut socket: Socket,
    wish: Wish,
    shared: Arc<Shared>,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> Seen {
    let mut seen = Seen {
        wish,
        packets: Vec::new(),
        lost: None,
    };
    let mut stopped = std::pin::pin!(stopped.wait_for(|stopped| *stopped));
    loop {
        let mut new = 0;
        let read = socket.read(|packet| {
            let mut hasher = DefaultHasher::new();
            packet.hash(&mut hasher);
            let hash = hasher.finish();
            seen.packets.push((hash, shared.began.elapsed()));
            let mut packets = shared.packets.lock().expect("no panic");
            packets.entry(hash).or_insert_with(|| packet.into());
            new += 1;
        });
        let read = tokio::select! {
            read = read => read,
            _ = &mut stopped => return seen,
        };
        shared.received.fetch_add(new, Ordering::Relaxed);
        if let Err(error) = read {
            seen.lost = Some(error.to_string());
            return seen;
        }
    }
}

/// One call for each event, in order, at its time.
async fn publish(
    address: SocketAddr,
    script: &Script,
    length: Duration,
    began: Instant,
) -> (Vec<Duration>, Vec<String>) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let url = format!("http://{address}/api/v1/events");
    let scale = length.as_secs_f64() / script.length().as_secs_f64().max(f64::MIN_POSITIVE);
    let start = Instant::now();
    let mut published = Vec::with_capacity(script.lines.len());
    let mut refused = Vec::new();
    for line in &script.lines {
        tokio::time::sleep_until((start + line.at.mul_f64(scale)).into()).await;
        published.push(began.elapsed());
        let request = client
            .post(&url)
            .header("content-type", "application/json")
            .body(line.text.clone());
        let answer: Value = match request.send().await {
            Ok(response) => response.json().await.unwrap_or_default(),
            Err(error) => Value::String(error.to_string()),
        };
        if answer["accepted"] != 1 {
            refused.push(format!("{answer} to {}", line.text));
        }
    }
    (published, refused)
}

async fn quiet(shared: &Shared) {
    let begun = Instant::now();
    let (mut last, mut since) = (0, Instant::now());
    while begun.elapsed() < PATIENCE && since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = shared.received.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}
