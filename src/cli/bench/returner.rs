//! A client that leaves and comes back with the cursor of its last update.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use memchr::memmem::find;
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};

use super::{
    client::Client,
    crowd::{Entry, Seat},
    reading::{Receive, Shared},
    run::{Observer, Run},
    tally::{Latencies, Tally},
};

/// The key before a cursor.
const CURSOR: &[u8] = b"\"cursor\":\"";
/// The longest cursor that is taken.
const MAX_CURSOR_BYTES: usize = 16 * 1024;
/// The pause before a client that was not let in tries again.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// The times that it tries.
const TRIES: u32 = 50;

/// The place that all clients are meant to reach.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Here,
    Away,
    /// Back since this moment, and to have all updates below this number (probes left out).
    Back {
        since: Instant,
        wanted: u64,
    },
}

/// The state that all returning clients share.
pub(super) struct Returns {
    pub(super) run: Arc<Run>,
    pub(super) entry: Arc<Entry>,
    pub(super) place: watch::Receiver<Place>,
    /// Clients that come back at a time.
    pub(super) gate: Semaphore,
    /// Whether the time counts from when all were let come back, and not from when a client had its turn.
    pub(super) from_start: bool,
    pub(super) with_cursor: AtomicU64,
    pub(super) away: AtomicU64,
    pub(super) back: AtomicU64,
    pub(super) retries: AtomicU64,
    /// Replays that did not reach back far enough.
    pub(super) incomplete: AtomicU64,
    pub(super) times: Mutex<ReturnTimes>,
}

/// The time that coming back took.
#[derive(Debug, Clone)]
pub(super) struct ReturnTimes {
    /// The time until the client was connected.
    pub(super) connected: Latencies,
    /// The time until it had everything.
    pub(super) complete: Latencies,
}

/// The updates that a client takes in between.
struct Returner {
    observer: Observer,
    returns: Arc<Returns>,
    cursor: Vec<u8>,
    /// Whether the server has said that the replay is over, and that it is not whole.
    has_resumed: bool,
    is_cut_short: bool,
}

impl Receive<Tally> for Returner {
    fn begin(&mut self) {
        self.observer.begin();
    }

    fn packet(&mut self, tally: &mut Tally, packet: &[u8]) {
        if self.returns.run.is_update(packet) {
            self.keep_cursor(packet);
        } else if packet.starts_with(b"2[\"resumed\"") {
            self.has_resumed = true;
            if find(packet, b"\"complete\":false").is_some() {
                self.is_cut_short = true;
                self.returns.incomplete.fetch_add(1, Relaxed);
            }
        }
        self.observer.packet(tally, packet);
    }

    fn end(&mut self) {
        self.observer.end();
    }
}

impl Returner {
    fn keep_cursor(&mut self, packet: &[u8]) {
        let Some(start) = find(packet, CURSOR).map(|at| at + CURSOR.len()) else {
            return;
        };
        let Some(length) = packet[start..].iter().position(|byte| *byte == b'"') else {
            return;
        };
        if length > MAX_CURSOR_BYTES {
            return;
        }
        if self.cursor.is_empty() {
            self.returns.with_cursor.fetch_add(1, Relaxed);
        }
        self.cursor.clear();
        self.cursor
            .extend_from_slice(&packet[start..start + length]);
    }

    fn has_all(&self, wanted: u64) -> bool {
        let has_all = self.is_cut_short || self.observer.has_all(wanted);
        self.cursor.is_empty() || (self.has_resumed && has_all)
    }
}

/// A client's life: it goes and comes back as often as it is told.
pub(super) async fn live(seat: Seat, returns: Arc<Returns>) {
    let Seat {
        nth,
        client,
        shared,
    } = seat;
    let mut client = Some(client);
    let mut place = returns.place.clone();
    let mut returner = Returner {
        observer: Observer::new(returns.run.clone()),
        returns: returns.clone(),
        cursor: Vec::new(),
        has_resumed: false,
        is_cut_short: false,
    };
    let reason = loop {
        let turned = match &mut client {
            Some(client) => tokio::select! {
                biased;
                turned = client.turn(&shared, &mut returner) => Some(turned),
                changed = place.changed() => changed.map_err(|_| String::new()).err().map(Err),
            },
            None => place
                .changed()
                .await
                .map_err(|_| String::new())
                .err()
                .map(Err),
        };
        match turned {
            Some(Err(reason)) => break reason,
            Some(Ok(())) => continue,
            None => {}
        }
        let now = *place.borrow_and_update();
        match now {
            Place::Here => {}
            Place::Away => {
                client = None;
                returner.has_resumed = false;
                returns.away.fetch_add(1, Relaxed);
                returns.run.progress.notify_one();
            }
            Place::Back { since, wanted } => {
                match come_back(nth, since, wanted, &shared, &mut returner).await {
                    Ok(back) => client = Some(back),
                    Err(reason) => break reason,
                }
            }
        }
    };
    returns.run.lost_one(reason);
    std::future::pending::<()>().await;
}

async fn come_back(
    nth: usize,
    since: Instant,
    wanted: u64,
    shared: &Mutex<Shared<Tally>>,
    returner: &mut Returner,
) -> Result<Client, String> {
    let returns = returner.returns.clone();
    let turn = returns.gate.acquire().await;
    let begun = if returns.from_start {
        since
    } else {
        Instant::now()
    };
    let cursor = String::from_utf8_lossy(&returner.cursor).into_owned();
    let cursor = Some(cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let mut tries = 0;
    let mut client = loop {
        match returns.entry.open(nth, cursor).await {
            Ok((client, _)) => break client,
            Err(reason) if tries >= TRIES => return Err(reason),
            // A server that is full for the moment is tried again, as every client does.
            Err(_) => {
                tries += 1;
                returns.retries.fetch_add(1, Relaxed);
                sleep(RETRY_AFTER).await;
            }
        }
    };
    let connected = begun.elapsed();
    while !returner.has_all(wanted) {
        client.turn(shared, returner).await?;
    }
    let complete = begun.elapsed();
    drop(turn);
    let mut times = returns.times.lock().unwrap_or_else(PoisonError::into_inner);
    times.connected.note_time(connected);
    times.complete.note_time(complete);
    drop(times);
    returns.back.fetch_add(1, Relaxed);
    returns.run.progress.notify_one();
    Ok(client)
}
