//! A node that is taken out of service: it takes no new clients, and sends those that it has elsewhere.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::{DrainMetrics, MoveCause},
    mover::move_all,
    status::{DrainState, DrainStatus},
};
use crate::{
    access::authz::{Session, Sessions},
    cluster::Cluster,
    error::Error,
    timestamp::Timestamp,
};

/// The interval at which clients are looked for that came by a session that was being opened when the drain began.
const LATE_CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// The time that the last clients have after the drain's own before the server stops all the same.
const GRACE: Duration = Duration::from_secs(15);

/// The settings of drains.
#[derive(Debug, Clone)]
pub struct DrainOptions {
    /// The time over which clients are told to connect again, unless a drain names another.
    pub time: Duration,
    /// Knows whether another node can take the clients: else they all wait for this one, and nothing is won by spreading them.
    pub cluster: Cluster,
}

/// Takes a node out of service, and moves clients. It is shared by all doors.
#[derive(Debug)]
pub struct Drain {
    sessions: Arc<Sessions>,
    options: DrainOptions,
    metrics: DrainMetrics,
    /// Whether new clients are refused. Outside the mutex, since each one that comes asks for it.
    refuses: AtomicBool,
    /// The drain under way.
    current: Mutex<Option<Current>>,
    state: watch::Sender<DrainState>,
    /// Whether the server is to stop now.
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Current {
    since: Timestamp,
    until: (Timestamp, Instant),
    stops: bool,
    /// Ends its task.
    over: CancellationToken,
}

impl Drain {
    /// A node that takes clients.
    pub fn new(sessions: Arc<Sessions>, options: DrainOptions, metrics: DrainMetrics) -> Arc<Self> {
        Arc::new(Self {
            sessions,
            options,
            metrics,
            refuses: AtomicBool::new(false),
            current: Mutex::default(),
            state: watch::Sender::new(DrainState::Serving),
            stop: watch::Sender::new(false),
        })
    }

