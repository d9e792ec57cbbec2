//! Sessions that have joined no namespace yet: anybody can open one, so there is a bound on them, and on their time.
//!
//! A WebSocket carries its place itself. A polling session has nothing of its own that would end with it, so its place is
//! kept here: until it fetches the answer to its CONNECT, and at the longest for the time that the engine gives it.

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

/// All of them.
#[derive(Debug)]
pub(in crate::doors::socketio) struct Pending {
    /// How many there may be.
    quota: Arc<Quota>,
    /// How long one may be.
    lifetime: Duration,
    /// The polling ones.
    polling: Mutex<Polling>,
}

#[derive(Debug, Default)]
struct Polling {
    /// Their places, and their lanes, which nobody else holds yet. Each counts as a session that lives: it needs connections
    /// to join, and is not to be throttled with newcomers of its address.
    slots: HashMap<Sid, (Slot, Arc<ExpressLane>, Option<Live>)>,
    /// When each is over: all live equally long, so the first is always the next.
    ends: VecDeque<(Instant, Sid)>,
    /// Whether somebody waits for the next end.
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

    /// A place for a session of this address that is about to be opened, or what is exhausted and what to say of it.
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

    /// A polling session was opened on this place.
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

    /// Whether a polling session is still to join.
    pub(in crate::doors::socketio) fn has(&self, sid: Sid) -> bool {
        self.lock().slots.contains_key(&sid)
    }

    /// A polling session is on a namespace.
    pub(in crate::doors::socketio) fn joined(&self, sid: Sid) {
        self.lock().slots.remove(&sid);
    }

    fn lock(&self) -> MutexGuard<'_, Polling> {
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets those whose time is over; when the next one's is.
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
        // A flood is over: what it took is given back.
        *polling = Polling::default();
        None
    }
}

/// Lives only while there is something to wait for.
async fn watch(pending: Arc<Pending>) {
    while let Some(next) = pending.expire() {
        tokio::time::sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, observe::Metrics};

    fn lane() -> Arc<ExpressLane> {
        let limits = crate::server::lane_limits(&Config::default());
        ExpressLane::polling(limits, Metrics::new())
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
