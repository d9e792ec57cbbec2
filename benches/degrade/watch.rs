//! The observers, one of which takes account of what comes, and an operator that notes the steps.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kit::socket::Socket;
use serde_json::json;
use tokio::task::JoinHandle;

use super::offer::{Offered, now};

/// The time that the last updates may take.
const LAST: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Seen {
    /// Milliseconds from the producer's call to the client, by priority.
    latency: [Vec<f64>; 4],
    /// The numbers of what may not be lost.
    kept: HashSet<u64>,
    steps: Vec<(f64, u64)>,
}

#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(crate) async fn begin(address: SocketAddr, observers: usize) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut tasks = Vec::new();
        for n in 0..observers.max(1) {
            let socket = Socket::connect(address, "{}", Some("connection_established")).await;
            let mut socket = socket.expect("it connects");
            let seen = (n == 0).then(|| seen.clone());
            tasks.push(tokio::spawn(async move {
                let look = |packet: &[u8]| {
                    if let Some(seen) = &seen {
                        take(&mut seen.lock().expect("its lock"), packet);
                    }
                };
                while socket.read(look).await.is_ok() {}
            }));
        }
        tasks.push(tokio::spawn(note_steps(address, seen.clone())));
        Self { seen, tasks }
    }

    /// The step now.
    pub(crate) fn step(&self) -> u64 {
        let seen = self.seen.lock().expect("its lock");
        seen.steps.last().map_or(0, |(_, step)| *step)
    }

    /// Each step, with the second at which it was noticed.
    pub(crate) fn steps(&self) -> Vec<(f64, u64)> {
        self.seen.lock().expect("its lock").steps.clone()
    }

    /// p50 and p99 of a priority.
    pub(crate) fn latency(&self, level: usize) -> (f64, f64) {
        let mut all = self.seen.lock().expect("its lock").latency[level].clone();
        all.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (all.len() as f64 * share) as usize;
            all.get(place.min(all.len().saturating_sub(1)))
                .copied()
                .unwrap_or(f64::NAN)
        };
        (at(0.5), at(0.99))
    }

    /// The fault that something accepted did not come, which may not be lost.
    pub(crate) async fn missing(&self, offered: &Offered) -> Option<String> {
        let begun = Instant::now();
        loop {
            let missing = {
                let seen = self.seen.lock().expect("its lock");
                offered
                    .kept
                    .iter()
                    .filter(|n| !seen.kept.contains(n))
                    .count()
            };
            if missing == 0 {
                println!(
                    "All {} accepted critical and high events came.",
                    offered.kept.len()
                );
                return None;
            }
            if begun.elapsed() > LAST {
                return Some(format!("{missing} accepted urgent events did not come"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes account of one packet.
fn take(seen: &mut Seen, packet: &[u8]) {
    let number = |start: &[u8]| -> Option<u64> {
        let at = packet.windows(start.len()).position(|w| w == start)? + start.len();
        let digits = packet[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        std::str::from_utf8(&packet[at..at + digits])
            .ok()?
            .parse()
            .ok()
    };
    let (Some(n), Some(at), Some(level)) = (
        number(b"\"bench_n\":"),
        number(b"\"bench_at\":"),
        number(b"\"bench_level\":"),
    ) else {
        return;
    };
    let level = usize::try_from(level).unwrap_or(3).min(3);
    seen.latency[level].push(now().saturating_sub(at) as f64 / 1_000.0);
    if level < 2 {
        seen.kept.insert(n);
    }
}

/// Follows the steps by the notices that operators get.
async fn note_steps(address: SocketAddr, seen: Arc<Mutex<Seen>>) {
    let (mut operator, _) = kit::Client::connect(
        address,
        json!({ "role": "operator", "filters": { "types": ["system_notification"], "exclude": ["system.alarm"] } }),
    )
    .await;
    let begun = Instant::now();
    while let Some((_, notice)) = operator.next().await {
        if let Some(step) = notice["degradation"]["step"].as_u64() {
            let at = begun.elapsed().as_secs_f64();
            seen.lock().expect("its lock").steps.push((at, step));
        }
    }
}
