//! Where the stream stands: the cursor that the next update carries.

use crate::{
    delivery::{Cursor, Pending},
    journal::{Epoch, Seq},
};

/// The furthest place that was sent, with what is unsent below it, and the text of that.
#[derive(Debug)]
pub(crate) struct Position {
    /// In every cursor: tells this journal from others.
    epoch: Epoch,
    /// The furthest event of which anything was sent.
    seq: Seq,
    /// The cursor as observers get it; written once for all updates that carry it.
    text: String,
}

impl Position {
    pub(crate) fn new(epoch: Epoch, seq: Seq) -> Self {
        Self {
            epoch,
            seq,
            text: Cursor::at(epoch, seq).to_string(),
        }
    }

    /// All that was sent, with what is unsent below it.
    pub(crate) fn cursor(&self, pending: &Pending) -> Cursor {
        Cursor {
            epoch: self.epoch,
            seq: self.seq,
            unsent: pending.up_to(self.seq).collect(),
            within: None,
        }
    }

    /// Something of the event at `seq` was sent.
    pub(crate) fn advance(&mut self, seq: Seq, pending: &Pending) {
        self.seq = self.seq.max(seq);
        self.text = self.cursor(pending).readable().to_string();
    }

    /// The cursor that names all that was sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A cursor that names everything up to `seq`, sent or not (for snapshots).
    pub(crate) fn everything_up_to(&self, seq: Seq) -> String {
        Cursor::at(self.epoch, seq).to_string()
    }
}
