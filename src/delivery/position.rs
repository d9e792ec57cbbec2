//! The position of the stream: the cursor that the next update carries.

use crate::{
    delivery::{Cursor, Pending},
    journal::{Epoch, Journal, Seq},
};

/// The furthest place that was sent, and the text of the cursor after it.
#[derive(Debug)]
pub(crate) struct Position {
    /// The epoch of every cursor after the beginning; another one when the journal begins a generation.
    epoch: Epoch,
    /// The cursor of the beginning, as it was named before the start.
    began: Cursor,
    /// The furthest event of which an update was sent.
    seq: Seq,
    /// The cursor as observers get it; written once for all updates that carry it.
    text: String,
}

impl Position {
    pub(crate) fn new(journal: &dyn Journal, seq: Seq) -> Self {
        let began = Cursor::of(journal, seq);
        Self {
            epoch: journal.epoch(),
            seq,
            text: began.to_string(),
            began,
        }
    }

    /// Names places by another epoch from now on, if the journal has begun a generation.
    pub(crate) fn follow(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// The cursor after all that was sent, with the updates that are unsent below it.
    pub(crate) fn cursor(&self, pending: &Pending) -> Cursor {
        Cursor {
            epoch: self.epoch,
            seq: self.seq,
            unsent: pending.up_to(self.seq).collect(),
            within: None,
        }
    }

    /// Notes that an update of the event at `seq` was sent.
    pub(crate) fn advance(&mut self, seq: Seq, pending: &Pending) {
        self.seq = self.seq.max(seq);
        self.text = self.name(self.cursor(pending));
    }

    /// The text of the cursor after all that was sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A cursor that names everything up to `seq`, sent or not (for snapshots).
    pub(crate) fn everything_up_to(&self, seq: Seq) -> String {
        self.name(Cursor::at(self.epoch, seq))
    }

    /// A cursor as text: the beginning has the name that it had before the start.
    pub(crate) fn name(&self, mut place: Cursor) -> String {
        if place.seq == self.began.seq && place.within.is_none() {
            place.epoch = self.began.epoch;
        }
        place.readable().to_string()
    }
}
