//! The load: publishes updates at an even rate, and receives them as often as there are observers.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use kit::{
    process::processor,
    script::Script,
    socket::{Connecting, Socket},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Updates in a second.
const RATE: u32 = 20;
/// Updates before anything is measured.
const WARM_UP: u32 = 20;
/// The time within which everything that was sent arrives, or never.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events of Marcus' that are told in one update.
const TOLD: usize = 4;

/// Marks the time of publishing in an update, in microseconds since 1970: sixteen digits.
const SENT: &[u8] = b"\"sent_us\":";
const DIGITS: usize = 16;

/// The measurement to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) address: SocketAddr,
    /// The server's process.
    pub(crate) process: u32,
    pub(crate) observers: usize,
    pub(crate) seconds: u32,
    /// Whether the observers offer compression.
    pub(crate) compressed: bool,
}

/// The measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) updates: u64,
    pub(crate) deliveries: u64,
    /// Deliveries that came compressed.
    pub(crate) compressed: u64,
    /// Bytes that all observers read.
    pub(crate) bytes: u64,
    /// Processor time of the server, in seconds; of that in the kernel.
    pub(crate) cpu: f64,
    pub(crate) kernel: f64,
    /// Messages that the server compressed.
    pub(crate) made: u64,
    /// The latency in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// An update as it arrived.
    pub(crate) update: String,
}

/// The counts of all observers.
#[derive(Debug, Default)]
struct Counts {
    deliveries: AtomicU64,
    compressed: AtomicU64,
    bytes: AtomicU64,
    latencies: Mutex<Vec<u32>>,
    update: Mutex<Option<String>>,
}

pub(crate) fn run(asked: &Asked) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let found = runtime.expect("a runtime").block_on(measure(asked));
    println!("{}", serde_json::to_string(&found).expect("JSON"));
    // The connections need no farewell.
    std::process::exit(0);
}

async fn measure(asked: &Asked) -> Found {
    let counts = Arc::new(Counts::default());
    for _ in 0..asked.observers {
        let how = Connecting {
            compressed: asked.compressed,
            ..Connecting::default()
        };
        let greeting = Some("connection_established");
        // Only what is published: aggregates are counted by the clock.
        let auth = r#"{"filters":{"types":["task_update"]}}"#;
        let socket = Socket::connect_as(how, asked.address, auth, greeting).await;
        tokio::spawn(observe(socket.expect("it connects"), counts.clone()));
    }
    let mut publisher = Publisher::new(asked);
    publisher.at_rate(WARM_UP).await;
    all_arrived(&counts, publisher.published * asked.observers as u64).await;
    let before = taken(&counts);
    counts.latencies.lock().expect("no panic").clear();
    let made = compressed(asked).await;
    let (user, kernel) = processor(asked.process).unwrap_or_default();
    let updates = publisher.published;
    publisher.at_rate(RATE * asked.seconds).await;
    all_arrived(&counts, publisher.published * asked.observers as u64).await;
    let (user, kernel) = (
        processor(asked.process).unwrap_or_default().0 - user,
        processor(asked.process).unwrap_or_default().1 - kernel,
    );
    let made = compressed(asked).await - made;
    let after = taken(&counts);
    let mut latencies = counts.latencies.lock().expect("no panic").clone();
    latencies.sort_unstable();
    let at = |percent: usize| f64::from(latencies[(latencies.len() - 1) * percent / 100]) / 1e3;
    Found {
        updates: publisher.published - updates,
        deliveries: after[0] - before[0],
        compressed: after[1] - before[1],
        bytes: after[2] - before[2],
        cpu: user + kernel,
        kernel,
        made,
        p50: at(50),
        p99: at(99),
        update: counts
            .update
            .lock()
            .expect("no panic")
            .clone()
            .expect("one came"),
    }
}

fn taken(counts: &Counts) -> [u64; 3] {
    [&counts.deliveries, &counts.compressed, &counts.bytes]
        .map(|count| count.load(Ordering::Relaxed))
}

async fn compressed(asked: &Asked) -> u64 {
    kit::counted(asked.address, "stoa_messages_compressed_total").await
}

async fn all_arrived(counts: &Counts, wanted: u64) {
    let arriving = async {
        while counts.deliveries.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let there = || counts.deliveries.load(Ordering::Relaxed);
    if tokio::time::timeout(PATIENCE, arriving).await.is_err() {
        panic!("{} deliveries of {wanted} came", there());
    }
}

async fn observe(mut socket: Socket, counts: Arc<Counts>) {
    let (mut bytes, mut compressed) = (socket.bytes, socket.compressed);
    let mut latencies = Vec::new();
    loop {
        let mut deliveries = 0;
        let read = socket.read(|packet| {
            let Some(sent) = sent(packet) else { return };
            deliveries += 1;
            latencies.push(u32::try_from(micros().saturating_sub(sent)).unwrap_or(u32::MAX));
            let mut update = counts.update.lock().expect("no panic");
            update.get_or_insert_with(|| String::from_utf8_lossy(packet).into_owned());
        });
        read.await.expect("no client is lost");
        counts
            .latencies
            .lock()
            .expect("no panic")
            .append(&mut latencies);
        counts
            .bytes
            .fetch_add(socket.bytes - bytes, Ordering::Relaxed);
        counts
            .compressed
            .fetch_add(socket.compressed - compressed, Ordering::Relaxed);
        counts.deliveries.fetch_add(deliveries, Ordering::Relaxed);
        (bytes, compressed) = (socket.bytes, socket.compressed);
    }
}

/// The time of publishing; `None` if it is no update of ours.
fn sent(packet: &[u8]) -> Option<u64> {
    let at = packet.windows(SENT.len()).position(|w| w == SENT)?;
    let digits = packet.get(at + SENT.len()..)?.get(..DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_micros()).expect("not that late")
}

struct Publisher {
    client: reqwest::Client,
    url: String,
    told: Vec<Value>,
    published: u64,
}

impl Publisher {
    fn new(asked: &Asked) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/marcus-events.jsonl");
        let lines = Script::load(&file).lines;
        let told = lines
            .iter()
            .filter_map(|line| serde_json::from_str(&line.text).ok());
        Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            url: format!("http://{}/api/v1/events", asked.address),
            told: told.collect(),
            published: 0,
        }
    }

    /// So many, evenly.
    async fn at_rate(&mut self, count: u32) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
        for _ in 0..count {
            ticks.tick().await;
            let event = self.event();
            self.published += 1;
            let response = self.client.post(&self.url).json(&event).send().await;
            let response = response.expect("an answer");
            assert!(response.status().is_success(), "{}", response.status());
        }
        ticks.tick().await;
    }

    /// A completed task with what led to it, as Marcus told it: never coalesced with another.
    fn event(&self) -> Value {
        let n = usize::try_from(self.published).expect("few");
        let told = self.told.iter().cycle().skip(n * TOLD % self.told.len());
        let told: Vec<&Value> = told.take(TOLD).collect();
        json!({
            "type": "task.completed", "id": format!("compression-{n:08}"), "source": "marcus",
            "data": {
                "task_id": format!("task-{:02}", n % 50), "agent_id": format!("agent-{:02}", n % 20),
                "task_name": "Implement the inventory endpoint", "success": true, "sent_us": micros(), "history": told,
            }
        })
    }
}
