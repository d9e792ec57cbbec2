//! A client that does nothing wrong: it publishes a few events a second and watches for them. It is another one than the
//! attacker, at another address, and has a thread of its own: it does not wait for those who make the load.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::runtime::Runtime;

use kit::socket::Socket;

/// The interval at which it publishes.
const EVERY: Duration = Duration::from_millis(25);
/// An event that was not seen after this long counts as lost.
const LOST: Duration = Duration::from_secs(20);
/// The address that it calls from.
const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

#[derive(Debug)]
pub(crate) struct Bystander {
    seen: Arc<Mutex<Seen>>,
    thread: Option<Runtime>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Published, not yet seen.
    waiting: HashMap<u64, Instant>,
    /// The time at which it was published, and how long it took from the call to the update.
    after: Vec<(Instant, Duration)>,
}

#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Events that it waited for in vain.
    pub(crate) lost: usize,
}

impl Figures {
    pub(crate) fn times(&self) -> String {
        let ms = |d: Duration| d.as_secs_f64() * 1_000.0;
        format!("{:.1} / {:.1}", ms(self.p50), ms(self.p99))
    }
}

impl Bystander {
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let auth = r#"{"filters":{"types":["bystander.*"]}}"#;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watched = seen.clone();
        let thread = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        thread.spawn(async move {
            let socket = Socket::connect(address, auth, None).await;
            let mut socket = socket.expect("it connects");
            loop {
                let read = socket.read(|packet| {
                    let Some(n) = number(packet) else { return };
                    let mut seen = watched.lock().expect("its lock");
                    if let Some(begun) = seen.waiting.remove(&n) {
                        seen.after.push((begun, begun.elapsed()));
                    }
                });
                if read.await.is_err() {
                    return;
                }
            }
        });
        let published = seen.clone();
        thread.spawn(async move {
            let client = reqwest::Client::builder()
                .no_proxy()
                .local_address(FROM)
                .build()
                .expect("a client");
            let mut next = tokio::time::interval(EVERY);
            for n in 0_u64.. {
                next.tick().await;
                published
                    .lock()
                    .expect("its lock")
                    .waiting
                    .insert(n, Instant::now());
                let event = json!({ "type": "bystander.tick", "data": { "n": n } });
                let call = client.post(format!("http://{address}/api/v1/events"));
                let call = call.json(&event).send();
                let published = published.clone();
                // It does not wait for the answer: a server that is slow is called all the same. For what is refused
                // nobody waits.
                tokio::spawn(async move {
                    if call.await.is_ok_and(|answer| !answer.status().is_success()) {
                        published.lock().expect("its lock").waiting.remove(&n);
                    }
                });
            }
        });
        Self {
            seen,
            thread: Some(thread),
        }
    }

    pub(crate) fn reset(&self) {
        self.seen.lock().expect("its lock").after.clear();
    }

    /// Its slowest calls since the last reset: milliseconds after the first one, and how many each took.
    pub(crate) fn slowest(&self, count: usize) -> String {
        let mut seen = self.seen.lock().expect("its lock");
        let first = seen.after.iter().map(|(at, _)| *at).min();
        seen.after.sort_unstable_by_key(|(_, took)| *took);
        let ms = |d: Duration| d.as_millis();
        let slowest = seen.after.iter().rev().take(count);
        let slowest =
            slowest.map(|(at, took)| format!("{}: {}", ms(*at - first.unwrap_or(*at)), ms(*took)));
        let slowest = slowest.collect::<Vec<_>>().join(", ");
        format!("{slowest} (of {})", seen.after.len())
    }

    /// The latencies since the last reset; an event that is still waited for counts with the time it waits already.
    pub(crate) fn figures(&self) -> Figures {
        let seen = self.seen.lock().expect("its lock");
        let waiting = seen.waiting.values().map(Instant::elapsed);
        let mut all: Vec<Duration> = seen
            .after
            .iter()
            .map(|(_, took)| *took)
            .chain(waiting)
            .collect();
        all.sort_unstable();
        let at = |share: f64| {
            let place = (all.len() as f64 * share) as usize;
            all.get(place.min(all.len().saturating_sub(1)))
                .copied()
                .unwrap_or(LOST)
        };
        Figures {
            p50: at(0.5),
            p99: at(0.99),
            lost: seen
                .waiting
                .values()
                .filter(|begun| begun.elapsed() > LOST)
                .count(),
        }
    }

    pub(crate) fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}

/// The number in the data of a bystander's event.
fn number(packet: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(packet).ok()?;
    if !text.contains("bystander.tick") {
        return None;
    }
    let at = text.find("\"n\":")? + 4;
    let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
    text[at..at + digits].parse().ok()
}
