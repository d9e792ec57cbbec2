//! Timeouts of an HTTP connection: each of its states has its own.
//!
//! ```text
//!  new ──────▶ head ──▶ request under way ──▶ idle ──▶ head …
//!  └ header_timeout ┘   └ its handler's limits ┘ └ idle_timeout ┘ └ header_timeout ┘
//! ```
//!
//! In every state, a connection ends whose client takes none of its bytes for `stall_timeout`.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// The longest time for each state.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the head of a request, from its first byte or from the start of the connection.
    pub header: Duration,
    /// For a connection between two requests.
    pub idle: Duration,
    /// For a client that takes nothing of its response.
    pub stall: Duration,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct ConnectionTimeouts {
    /// Locked when the state changes, never for a byte.
    state: Mutex<State>,
    /// Whether the first byte of a head would change the state. Each read asks this, so it needs no lock.
    awaits_head: AtomicBool,
    /// Whether the last write made no progress; outside the lock for the same reason.
    blocked: AtomicBool,
    /// Wakes the watcher when the state changes.
    changed: Notify,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// Requests in flight.
    requests: usize,
    /// Whether a head is awaited (a new connection owes one at once).
    head: bool,
    /// The time at which this state began.
    since: Instant,
    /// The time since which a write makes no progress.
    blocked: Option<Instant>,
}

impl ConnectionTimeouts {
    /// The timeouts of a new connection.
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                requests: 0,
                head: true,
                since: Instant::now(),
                blocked: None,
            }),
            awaits_head: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Notes that bytes were read.
    pub(super) fn bytes_came(&self) {
        if self.awaits_head.swap(false, Ordering::AcqRel) {
            self.change(|state| state.head = true);
        }
    }

    /// Notes that a write was tried, and whether it is pending.
    pub(super) fn wrote(&self, pending: bool) {
        // Progress restarts the time, so it is noted as well.
        if pending != self.blocked.swap(pending, Ordering::AcqRel) {
            let mut state = self.lock();
            state.blocked = pending.then(Instant::now);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Notes that a head is whole.
    pub(super) fn request_began(&self) {
        self.awaits_head.store(false, Ordering::Release);
        self.change(|state| {
            state.requests += 1;
            state.head = false;
        });
    }

    /// Notes that a response is out, or that nobody wants it any more.
    pub(super) fn request_ended(&self) {
        let mut idle = false;
        self.change(|state| {
            state.requests = state.requests.saturating_sub(1);
            idle = state.requests == 0;
        });
        self.awaits_head.store(idle, Ordering::Release);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.since = Instant::now();
        drop(state);
        self.changed.notify_one();
    }

    /// Returns when a state has lasted too long, with the name of the limit.
    pub(super) async fn overdue(&self, timeouts: Timeouts) -> &'static str {
        loop {
            let state = *self.lock();
            let end = state.ends(timeouts);
            tokio::select! {
                () = self.changed.notified() => {}
                () = until(end.map(|(end, _)| end)) => if let Some((_, name)) = end {
                    return name;
                },
            }
        }
    }

    /// Returns when no request is in flight.
    pub(super) async fn quiet(&self) {
        while self.lock().requests > 0 {
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time at which the state ends, and the limit.
    fn ends(&self, timeouts: Timeouts) -> Option<(Instant, &'static str)> {
        if let Some(blocked) = self.blocked {
            return Some((blocked + timeouts.stall, "stalled"));
        }
        match (self.requests, self.head) {
            (0, true) => Some((self.since + timeouts.header, "header_timeout")),
            (0, false) => Some((self.since + timeouts.idle, "idle_timeout")),
            _ => None,
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        stall: Duration::from_secs(20),
    };

    async fn ends_after(traffic: &ConnectionTimeouts) -> (&'static str, u64) {
        let started = Instant::now();
        let name = traffic.overdue(TIMEOUTS).await;
        (name, started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_limit() {
        let traffic = ConnectionTimeouts::new();
        assert_eq!(ends_after(&traffic).await, ("header_timeout", 10));
        traffic.request_began();
        let waited = tokio::time::timeout(Duration::from_secs(9_999), ends_after(&traffic)).await;
        assert!(waited.is_err(), "a request takes the time it takes");
        traffic.request_ended();
        assert_eq!(ends_after(&traffic).await, ("idle_timeout", 75));
        traffic.bytes_came();
        assert_eq!(ends_after(&traffic).await, ("header_timeout", 10));
        traffic.request_began();
        traffic.wrote(true);
        assert_eq!(ends_after(&traffic).await, ("stalled", 20));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_one_at_a_time_don_t_buy_time() {
        let traffic = ConnectionTimeouts::new();
        let drip = async {
            loop {
                tokio::time::sleep(Duration::from_secs(3)).await;
                traffic.bytes_came();
            }
        };
        tokio::select! {
            ended = ends_after(&traffic) => assert_eq!(ended, ("header_timeout", 10)),
            () = drip => {}
        }
    }
}
