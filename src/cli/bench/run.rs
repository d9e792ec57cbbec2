//! The state of one run that the producer and all observers share, and the observers' part in it.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::sync::Notify;

use super::{
    limits::MAX_IN_FLIGHT, packet::Reader, reading::Receive, tally::Tally, tracker::Tracker,
};

/// Updates of a closed loop that are remembered: more than are ever on their way.
const SLOTS: u64 = MAX_IN_FLIGHT.next_power_of_two() * 2;
/// The index that no update reaches.
const NEVER: u64 = u64::MAX;

/// An update of a closed loop.
#[derive(Debug, Default)]
struct Slot {
    /// The time at which it was sent, in ns since the run began.
    sent: AtomicU64,
    /// The observers that have it.
    seen: AtomicU32,
}

/// The updates of an open loop: each is due at its time, whenever it is really sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// The index of the first update, and when it is due, in ns since the run began.
    pub(super) first: u64,
    pub(super) start: u64,
    /// Updates per second.
    pub(super) rate: f64,
}

impl Schedule {
    /// The time at which an update is due.
    #[inline]
    pub(super) fn due(&self, index: u64) -> u64 {
        self.start + (index.saturating_sub(self.first) as f64 * 1e9 / self.rate) as u64
    }

    /// The index of the first update that is not yet due.
    pub(super) fn next(&self, now: u64) -> u64 {
        let since = now.saturating_sub(self.start) as f64 / 1e9;
        self.first + (since * self.rate) as u64 + 1
    }
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) observers: u64,
    reader: Reader,
    begun: Instant,
    /// Updates below are probes, which are not checked.
    first: AtomicU64,
    /// Updates below are not measured.
    measured: AtomicU64,
    /// Set by an open loop.
    pub(super) schedule: OnceLock<Schedule>,
    slots: Box<[Slot]>,
    /// Updates of a closed loop that all observers have.
    completed: AtomicU64,
    /// Observers that got a probe.
    ready: AtomicU64,
    /// Checked updates that came for the first time, of all observers.
    delivered: AtomicU64,
    /// Wakes the producer.
    pub(super) progress: Notify,
    /// Observers whose connection ended, and why the first one did.
    pub(super) gone: AtomicU64,
    reason: Mutex<Option<String>>,
    faults: Mutex<Faults>,
    /// The number of updates that were sent, probes left out; set at the end.
    sent: AtomicU64,
}

/// The updates that went wrong, of all observers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) out_of_order: u64,
}

impl Run {
    pub(super) fn new(observers: u64, reader: Reader) -> Arc<Self> {
        Arc::new(Self {
            observers,
            reader,
            begun: Instant::now(),
            first: AtomicU64::new(NEVER),
            measured: AtomicU64::new(NEVER),
            schedule: OnceLock::new(),
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            completed: AtomicU64::new(0),
            ready: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            progress: Notify::new(),
            gone: AtomicU64::new(0),
            reason: Mutex::default(),
            faults: Mutex::default(),
            sent: AtomicU64::new(0),
        })
    }

    /// The time since the run began, in ns.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(NEVER)
    }

    /// From this update on, each observer's sequence is checked.
    pub(super) fn check_from(&self, index: u64) {
        self.first.store(index, Relaxed);
    }

    /// From this update on, latencies are kept.
    pub(super) fn measure_from(&self, index: u64) {
        self.measured.store(index, Relaxed);
    }

    /// Whether a packet of Socket.IO is of the counted event.
    pub(super) fn is_update(&self, packet: &[u8]) -> bool {
        self.reader.is_update(packet)
    }

    pub(super) fn all_ready(&self) -> bool {
        self.ready() >= self.observers
    }

    pub(super) fn ready(&self) -> u64 {
        self.ready.load(Relaxed)
    }

    pub(super) fn completed(&self) -> u64 {
        self.completed.load(Relaxed)
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    pub(super) fn gone(&self) -> u64 {
        self.gone.load(Relaxed)
    }

    /// Notes that an update of a closed loop is sent now.
    pub(super) fn sends(&self, index: u64) {
        let slot = self.slot(index);
        slot.seen.store(0, Relaxed);
        slot.sent.store(self.now(), Relaxed);
    }

    /// Notes the end of an observer's connection.
    pub(super) fn lost_one(&self, reason: String) {
        self.gone.fetch_add(1, Relaxed);
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(reason);
        self.progress.notify_one();
    }

    /// The reason why the first connection ended that did.
    pub(super) fn reason(&self) -> Option<String> {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone()
    }

    /// Ends the sequence; observers that end after this have their losses counted against it.
    pub(super) fn ends(&self, sent: u64) {
        self.sent.store(sent, Relaxed);
    }

    pub(super) fn faults(&self) -> Faults {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, index: u64) -> &Slot {
        &self.slots[(index % SLOTS) as usize]
    }

    #[inline]
    fn due(&self, index: u64) -> u64 {
        match self.schedule.get() {
            Some(schedule) => schedule.due(index),
            None => self.slot(index).sent.load(Relaxed),
        }
    }
}

