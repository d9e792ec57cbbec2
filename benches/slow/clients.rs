//! The clients: good, stuck and slow, and what each of them saw.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use kit::{
    crowd::{self, Packet, Progress},
    socket::Socket,
};

/// The interval at which a slow client reads.
const SLOW_EVERY: Duration = Duration::from_millis(250);
/// The smallest that the kernel takes.
pub(crate) const SMALL: u32 = 2_304;

/// Packets by their hash, each with a short number.
pub(crate) type Packets = HashMap<u64, (u32, Box<[u8]>)>;

/// The state that all clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    /// Bytes that a slow one reads in a second.
    pub(crate) slow_rate: usize,
    pub(crate) began: Instant,
    /// Every packet that a good one saw.
    pub(crate) packets: Mutex<Packets>,
    /// Counts receipts of good ones: tells when nothing comes any more.
    pub(crate) received: AtomicU64,
    pub(crate) done: AtomicBool,
}

/// The records of a good client: each packet's number and the time of its receipt, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Good {
    pub(crate) packets: Vec<(u32, u32)>,
    pub(crate) lost: Option<String>,
}

/// The records of a slow client.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    pub(crate) progress: Progress,
    pub(crate) notices: BTreeMap<String, usize>,
    pub(crate) connections: usize,
    pub(crate) bytes: usize,
    pub(crate) cursor: Option<String>,
    pub(crate) complete_at: Option<Duration>,
}

pub(crate) async fn watch(mut socket: Socket, shared: Arc<Shared>) -> Good {
    let mut good = Good::default();
    loop {
        let mut new = 0;
        let read = socket.read(|packet| {
            let hash = crowd::hash(packet);
            let now = shared.began.elapsed().as_micros() as u32;
            let mut packets = shared.packets.lock().expect("no panic");
            let next = packets.len() as u32;
            let number = packets
                .entry(hash)
                .or_insert_with(|| (next, packet.into()))
                .0;
            good.packets.push((number, now));
            new += 1;
        });
        match tokio::time::timeout(Duration::from_millis(500), read).await {
            Err(_) if shared.done.load(Ordering::Relaxed) => return good,
            Err(_) => {}
            Ok(Ok(())) => drop(shared.received.fetch_add(new, Ordering::Relaxed)),
            Ok(Err(error)) => {
                good.lost = Some(error.to_string());
                return good;
            }
        }
    }
}

/// Reads for a while and then never again; when it was cut off.
pub(crate) async fn stop(
    mut socket: Socket,
    reads: Duration,
    shared: Arc<Shared>,
) -> Option<Duration> {
    let until = Instant::now() + reads;
    while Instant::now() < until {
        tokio::time::timeout_at(until.into(), socket.read(|_| {}))
            .await
            .ok();
    }
    while !shared.done.load(Ordering::Relaxed) {
        if socket.is_cut() {
            return Some(shared.began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

pub(crate) async fn read_slowly(seen: Arc<Mutex<Slow>>, shared: Arc<Shared>) {
    let bytes = shared.slow_rate / 4;
    loop {
        let cursor = seen.lock().expect("no panic").cursor.clone();
        let auth =
            serde_json::json!({ "cursor": cursor, "filters": { "types": crowd::SLOW_FILTER } });
        let auth = auth.to_string();
        let connecting = Socket::connect_small(shared.address, &auth, SMALL);
        let Ok(mut socket) = connecting.await else {
            tokio::time::sleep(SLOW_EVERY).await;
            continue;
        };
        seen.lock().expect("no panic").connections += 1;
        let mut tick = tokio::time::interval(SLOW_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // The receive buffer may hold less than what is to be taken.
            let mut left = bytes;
            while left > 0 {
                let took = socket.read_some(left, |packet| {
                    let mut seen = seen.lock().expect("no panic");
                    match crowd::read(packet) {
                        Packet::Update(update) => seen.progress.take(update),
                        Packet::Other(name) => *seen.notices.entry(name).or_default() += 1,
                    }
                    if let Some(cursor) = cursor_of(packet) {
                        seen.cursor = Some(cursor);
                    }
                });
                let Ok(took) = took.await else { break };
                seen.lock().expect("no panic").bytes += took;
                left -= took;
            }
            if left > 0 {
                break;
            }
        }
    }
}

fn cursor_of(packet: &[u8]) -> Option<String> {
    let (_, body): (String, Value) = serde_json::from_slice(packet).ok()?;
    body["cursor"].as_str().map(str::to_owned)
}
