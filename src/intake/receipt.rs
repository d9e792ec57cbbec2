//! The receipt: the answer to a producer for the events that it published.

use serde::Serialize;

use crate::error::Error;

/// Rejected events that one answer lists: a body without end must not become an answer without end.
const MAX_REJECTED: usize = 1_000;

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The contract's answer to `publish`.
#[derive(Debug, Default, Serialize)]
pub struct Receipt {
    /// New events that are kept now.
    pub accepted: usize,
    /// Events that the journal had already.
    pub duplicates: usize,
    /// Among the accepted: events whose id was there with other content, kept under ids of their own.
    #[serde(skip_serializing_if = "is_none")]
    pub conflicts: usize,
    /// Events that were not accepted.
    pub rejected: Vec<RejectedAt>,
    /// The count of events not taken beyond those that `rejected` lists.
    #[serde(skip_serializing_if = "is_none")]
    pub rejected_more: usize,
    /// The cursor of the call's last kept event; `None` when none is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Present and true when the journal had all of them already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// An event that was not accepted.
#[derive(Debug, Serialize)]
pub struct RejectedAt {
    /// The index of the event in the call.
    pub index: usize,
    /// The reason.
    pub error: Error,
}

impl Receipt {
    /// Adds the answer to the events of one message: it is refused if one of them is, and a repetition if all of them are.
    pub fn add_message(&mut self, events: Self, index: usize) {
        let is_new = events.accepted > 0;
        let counted = Self {
            accepted: usize::from(is_new && events.rejected.is_empty()),
            duplicates: usize::from(!is_new && events.duplicates > 0 && events.rejected.is_empty()),
            rejected: events
                .rejected
                .into_iter()
                .take(1)
                .map(|refused| RejectedAt {
                    index: 0,
                    ..refused
                })
                .collect(),
            rejected_more: 0,
            ..events
        };
        self.add(counted, index);
    }

    /// Adds the answer to a further part of the same call, whose events began at `offset`.
    pub fn add(&mut self, part: Self, offset: usize) {
        self.accepted += part.accepted;
        self.duplicates += part.duplicates;
        self.conflicts += part.conflicts;
        let room = MAX_REJECTED.saturating_sub(self.rejected.len());
        self.rejected_more += part.rejected.len().saturating_sub(room) + part.rejected_more;
        self.rejected
            .extend(part.rejected.into_iter().take(room).map(|r| RejectedAt {
                index: r.index + offset,
                ..r
            }));
        self.cursor = part.cursor.or(self.cursor.take());
        self.duplicate = self.accepted == 0 && self.duplicates > 0 && self.rejected.is_empty();
    }
}
