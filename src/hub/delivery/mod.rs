//! One flush on its way to the members' outlets: updates in a row for the same members together, or in a batch for members
//! that ask for it.
//!
//! The delivery knows no stream. [`Delivery::take_full`] names the members whose queues are full: the loop parks them.

mod batches;

pub(super) use batches::{Batch, send_in_batches};

use super::{member::MemberId, roster::Roster};
use crate::{
    delivery::{Outgoing, UpdateRun},
    update::Shapes,
};

/// Bytes of updates after which a run is queued: about as many as one write takes, and far fewer than a queue holds.
const MAX_RUN_BYTES: usize = 16 * 1_024;

/// Runs that a queue has room for, however small it is.
const MIN_RUNS: usize = 8;

/// Buffers of a flush, used again by every one.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The bytes after which a batch is sent before the flush is over.
    max_batch_bytes: usize,
    /// The bytes after which a run is queued.
    max_run_bytes: usize,
    /// Updates in a row for the same members, which are not queued yet.
    run: UpdateRun,
    /// The shapes in which the members take these updates.
    run_shapes: Shapes,
    /// Whether each of these updates changes a layout.
    run_layouts: Vec<bool>,
    /// The members that these updates are for.
    to: Vec<MemberId>,
    /// The updates that some members get in a batch; members hold positions in it.
    for_batches: Vec<Outgoing>,
    /// Whether each of these updates changes a layout.
    layouts: Vec<bool>,
    /// Members with a batch to be made.
    batching: Vec<MemberId>,
    /// Members whose batch is large enough to be sent now.
    heavy: Vec<MemberId>,
    /// Members whose queues are full.
    full: Vec<MemberId>,
}

impl Delivery {
    /// A delivery without updates; a batch of more than `max_batch_bytes` is sent before its flush is over.
    pub(super) fn new(max_batch_bytes: usize) -> Self {
        Self {
            max_batch_bytes,
            max_run_bytes: MAX_RUN_BYTES.min(max_batch_bytes / MIN_RUNS),
            run: UpdateRun::default(),
            run_shapes: Shapes::default(),
            run_layouts: Vec::new(),
            to: Vec::new(),
            for_batches: Vec::new(),
            layouts: Vec::new(),
            batching: Vec::new(),
            heavy: Vec::new(),
            full: Vec::new(),
        }
    }

    /// The shapes of the updates that wait for just these members, if another update may join them: an emission joins
    /// emissions only.
    pub(super) fn goes_on(&self, to: &[MemberId], is_emission: bool) -> Option<Shapes> {
        let is_alike = self.is_of_emissions() == is_emission;
        let has_room = is_alike && !self.run.is_empty() && self.run.bytes() < self.max_run_bytes;
        (has_room && self.to == to).then_some(self.run_shapes)
    }

    /// Whether the updates that wait are emissions.
    fn is_of_emissions(&self) -> bool {
        let first = self.run.updates().first();
        first.is_some_and(|update| update.emission().is_some())
    }

    /// Adds an update to those that wait for the same members; there is none that waits for others.
    pub(super) fn add(
        &mut self,
        update: Outgoing,
        to: &[MemberId],
        shapes: Shapes,
        changes_layout: bool,
    ) {
        if self.run.is_empty() {
            self.to.clear();
            self.to.extend_from_slice(to);
            self.run_shapes = shapes;
        }
        self.run.push(update);
        self.run_layouts.push(changes_layout);
    }

    /// Queues the updates that wait for each of their members, or adds them to their batches.
    pub(super) fn deliver(&mut self, roster: &mut Roster) {
        if self.run.is_empty() {
            return;
        }
        // No batch holds an emission: it comes after the batches of the updates before it.
        let is_alone = self.is_of_emissions();
        if is_alone {
            let to = std::mem::take(&mut self.to);
            self.write_batches(roster, &to);
            self.to = to;
        }
        let run = std::mem::take(&mut self.run);
        let to = std::mem::take(&mut self.to);
        let mut is_batched = false;
        for &id in &to {
            let Some(member) = roster.receiver(id) else {
                continue;
            };
            let form = member.form;
            if let Some(batch) = member.batch.as_mut().filter(|_| !is_alone) {
                if batch.is_empty() {
                    self.batching.push(id);
                }
                for (nth, update) in run.updates().iter().enumerate() {
                    batch.push(self.for_batches.len() + nth);
                    member.batch_bytes += update.form(form).json.len();
                }
                if member.batch_bytes > self.max_batch_bytes {
                    self.heavy.push(id);
                }
                is_batched = true;
            } else if !member.outlet.send_run(run.of(form)) {
                self.full.push(id);
            }
            roster.touch(id);
        }
        if is_batched {
            self.for_batches.extend(run.into_updates());
            self.layouts.append(&mut self.run_layouts);
        }
        self.run_layouts.clear();
        self.to = to;
    }

    /// Takes the members whose queues are full: they get nothing more now.
    pub(super) fn take_full(&mut self) -> Vec<MemberId> {
        std::mem::take(&mut self.full)
    }
}
