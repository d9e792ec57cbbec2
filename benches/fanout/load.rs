//! The load: publishes updates, receives them a thousand times, and looks at what that costs the server.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    measuring::{Measuring, Phase},
    users::Tokens,
};
use kit::socket::Socket;
use stoa::config::Role;

/// Updates a second in the everyday case.
const RATE: u32 = 20;
/// The project of all that is published.
pub(crate) const PROJECT: &str = "ce517e104762ce7ff5c06a0f8ffda938";
/// Published before anything is measured.
const WARM_UP: u32 = 20;
/// The time for which that is measured; a number of updates ends it sooner.
const FULL: Duration = Duration::from_secs(3);
const FULL_MAX: u64 = 200_000;
/// The time within which everything that was sent arrives, or never.
const PATIENCE: Duration = Duration::from_secs(20);

/// Marks the time of publishing in an update, in microseconds since 1970: sixteen digits.
const SENT: &[u8] = b"\"sent_us\":";
const DIGITS: usize = 16;

/// The measurement to be made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The server's; none before it is started.
    pub(crate) address: Option<SocketAddr>,
    /// The server's process.
    pub(crate) process: u32,
    pub(crate) observers: usize,
    pub(crate) seconds: usize,
    /// Updates on their way at a time when it goes as fast as it can, one measurement for each; published by halves.
    pub(crate) in_flight: Vec<u64>,
    /// An update as Stoa sends it, for a server that sends what it is given; Stoa gets the event instead.
    pub(crate) update: Option<String>,
    /// Whether the observers take lean updates.
    pub(crate) lean: bool,
    /// Whether the update is emitted by Stoa as it is, without being kept.
    pub(crate) emits: bool,
    /// So many users with tokens are connected, of whom only the observers see the updates; none where nobody needs a token.
    pub(crate) users: Option<usize>,
}

/// The measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    /// An update as it arrived.
    pub(crate) update: String,
    pub(crate) calm: Phase,
    /// As fast as it goes, for each number in flight; none of servers that ask for tokens.
    pub(crate) full: Vec<Phase>,
}

/// The records of the observers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) deliveries: AtomicU64,
    pub(crate) others: AtomicU64,
    /// At so many deliveries the publisher goes on.
    wanted: AtomicU64,
    reached: Notify,
    /// Whether latencies are kept.
    pub(crate) measuring: AtomicBool,
    pub(crate) latencies: Mutex<Vec<u32>>,
    /// The first update that came.
    update: Mutex<Option<String>>,
}

pub(crate) fn run(asked: Asked) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let found = runtime.expect("a runtime").block_on(measure(asked));
    println!("{}", serde_json::to_string(&found).expect("JSON"));
    // The connections need no farewell.
    std::process::exit(0);
}

async fn measure(asked: Asked) -> Found {
    let counts = Arc::new(Counts::default());
    let mut connecting = tokio::task::JoinSet::new();
    let tokens = asked.users.map(|users| (users, Tokens::new()));
    let connections = asked.observers.max(asked.users.unwrap_or(0));
    for nth in 0..connections {
        let auth = match &tokens {
            Some((users, tokens)) => {
                json!({ "token": tokens.nth(nth, *users, asked.observers) }).to_string()
            }
            None if asked.lean => json!({ "shape": "lean" }).to_string(),
            None => String::new(),
        };
        // Only Stoa greets; with the other one, the connection itself is all there is.
        let greets = asked.update.is_none() || asked.emits;
        let greeting = greets.then_some("connection_established");
        let address = asked.address.expect("an address");
        connecting.spawn(async move { Socket::connect(address, &auth, greeting).await });
        if connecting.len() >= 100 {
            start(connecting.join_next().await, &counts);
        }
    }
    while let Some(joined) = connecting.join_next().await {
        start(Some(joined), &counts);
    }
    let mut publisher = Publisher::new(&asked, counts.clone());
    publisher.at_rate(WARM_UP).await;
    publisher.all_arrived().await;
    let update = counts
        .update
        .lock()
        .expect("no panic")
        .clone()
        .expect("something came");

    let seconds = u32::try_from(asked.seconds).expect("not that long");
    let begun = Measuring::begin(&counts, asked.process);
    publisher.at_rate(RATE * seconds).await;
    publisher.all_arrived().await;
    let calm = begun.end();

    let mut full = Vec::new();
    for in_flight in &asked.in_flight {
        let begun = Measuring::begin(&counts, asked.process);
        publisher.flat_out(*in_flight).await;
        publisher.all_arrived().await;
        full.push(begun.end());
    }
    Found { update, calm, full }
}

fn start(
    connected: Option<Result<std::io::Result<Socket>, tokio::task::JoinError>>,
    counts: &Arc<Counts>,
) {
    let socket = connected
        .expect("one was asked for")
        .expect("no panic")
        .expect("it connects");
    tokio::spawn(observe(socket, counts.clone()));
}

