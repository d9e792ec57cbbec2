//! Sessions that have joined no namespace yet. Anybody can open one, so their number and their time are bounded.
//!
//! A WebSocket carries its slot itself. A polling session has no connection that would end with it, so its slot is kept
//! here until the session fetches the answer to its CONNECT, at most for the time that the engine gives it.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use socketioxide::socket::Sid;
use tokio::time::Instant;

use crate::{
    doors::socketio::engine::ExpressLane,
    error::Error,
    net::{Arrival, Live, Quota, QuotaExceeded, QuotaLimits, Slot},
};

/// All sessions that have joined no namespace yet.
#[derive(Debug)]
pub(in crate::doors::socketio) struct Pending {
    quota: Arc<Quota>,
    /// The time that a session has to join.
    lifetime: Duration,
    polling: Mutex<Polling>,
}

#[derive(Debug, Default)]
struct Polling {
    /// Their slots and lanes, which nobody else holds yet. Each counts as a live session: it needs connections to join,
    /// and must not be throttled with new clients of its address.
    slots: HashMap<Sid, (Slot, Arc<ExpressLane>, Option<Live>)>,
    /// The ends of all, in order, since all have the same time.
    ends: VecDeque<(Instant, Sid)>,
    /// Whether a task waits for the next end.
    watched: bool,
}

impl Pending {
    pub(in crate::doors::socketio) fn new(limits: QuotaLimits, lifetime: Duration) -> Arc<Self> {
        Arc::new(Self {
            quota: Quota::new(limits),
            lifetime,
            polling: Mutex::default(),
        })
    }

    /// Takes a slot for a session of this address that is about to be opened. The error says which limit is exhausted.
    pub(in crate::doors::socketio) fn begin(
        &self,
        address: Option<IpAddr>,
    ) -> Result<Slot, (&'static str, Error)> {
        let arrival = Arrival {
            address,
            in_total: true,
            rate: None,
        };
        self.quota.take(arrival).map_err(|exceeded| match exceeded {
            QuotaExceeded::Total => (
                "max_pending_sessions",
                Error::new(
                    "overloaded",
                    "too many sessions have joined no namespace yet; try again later",
                ),
            ),
            QuotaExceeded::Address | QuotaExceeded::Rate => (
                "max_pending_per_address",
                Error::new(
                    "rate_limited",
                    "your address has too many sessions that joined no namespace; join with them or wait",
                ),
            ),
        })
    }

    /// Keeps the slot of a polling session that was opened.
    pub(in crate::doors::socketio) fn opened(
        self: &Arc<Self>,
        sid: Sid,
        slot: Slot,
        lane: Arc<ExpressLane>,
        live: Option<Live>,
    ) {
        let mut polling = self.lock();
        polling.slots.insert(sid, (slot, lane, live));
        polling
            .ends
            .push_back((Instant::now() + self.lifetime, sid));
        if !std::mem::replace(&mut polling.watched, true) {
            tokio::spawn(watch(self.clone()));
        }
    }

    /// Whether a polling session has yet to join a namespace.
    pub(in crate::doors::socketio) fn has(&self, sid: Sid) -> bool {
        self.lock().slots.contains_key(&sid)
    }

    /// Returns the slot of a polling session that has joined a namespace.
    pub(in crate::doors::socketio) fn joined(&self, sid: Sid) {
        self.lock().slots.remove(&sid);
    }

    fn lock(&self) -> MutexGuard<'_, Polling> {
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the sessions whose time is over, and returns the time at which the next one ends.
    fn expire(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut polling = self.lock();
        while let Some((end, sid)) = polling.ends.front().copied() {
            if end > now {
                return Some(end);
            }
            polling.ends.pop_front();
            polling.slots.remove(&sid);
        }
        // A flood is over, so its memory is released.
        *polling = Polling::default();
        None
    }
}

/// Drops sessions in time. The task lives only while there are any.
async fn watch(pending: Arc<Pending>) {
    while let Some(next) = pending.expire() {
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::send_list::SendList, *};
    use crate::{config::Config, observe::Metrics};

    fn lane() -> Arc<ExpressLane> {
        let limits = crate::server::lane_limits(&Config::default());
        let metrics = Metrics::new();
        ExpressLane::polling(limits, SendList::new(&metrics.sockets), metrics)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_kept_until_it_is_joined_or_its_time_is_over() {
        let limits = QuotaLimits {
            total: 2,
            per_address: 2,
            per_second: None,
            exempt: crate::config::Networks::default(),
        };
        let pending = Pending::new(limits, Duration::from_secs(10));
        let address = Some(IpAddr::from([10, 0, 0, 1]));
        let (one, two) = (Sid::new(), Sid::new());
        pending.opened(one, pending.begin(address).unwrap(), lane(), None);
        tokio::time::sleep(Duration::from_secs(5)).await;
        pending.opened(two, pending.begin(address).unwrap(), lane(), None);
        assert_eq!(
            pending.begin(address).unwrap_err().0,
            "max_pending_sessions"
        );
        pending.joined(two);
        assert!(pending.has(one) && !pending.has(two));
        drop(pending.begin(address).unwrap());
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(!pending.has(one));
        assert_eq!(pending.quota.taken(), 0);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let polling = pending.lock();
        assert!(polling.ends.is_empty() && !polling.watched);
    }
}
