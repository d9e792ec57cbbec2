//! The updates that have been read but not yet sent.
//!
//! One bit for each of an event's updates says whether it is still unsent. Neighbouring events of which the same
//! updates are unsent are one [`Run`]: a backlog of ten thousand events is one entry, and cursors stay small.

use crate::{journal::Seq, update::Bits};

/// `len` neighbouring events, from `start` on, of which the updates in `unsent` are not yet sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first event.
    pub start: Seq,
    /// The number of events.
    pub len: u64,
    /// One bit for each update that is still to be sent.
    pub unsent: Bits,
}

impl Run {
    fn end(self) -> Seq {
        self.start + self.len
    }
}

/// The set of unsent updates, ordered by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Disjoint and ascending; no two neighbours could be one run.
    runs: Vec<Run>,
}

impl Pending {
    /// Adds an event that is newer than all before it.
    pub fn push(&mut self, seq: Seq, unsent: Bits) {
        self.push_run(Run {
            start: seq,
            len: 1,
            unsent,
        });
    }

    /// Adds several events of which the same updates are unsent.
    pub fn push_run(&mut self, run: Run) {
        if run.unsent == 0 || run.len == 0 {
            return;
        }
        match self.runs.last_mut() {
            Some(last) if last.end() == run.start && last.unsent == run.unsent => {
                last.len += run.len;
            }
            _ => self.runs.push(run),
        }
    }

    /// Marks updates of one event as sent.
    pub fn clear(&mut self, seq: Seq, sent: Bits) {
        let at = self.runs.partition_point(|run| run.end() <= seq);
        let Some(&run) = self.runs.get(at).filter(|run| run.start <= seq) else {
            return;
        };
        let rest = run.unsent & !sent;
        if rest == run.unsent {
            return;
        }
        let before = Run {
            len: seq - run.start,
            ..run
        };
        let middle = Run {
            start: seq,
            len: u64::from(rest != 0),
            unsent: rest,
        };
        let after = Run {
            start: seq + 1,
            len: run.end() - seq - 1,
            unsent: run.unsent,
        };
        self.runs.splice(
            at..=at,
            [before, middle, after].into_iter().filter(|r| r.len > 0),
        );
        self.unite_around(at);
    }

    /// Whether nothing is unsent.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The oldest event with unsent updates.
    pub fn first(&self) -> Option<Seq> {
        self.runs.first().map(|run| run.start)
    }

    /// The unsent updates up to and including `seq`, in order.
    pub fn up_to(&self, seq: Seq) -> impl Iterator<Item = Run> {
        self.runs
            .iter()
            .take_while(move |run| run.start <= seq)
            .map(move |run| Run {
                len: run.len.min(seq + 1 - run.start),
                ..*run
            })
    }

    /// Joins the runs around a changed one: only these can have become one.
    fn unite_around(&mut self, at: usize) {
        let mut i = at.saturating_sub(1);
        while i + 1 < self.runs.len() && i <= at + 2 {
            let (left, right) = (self.runs[i], self.runs[i + 1]);
            if left.end() == right.start && left.unsent == right.unsent {
                self.runs[i].len += right.len;
                self.runs.remove(i + 1);
            } else {
                i += 1;
            }
        }
    }
}
