//! The counters of the bus, and its state for `/readyz`.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::observe::quoted;

/// The log tells of refused messages so often, for each reason.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    /// `python`, `node` or `streams`.
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LinkName {
    /// `channels` or `streams`.
    link: &'static str,
}

/// The counters; a clone counts the same.
#[derive(Debug, Clone, Default)]
pub struct BusCounters {
    connected: Family<LinkName, Gauge>,
    connects: Family<LinkName, Counter>,
    received: Family<Kind, Counter>,
    refused: Family<Reason, Counter>,
    unanswered: Counter,
    waiting: Gauge,
    last_message: Gauge<f64, std::sync::atomic::AtomicU64>,
    state: Arc<State>,
}

/// The facts of the bus that no counter holds.
#[derive(Debug, Default)]
struct State {
    links: Mutex<Vec<(&'static str, bool)>>,
    /// Milliseconds since 1970; 0 for never.
    last_message: AtomicI64,
    logged: Mutex<HashMap<&'static str, Logged>>,
}

/// The last line about a reason, and the messages refused since.
#[derive(Debug)]
struct Logged {
    at: Instant,
    since: u64,
}

/// The state of the bus now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusHealth {
    /// The connections, and whether each is up.
    pub links: Vec<(&'static str, bool)>,
    /// The time since the last message; none if there was none.
    pub last_message: Option<Duration>,
}

impl BusHealth {
    /// Whether all connections are up.
    pub fn is_connected(&self) -> bool {
        self.links.iter().all(|(_, is_up)| *is_up)
    }
}

impl BusCounters {
    /// Registers the counters.
    pub fn register(&self, r: &mut Registry) {
        r.register(
            "bus_connected",
            "Whether a connection with the bus is up (1) or not (0): that for channels, that for streams",
            self.connected.clone(),
        );
        r.register(
            "bus_connects",
            "Times that a connection with the bus was made, the first one included",
            self.connects.clone(),
        );
        r.register(
            "bus_received",
            "Messages of the bus, by the kind of their emitter (python, node, streams)",
            self.received.clone(),
        );
        r.register(
            "bus_refused",
            "Messages of the bus that came to nothing, by reason",
            self.refused.clone(),
        );
        r.register(
            "bus_acks_unanswered",
            "Messages of the bus whose sender waits for an acknowledgement, which it does not get",
            self.unanswered.clone(),
        );
        r.register(
            "bus_waiting_bytes",
            "Bytes of messages of the bus that wait to be read",
            self.waiting.clone(),
        );
        r.register(
            "bus_last_message_timestamp_seconds",
            "The time of the last message of the bus, in seconds since 1970",
            self.last_message.clone(),
        );
    }

    /// The state now.
    pub fn health(&self) -> BusHealth {
        let links = self.state.links.lock();
        let links = links.unwrap_or_else(PoisonError::into_inner).clone();
        let last = self.state.last_message.load(Ordering::Relaxed);
        BusHealth {
            links,
            last_message: (last > 0).then(|| {
                let age = now().saturating_sub(last);
                Duration::from_millis(u64::try_from(age).unwrap_or_default())
            }),
        }
    }

    pub(super) fn connected(&self, link: &'static str, is_up: bool) {
        let labels = LinkName { link };
        self.connected.get_or_create(&labels).set(i64::from(is_up));
        if is_up {
            self.connects.get_or_create(&labels).inc();
        }
        let links = self.state.links.lock();
        let mut links = links.unwrap_or_else(PoisonError::into_inner);
        match links.iter_mut().find(|(name, _)| *name == link) {
            Some((_, known)) => *known = is_up,
            None => links.push((link, is_up)),
        }
    }

    pub(super) fn received(&self, kind: &'static str) {
        self.received.get_or_create(&Kind { kind }).inc();
        let now = now();
        self.state.last_message.store(now, Ordering::Relaxed);
        // Millisecond precision needs 41 bits; a float has 53.
        #[allow(clippy::cast_precision_loss)]
        self.last_message.set(now as f64 / 1_000.0);
    }

    pub(super) fn unanswered(&self) {
        self.unanswered.inc();
    }

    pub(super) fn waiting(&self, bytes: usize) {
        self.waiting.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a message that came to nothing, and tells the log, at most once a minute for each reason.
    pub(super) fn refused(&self, reason: &'static str, why: &dyn std::fmt::Display) {
        self.refused.get_or_create(&Reason { reason }).inc();
        let count = {
            let logged = self.state.logged.lock();
            let mut logged = logged.unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            match logged.get_mut(reason) {
                Some(last) => {
                    last.since += 1;
                    if now.duration_since(last.at) < LOG_INTERVAL {
                        return;
                    }
                    last.at = now;
                    std::mem::take(&mut last.since)
                }
                None => {
                    logged.insert(reason, Logged { at: now, since: 0 });
                    1
                }
            }
        };
        let why = quoted(&why.to_string());
        tracing::warn!(reason, count, why, "messages of the bus are refused");
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