/// The knowledge of one observer.
#[derive(Debug)]
pub(super) struct Observer {
    run: Arc<Run>,
    tracker: Tracker,
    /// The place of the number in the last update.
    likely: usize,
    is_ready: bool,
    /// The time of this read, its new updates, and whether one of them is now with everybody.
    now: u64,
    fresh: u64,
    has_completed: bool,
}

impl Observer {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self {
            run,
            tracker: Tracker::default(),
            likely: 0,
            is_ready: false,
            now: 0,
            fresh: 0,
            has_completed: false,
        }
    }

    /// Whether all checked updates below this number are there.
    pub(super) fn has_all(&self, wanted: u64) -> bool {
        self.tracker.has_all(wanted)
    }

    fn probe(&mut self, tally: &mut Tally, index: u64, packet: &[u8]) {
        if tally.probe.is_none_or(|(newest, _)| newest < index) {
            // Engine.IO's own byte is a part of the message.
            tally.probe = Some((index, packet.len() + 1));
            self.has_completed = true;
        }
        if !self.is_ready {
            self.is_ready = true;
            self.has_completed = true;
            self.run.ready.fetch_add(1, Relaxed);
        }
    }
}

impl Receive<Tally> for Observer {
    fn begin(&mut self) {
        self.now = self.run.now();
    }

    #[inline]
    fn packet(&mut self, tally: &mut Tally, packet: &[u8]) {
        let Some(index) = self.run.reader.index(packet, &mut self.likely) else {
            tally.other(packet);
            return;
        };
        let first = self.run.first.load(Relaxed);
        if index < first {
            self.probe(tally, index, packet);
            return;
        }
        if !self.tracker.note(index - first) {
            return;
        }
        self.fresh += 1;
        if self.run.schedule.get().is_none() {
            let seen = self.run.slot(index).seen.fetch_add(1, Relaxed) + 1;
            if u64::from(seen) == self.run.observers {
                self.run.completed.fetch_add(1, Relaxed);
                self.has_completed = true;
            }
        }
        if index >= self.run.measured.load(Relaxed) {
            tally.deliveries += 1;
            tally.bytes += packet.len() as u64 + 1;
            tally.last = self.now;
            let due = self.run.due(index);
            tally.latencies.note(self.now.saturating_sub(due));
        }
    }

    fn end(&mut self) {
        self.run
            .delivered
            .fetch_add(std::mem::take(&mut self.fresh), Relaxed);
        if std::mem::take(&mut self.has_completed) {
            self.run.progress.notify_one();
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let sent = self.run.sent.load(Relaxed);
        let faults = self.run.faults.lock();
        let mut faults = faults.unwrap_or_else(PoisonError::into_inner);
        faults.lost += self.tracker.lost(sent);
        faults.doubled += self.tracker.doubled;
        faults.out_of_order += self.tracker.out_of_order;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_even() {
        let schedule = Schedule {
            first: 10,
            start: 1_000,
            rate: 1_000.0,
        };
        assert_eq!(schedule.due(10), 1_000);
        assert_eq!(schedule.due(12), 2_001_000);
        assert_eq!(schedule.next(1_000), 11);
        assert_eq!(schedule.next(2_000_999), 12);
        assert_eq!(schedule.next(2_001_000), 13);
    }
}
