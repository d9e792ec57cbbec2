//! The requests of `ingest`: what they hold, and what is answered to them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use super::{acks::Acks, packet::Template, target::Target};

/// The state of a run that its requests share.
pub(super) struct Ingest {
    pub(super) target: Target,
    template: Template,
    pad: usize,
    pub(super) batch: u64,
    pub(super) in_flight: u64,
    /// The index of the next event.
    next: AtomicU64,
    begun: Instant,
    /// Requests sent from then on are measured, in ns since the run began.
    measured_from: AtomicU64,
    /// Whether nothing more is to be sent.
    pub(super) is_over: AtomicBool,
    pub(super) acks: Mutex<Acks>,
}

impl Ingest {
    pub(super) fn new(
        target: Target,
        template: Template,
        pad: usize,
        batch: u64,
        in_flight: u64,
    ) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self {
            target,
            template,
            pad,
            batch,
            in_flight,
            next: AtomicU64::new(0),
            begun: Instant::now(),
            measured_from: AtomicU64::new(u64::MAX),
            is_over: AtomicBool::new(false),
            acks: Mutex::new(Acks::new()?),
        }))
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Appends the events of a request, with something between them; the time of sending it.
    pub(super) fn write(&self, out: &mut Vec<u8>, between: u8) -> u64 {
        let first = self.next.fetch_add(self.batch, Relaxed);
        for index in first..first + self.batch {
            if index > first {
                out.push(between);
            }
            self.template.write(out, index, self.pad);
        }
        self.now()
    }

    /// Notes the answer to a request.
    pub(super) fn answered(&self, answer: &[u8], sent: u64) {
        let is_measured = sent >= self.measured_from.load(Relaxed);
        let now = self.now();
        let mut acks = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        acks.note(answer, self.batch, is_measured.then_some(sent), now);
    }

    pub(super) fn answers(&self) -> u64 {
        self.acks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .answers
    }

    /// The requests that are sent from this time on are measured, in ns since the run began.
    pub(super) fn measure_from(&self, start: u64) {
        self.measured_from.store(start, Relaxed);
    }

    /// The events that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.next.load(Relaxed)
    }
}