async fn observe(mut socket: Socket, counts: Arc<Counts>) {
    // The next one is likely to be where the last one was.
    let mut likely = 0;
    let mut latencies = Vec::new();
    // Each update has a later time than the one before, so this tells of doubles and of what is out of order; what is lost is
    // missing in the sum.
    let mut last = 0;
    loop {
        let (mut deliveries, mut others) = (0, 0);
        let measuring = counts.measuring.load(Ordering::Relaxed);
        let read = socket.read(|packet| match sent(packet, &mut likely) {
            Some(sent) => {
                deliveries += 1;
                assert!(last < sent, "an update of {sent} came after one of {last}");
                last = sent;
                if measuring {
                    latencies
                        .push(u32::try_from(micros().saturating_sub(sent)).unwrap_or(u32::MAX));
                } else {
                    let mut update = counts.update.lock().expect("no panic");
                    update.get_or_insert_with(|| String::from_utf8_lossy(packet).into_owned());
                }
            }
            None => others += 1,
        });
        read.await.expect("no client is lost");
        counts.others.fetch_add(others, Ordering::Relaxed);
        if !latencies.is_empty() {
            counts
                .latencies
                .lock()
                .expect("no panic")
                .append(&mut latencies);
        }
        let before = counts.deliveries.fetch_add(deliveries, Ordering::Relaxed);
        let wanted = counts.wanted.load(Ordering::Relaxed);
        if before < wanted && before + deliveries >= wanted {
            counts.reached.notify_one();
        }
    }
}

/// The time at which an update was published; `None` if it is no update of ours.
fn sent(packet: &[u8], likely: &mut usize) -> Option<u64> {
    let here = packet
        .get(*likely..)
        .is_some_and(|rest| rest.starts_with(SENT));
    if !here {
        *likely = packet.windows(SENT.len()).position(|w| w == SENT)?;
    }
    let digits = packet.get(*likely + SENT.len()..)?.get(..DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_micros()).expect("not that late")
}

struct Publisher {
    client: reqwest::Client,
    url: String,
    /// Around the time of publishing: an update as it is.
    template: Option<(String, String)>,
    /// Whether that is wrapped in an emission.
    emits: bool,
    observers: u64,
    published: u64,
    /// The time that the last update says.
    last: u64,
    counts: Arc<Counts>,
    token: Option<String>,
}

impl Publisher {
    fn new(asked: &Asked, counts: Arc<Counts>) -> Self {
        let template = asked.update.as_ref().map(|packet| {
            let (_, update): (String, Value) = serde_json::from_str(packet).expect("a packet");
            let text = update.to_string();
            let at = text.find(r#""sent_us":"#).expect("its time") + SENT.len();
            (text[..at].to_owned(), text[at + DIGITS..].to_owned())
        });
        Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            url: format!(
                "http://{}/api/v1/{}",
                asked.address.expect("an address"),
                if asked.emits { "emit" } else { "events" }
            ),
            emits: asked.emits,
            template,
            observers: asked.observers as u64,
            published: 0,
            last: 0,
            counts,
            token: (asked.users.is_some())
                .then(|| Tokens::new().of(Role::Producer, "producer", None)),
        }
    }

    async fn publish(&mut self, count: u64) {
        let mut body = String::from("[");
        for n in self.published..self.published + count {
            if body.len() > 1 {
                body.push(',');
            }
            self.last = micros().max(self.last + 1);
            match &self.template {
                Some((before, after)) if self.emits => {
                    body.push_str(r#"{"event":"update","args":["#);
                    body.extend([before.as_str(), &self.last.to_string(), after]);
                    body.push_str("]}");
                }
                Some((before, after)) => {
                    body.extend([before.as_str(), &self.last.to_string(), after]);
                }
                None => body.push_str(&event(n, self.last)),
            }
        }
        body.push(']');
        self.published += count;
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .body(body);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
        response.bytes().await.expect("the whole answer");
    }

    /// So many, evenly.
    async fn at_rate(&mut self, count: u32) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
        for _ in 0..count {
            ticks.tick().await;
            self.publish(1).await;
        }
        ticks.tick().await;
    }

    /// As fast as the observers get them.
    async fn flat_out(&mut self, in_flight: u64) {
        let (begun, before) = (Instant::now(), self.published);
        let (at_once, left) = (in_flight.div_ceil(2), in_flight / 2);
        while begun.elapsed() < FULL && self.published - before < FULL_MAX {
            self.publish(at_once).await;
            self.arrived(self.published.saturating_sub(left)).await;
        }
    }

    async fn all_arrived(&self) {
        self.arrived(self.published).await;
    }

    /// Waits until everybody got so many (on the average: nobody gets one twice).
    async fn arrived(&self, updates: u64) {
        let wanted = updates * self.observers;
        self.counts.wanted.store(wanted, Ordering::Relaxed);
        let reached = async {
            while self.counts.deliveries.load(Ordering::Relaxed) < wanted {
                self.counts.reached.notified().await;
            }
        };
        let there = || self.counts.deliveries.load(Ordering::Relaxed);
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("{} deliveries of {wanted} came", there());
        }
    }
}

/// A completed task: an update that is never coalesced with another.
fn event(n: u64, sent_us: u64) -> String {
    json!({
        "type": "task.completed",
        "id": format!("fanout-{n:08}"),
        "source": "marcus",
        "data": {
            "task_id": format!("task-{:02}", n % 50),
            "agent_id": format!("agent-{:02}", n % 20),
            "project_id": PROJECT,
            "task_name": "Implement the inventory endpoint",
            "success": true,
            "duration_minutes": 12,
            "sent_us": sent_us,
        }
    })
    .to_string()
}
