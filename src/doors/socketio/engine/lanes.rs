//! Finds the lane of a session, since a polling session's upgrade comes as a request of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use socketioxide::socket::Sid;

use crate::{
    doors::socketio::engine::{CloseReason, ExpressLane, LaneLimits, senders::Senders},
    observe::Metrics,
};

/// All lanes, held weakly.
#[derive(Debug)]
pub(in crate::doors::socketio) struct Lanes {
    /// Never held across an await.
    inner: Mutex<Inner>,
    limits: LaneLimits,
    /// The lists in which lanes wait for their senders.
    senders: Senders,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Sessions that began with polling.
    polling: HashMap<Sid, Weak<ExpressLane>>,
    /// Sessions that began with a WebSocket: listed only to end them all.
    express: Vec<Weak<ExpressLane>>,
    /// The number of lanes at which they are swept.
    sweep_at: usize,
}

/// The time that a polling session has to fetch its last messages.
const LAST_POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// The interval at which the lanes are checked while they drain.
const DRAIN_CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// The time without progress after which draining is given up.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Fewer lanes than this are never swept.
const SWEEP_MIN: usize = 64;

impl Lanes {
    pub(in crate::doors::socketio) fn new(limits: LaneLimits, metrics: Arc<Metrics>) -> Self {
        Self {
            inner: Mutex::default(),
            limits,
            senders: Senders::new(&metrics.sockets),
            metrics,
        }
    }

    /// A new session's lane.
    pub(in crate::doors::socketio) fn express(&self) -> Arc<ExpressLane> {
        let lane = ExpressLane::express(self.limits, self.senders.list(), self.metrics.clone());
        let mut inner = self.lock();
        inner.sweep();
        inner.express.push(Arc::downgrade(&lane));
        lane
    }

    /// The lane of a session that began with polling, made at the first call.
    pub(in crate::doors::socketio) fn polling(&self, sid: Sid) -> Arc<ExpressLane> {
        let mut inner = self.lock();
        if let Some(lane) = inner.polling.get(&sid).and_then(Weak::upgrade) {
            return lane;
        }
        inner.sweep();
        let lane = ExpressLane::polling(self.limits, self.senders.list(), self.metrics.clone());
        inner.polling.insert(sid, Arc::downgrade(&lane));
        lane
    }

    /// The lane of a polling session, if it has one.
    pub(in crate::doors::socketio) fn find(&self, sid: Sid) -> Option<Arc<ExpressLane>> {
        self.lock().polling.get(&sid).and_then(Weak::upgrade)
    }

    /// Waits until every client that reads has everything queued; a client that takes nothing for a while is not
    /// awaited.
    pub(in crate::doors::socketio) async fn drain(&self) {
        // The engine doesn't say how many packets wait for polling clients, so these get a fixed time.
        tokio::time::sleep(LAST_POLL_TIMEOUT).await;
        let (mut waiting, mut idle) = (self.waiting(), Duration::ZERO);
        while waiting > 0 && idle < DRAIN_TIMEOUT {
            tokio::time::sleep(DRAIN_CHECK_INTERVAL).await;
            let now = self.waiting();
            idle = if now < waiting {
                Duration::ZERO
            } else {
                idle + DRAIN_CHECK_INTERVAL
            };
            waiting = now;
        }
    }

    /// Kills all lanes.
    pub(in crate::doors::socketio) fn kill_all(&self, why: CloseReason) {
        self.all().iter().for_each(|lane| lane.kill(why));
    }

    fn waiting(&self) -> usize {
        self.all().iter().map(|lane| lane.waiting()).sum()
    }

    fn all(&self) -> Vec<Arc<ExpressLane>> {
        let inner = self.lock();
        let all = inner.polling.values().chain(&inner.express);
        all.filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops entries of lanes that are gone, each time their number has doubled.
    fn sweep(&mut self) {
        if self.polling.len() + self.express.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.polling.retain(|_, lane| lane.strong_count() > 0);
        self.express.retain(|lane| lane.strong_count() > 0);
        self.sweep_at = (self.polling.len() + self.express.len()) * 2;
    }
}