    /// Begins a drain, or sets the time of the present one anew. With `stops` the server stops at the end.
    pub fn start(self: &Arc<Self>, over: Option<Duration>, stops: bool) -> DrainStatus {
        let usual = match self.is_alone() {
            true => Duration::ZERO,
            false => self.options.time,
        };
        let over = over.unwrap_or(usual);
        let (now, until) = (SystemTime::now(), Instant::now() + over);
        let ends = CancellationToken::new();
        {
            let mut current = self.current();
            let before = current.take();
            if let Some(before) = &before {
                before.over.cancel();
            }
            self.refuses.store(true, Ordering::Release);
            *current = Some(Current {
                since: before.as_ref().map_or(now.into(), |before| before.since),
                until: ((now + over).into(), until),
                stops: stops || before.is_some_and(|before| before.stops),
                over: ends.clone(),
            });
            self.is_in(DrainState::Draining);
        }
        let status = self.status();
        let (clients, seconds, stops) = (status.clients, over.as_secs_f64(), status.stops);
        tracing::info!(
            clients,
            seconds,
            stops,
            "clients are sent elsewhere, and new ones are refused"
        );
        let drain = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ends.cancelled() => {}
                () = drain.run(over, stops, &ends) => {}
            }
        });
        status
    }

    /// Ends a drain: the node takes clients again. Those that left stay where they are. Returns whether there was one that
    /// could be ended: not one after which the server already stops.
    pub fn end(&self) -> bool {
        let mut current = self.current();
        if *self.stop.borrow() {
            return false;
        }
        let Some(before) = current.take() else {
            return false;
        };
        before.over.cancel();
        self.refuses.store(false, Ordering::Release);
        self.is_in(DrainState::Serving);
        tracing::info!("clients are taken again");
        true
    }

    /// Refuses a client that comes, and counts it.
    ///
    /// # Errors
    /// `unavailable` while the node is drained.
    pub fn admit(&self, door: &'static str) -> Result<(), Error> {
        if !self.is_on() {
            return Ok(());
        }
        self.metrics.refused(door);
        Err(Error::unavailable(
            "this server is taken out of service: connect again, and another one takes you, or this one when it is back",
        ))
    }

    /// Whether new clients are refused.
    pub fn is_on(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Moves the connections that `chosen` accepts, evenly over a time, and says how many these are. They may come back to
    /// this node.
    pub fn reconnect(&self, over: Duration, chosen: impl Fn(&Session) -> bool) -> usize {
        let chosen = self.sessions.movable(chosen);
        let count = chosen.len();
        let metrics = self.metrics.clone();
        tokio::spawn(async move { move_all(chosen, over, MoveCause::reconnect, &metrics).await });
        count
    }

    /// The status now.
    pub fn status(&self) -> DrainStatus {
        let current = self.current();
        let current = current.as_ref();
        let is_alone = self.is_alone();
        DrainStatus {
            state: *self.state.borrow(),
            since: current.map(|current| current.since),
            until: current.map(|current| current.until.0),
            clients: self.sessions.count(),
            stops: current.is_some_and(|current| current.stops),
            alone: is_alone,
            message: (is_alone && current.is_some()).then_some(
                "no other node shares this one's journal: its clients wait until it takes clients again, or is started again",
            ),
        }
    }

    /// Waits until a drain has left no client, or has taken too long.
    pub async fn drained(&self) {
        let mut state = self.state.subscribe();
        let drained = state.wait_for(|state| *state == DrainState::Drained);
        let until = self.current().as_ref().map(|current| current.until.1);
        if let Some(until) = until {
            timeout_at(until + GRACE, drained).await.ok();
        }
    }

    /// Waits until the server is to stop, since a drain that was to end so is over. Waits for ever if none is.
    pub async fn wants_stop(&self) {
        let mut stop = self.stop.subscribe();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn run(&self, over: Duration, stops: bool, ends: &CancellationToken) {
        let cause = MoveCause::drain;
        let moved = async {
            let all = self.sessions.movable(|_| true);
            move_all(all, over, cause, &self.metrics).await;
            self.move_late(cause, true).await;
        };
        match stops {
            // A client that never leaves must not keep a server that is to stop.
            true => drop(timeout(over + GRACE, moved).await),
            false => moved.await,
        }
        {
            // An end that came before is the last word; one that comes later finds that the server stops.
            let _current = self.current();
            if ends.is_cancelled() {
                return;
            }
            self.is_in(DrainState::Drained);
            if stops {
                self.stop.send_replace(true);
            }
        }
        tracing::info!(clients = self.sessions.count(), "drained");
        self.move_late(cause, false).await;
    }

    /// Moves clients that came late, whose sessions were being opened; until none is left, or for ever.
    async fn move_late(&self, cause: MoveCause, ends: bool) {
        loop {
            let late = self.sessions.movable(|_| true);
            if ends && late.is_empty() {
                return;
            }
            move_all(late, Duration::ZERO, cause, &self.metrics).await;
            sleep(LATE_CHECK_INTERVAL).await;
        }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.options.cluster
    }

    fn is_alone(&self) -> bool {
        !self.options.cluster.has_others()
    }

    fn is_in(&self, state: DrainState) {
        self.metrics.is_in(state);
        self.state.send_replace(state);
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Metrics;

    /// An answer to the end of a drain is true: a server that has been told to stop does so.
    #[tokio::test]
    async fn a_drain_after_which_the_server_already_stops_can_no_longer_be_ended() {
        let options = DrainOptions {
            time: Duration::ZERO,
            cluster: Cluster::default(),
        };
        let sessions = Sessions::new(Metrics::new());
        let drain = Drain::new(sessions, options, DrainMetrics::default());
        let day = Duration::from_secs(86_400);
        drain.start(Some(day), true);
        assert!(drain.end() && !drain.end() && !drain.is_on());
        drain.start(None, true);
        drain.wants_stop().await;
        assert!(!drain.end() && drain.is_on());
        assert_eq!(drain.status().state, DrainState::Drained);
    }
}
