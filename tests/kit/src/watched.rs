//! A stream before a few clients that only watch it, and how late it comes to them, while others make the load.
//!
//! All of it runs on a thread of its own: the watchers do not wait for those whose effect on them is measured.
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{crowd, socket::Socket};

/// Clients that watch, without a filter.
pub const WATCHERS: usize = 20;

/// A stream that goes on until it is ended.
#[derive(Debug)]
pub struct Watched {
    stream: Arc<Stream>,
    ended: oneshot::Receiver<(u64, Vec<String>)>,
}

#[derive(Debug)]
struct Stream {
    address: SocketAddr,
    /// The number of its first event.
    first: u64,
    /// Events in a second.
    rate: f64,
    /// Tells the events whose lateness counts.
    counts: fn(u64) -> bool,
    /// The time of each call that published an event.
    published: Mutex<Vec<Instant>>,
    /// The lateness of each update at each watcher, since it was last asked for.
    late: Mutex<Vec<Duration>>,
    over: AtomicBool,
}

impl Watched {
    /// Begins to publish events from number `first` on; the lateness of those counts of which `counts` says so.
    pub fn begin(address: SocketAddr, first: u64, rate: f64, counts: fn(u64) -> bool) -> Self {
        let stream = Arc::new(Stream {
            address,
            first,
            rate,
            counts,
            published: Mutex::default(),
            late: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let (told, ended) = oneshot::channel();
        let running = stream.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let outcome = runtime.expect("a runtime").block_on(running.run());
            told.send(outcome).ok();
        });
        Self { stream, ended }
    }

    /// The p99 of the lateness since this was last asked.
    pub fn p99(&self) -> Duration {
        let mut late = std::mem::take(&mut *self.stream.late.lock().expect("no panic"));
        late.sort_unstable();
        let at = late.len().max(1) * 99 / 100;
        late.get(at).copied().unwrap_or_default()
    }

    /// Ends the stream: the number that its next event would have had, and the faults.
    pub async fn end(self) -> (u64, Vec<String>) {
        self.stream.over.store(true, Ordering::Relaxed);
        self.ended.await.expect("no panic")
    }
}

impl Stream {
    async fn run(self: Arc<Self>) -> (u64, Vec<String>) {
        let mut watching = Vec::new();
        for _ in 0..WATCHERS {
            let socket = Socket::connect(self.address, "{}", None).await;
            let watcher = self.clone().watch(socket.expect("it connects"));
            watching.push(tokio::spawn(watcher));
        }
        let (next, mut faults) = self.publish().await;
        let lost = watching.iter().filter(|watcher| watcher.is_finished());
        let lost = lost.count();
        if lost > 0 {
            faults.push(format!(
                "{lost} of {WATCHERS} watchers lost their connection"
            ));
        }
        (next, faults)
    }

    async fn publish(&self) -> (u64, Vec<String>) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let mut faults = Vec::new();
        let start = Instant::now();
        let mut n = self.first;
        while !self.over.load(Ordering::Relaxed) {
            let due = start + Duration::from_secs_f64((n - self.first) as f64 / self.rate);
            tokio::time::sleep_until(due.into()).await;
            self.published
                .lock()
                .expect("no panic")
                .push(Instant::now());
            let request = client.post(format!("http://{}/api/v1/events", self.address));
            let event = crowd::event(n, "a step of the work");
            let answer = request.json(&event).send().await;
            if !answer.is_ok_and(|answer| answer.status() == 202) {
                faults.push(format!("publishing {n}"));
            }
            n += 1;
        }
        (n, faults)
    }

    /// Ends with the connection.
    async fn watch(self: Arc<Self>, mut socket: Socket) {
        while socket.read(|packet| self.see(packet)).await.is_ok() {}
    }

    fn see(&self, packet: &[u8]) {
        let Some(n) = crowd::number(packet).filter(|n| (self.counts)(*n)) else {
            return;
        };
        let Some(place) = n.checked_sub(self.first) else {
            return;
        };
        let published = self.published.lock().expect("no panic");
        if let Some(published) = published.get(place as usize) {
            let late = published.elapsed();
            self.late.lock().expect("no panic").push(late);
        }
    }
}
