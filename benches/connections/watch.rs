//! One update a second to all who are connected, and whether each of them gets each once and in order.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use kit::socket::Socket;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The time within which everything that was sent arrives, or never.
const PATIENCE: Duration = Duration::from_secs(20);
/// Marks the number of an update and the time at which it was published, in microseconds since 1970.
const NUMBER: &str = "\"nth\":";
const SENT: &str = "\"sent_us\":";

/// The records of all observers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    observers: AtomicU64,
    deliveries: AtomicU64,
    /// Updates that came again, or before an earlier one.
    wrong: AtomicU64,
    latencies: Mutex<Vec<u64>>,
}

/// The result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Watched {
    observers: u64,
    updates: usize,
    deliveries: u64,
    lost: u64,
    wrong: u64,
    /// In milliseconds, from the publishing call to the receipt.
    p50: f64,
    p99: f64,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} updates, one a second, to {} observers: {} deliveries, {} lost, {} doubled or out of order; latency p50 {:.1} ms, p99 {:.1} ms.",
            self.updates,
            self.observers,
            self.deliveries,
            self.lost,
            self.wrong,
            self.p50,
            self.p99
        )
    }
}

/// Reads what a client gets, as long as it lives.
pub(crate) async fn observe(mut socket: Socket, counts: Arc<Counts>) {
    counts.observers.fetch_add(1, Ordering::Relaxed);
    let mut next = 0;
    loop {
        let read = socket.read(|packet| {
            let Some(nth) = number(packet, NUMBER) else {
                return;
            };
            let sent = number(packet, SENT).unwrap_or(0);
            counts.deliveries.fetch_add(1, Ordering::Relaxed);
            if nth != next {
                counts.wrong.fetch_add(1, Ordering::Relaxed);
            }
            next = nth + 1;
            let mut latencies = counts.latencies.lock().expect("no panic");
            latencies.push(micros().saturating_sub(sent));
        });
        read.await.expect("no client is lost");
    }
}

/// Publishes an update a second, and waits for all of them.
pub(crate) async fn watch(address: SocketAddr, counts: &Counts, seconds: usize) -> Watched {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for nth in 0..seconds {
        ticks.tick().await;
        let url = format!("http://{address}/api/v1/events");
        let response = client.post(url).json(&event(nth)).send().await;
        let response = response.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
    }
    let observers = counts.observers.load(Ordering::Relaxed);
    let wanted = observers * seconds as u64;
    let came = || counts.deliveries.load(Ordering::Relaxed);
    let all = async {
        while came() < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.ok();
    let mut latencies = counts.latencies.lock().expect("no panic");
    latencies.sort_unstable();
    let at = |percent| {
        let at = latencies.len().saturating_sub(1) * percent / 100;
        latencies.get(at).map_or(f64::NAN, |us| *us as f64 / 1e3)
    };
    Watched {
        observers,
        updates: seconds,
        deliveries: came(),
        lost: wanted.saturating_sub(came()),
        wrong: counts.wrong.load(Ordering::Relaxed),
        p50: at(50),
        p99: at(99),
    }
}

/// The number behind a mark; updates carry the event's facts more than once, so the first one counts.
fn number(packet: &[u8], mark: &str) -> Option<u64> {
    let at = packet
        .windows(mark.len())
        .position(|w| w == mark.as_bytes())?;
    let digits = &packet[at + mark.len()..];
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_micros()).expect("not that late")
}

/// A completed task: an update that is never coalesced with another.
fn event(nth: usize) -> serde_json::Value {
    json!({
        "type": "task.completed",
        "id": format!("connections-{nth:08}"),
        "source": "marcus",
        "data": {
            "task_id": format!("task-{nth}"),
            "agent_id": "agent-1",
            "project_id": "ce517e104762ce7ff5c06a0f8ffda938",
            "task_name": "Implement the inventory endpoint",
            "nth": nth,
            "sent_us": micros(),
        }
    })
}
