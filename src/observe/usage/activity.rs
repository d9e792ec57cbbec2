//! The last sign of life of one session, which its door and the hub write without a lock.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// The coarse clock of all activities: whole seconds since the start, moved on by one task. Reading it costs no call.
#[derive(Debug, Clone, Default)]
pub(super) struct Seconds(Arc<AtomicU32>);

impl Seconds {
    pub(super) fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, second: u32) {
        self.0.store(second, Ordering::Relaxed);
    }
}

/// The activity of one session.
#[derive(Debug)]
pub struct Activity {
    clock: Seconds,
    /// The second in which the client last sent something or was sent something.
    last: AtomicU32,
    /// The second in which it was last parked; `u32::MAX` if it never was.
    parked: AtomicU32,
    /// Whether it is parked now.
    is_parked: AtomicBool,
    /// Whether somebody said goodbye: without one the connection was lost.
    said_goodbye: AtomicBool,
}

impl Activity {
    pub(super) fn new(clock: Seconds) -> Arc<Self> {
        Arc::new(Self {
            last: AtomicU32::new(clock.now()),
            clock,
            parked: AtomicU32::new(u32::MAX),
            is_parked: AtomicBool::new(false),
            said_goodbye: AtomicBool::new(false),
        })
    }

    /// The client sent something, or was sent something.
    pub fn touch(&self) {
        let now = self.clock.now();
        // Most calls come in the second of the one before: then nothing is written, and no cache line is taken from others.
        if self.last.load(Ordering::Relaxed) != now {
            self.last.store(now, Ordering::Relaxed);
        }
    }

    /// The client reads too slowly and was parked.
    pub fn parked(&self) {
        self.parked.store(self.clock.now(), Ordering::Relaxed);
        self.is_parked.store(true, Ordering::Relaxed);
    }

    /// The client is live again.
    pub fn live(&self) {
        self.is_parked.store(false, Ordering::Relaxed);
    }

    /// The session ends because its client or the server wants it to: the connection is not lost.
    pub fn goodbye(&self) {
        self.said_goodbye.store(true, Ordering::Relaxed);
    }

    /// Whether the connection is lost, once it is gone.
    pub(super) fn is_lost(&self) -> bool {
        !self.said_goodbye.load(Ordering::Relaxed)
    }

    /// Whether it did anything since a second.
    pub(super) fn is_active_since(&self, second: u32) -> bool {
        self.last.load(Ordering::Relaxed) >= second
    }

    /// Whether it is parked, or was since a second.
    pub(super) fn is_degraded_since(&self, second: u32) -> bool {
        let parked = self.parked.load(Ordering::Relaxed);
        self.is_parked.load(Ordering::Relaxed) || (parked != u32::MAX && parked >= second)
    }
}
