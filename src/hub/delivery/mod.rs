//! One flush on its way to the members' outlets: each update at once, or in a batch for members that ask for it.
//!
//! The delivery knows no stream. [`Delivery::take_full`] names the members whose queues are full: the loop parks them.

mod batches;

pub(super) use batches::{Batch, send_in_batches};

use super::{member::MemberId, roster::Roster};
use crate::delivery::Outgoing;

/// Buffers of a flush, used again by every one.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The bytes after which a batch is sent before the flush is over.
    max_batch_bytes: usize,
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
            for_batches: Vec::new(),
            layouts: Vec::new(),
            batching: Vec::new(),
            heavy: Vec::new(),
            full: Vec::new(),
        }
    }

    /// Queues an update for each of these members, or adds it to their batches.
    pub(super) fn deliver(
        &mut self,
        roster: &mut Roster,
        update: Outgoing,
        to: &[MemberId],
        changes_layout: bool,
    ) {
        let mut is_batched = false;
        for &id in to {
            let Some(member) = roster.get_mut(id) else {
                continue;
            };
            let form = member.form;
            if let Some(batch) = &mut member.batch {
                if batch.is_empty() {
                    self.batching.push(id);
                }
                batch.push(self.for_batches.len());
                member.batch_bytes += update.form(form).json.len();
                if member.batch_bytes > self.max_batch_bytes {
                    self.heavy.push(id);
                }
                is_batched = true;
            } else if !member.outlet.send(update.form(form)) {
                self.full.push(id);
            }
            roster.touch(id);
        }
        if is_batched {
            self.for_batches.push(update);
            self.layouts.push(changes_layout);
        }
    }

    /// Takes the members whose queues are full: they get nothing more now.
    pub(super) fn take_full(&mut self) -> Vec<MemberId> {
        std::mem::take(&mut self.full)
    }
}
