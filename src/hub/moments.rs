//! The state at moments of the stream, for those who are being given it.
//!
//! A picture costs nothing while the state stands still; what the state replaces after it is held beside the state. A client
//! that was begun with a picture is given all of that one, however slowly it reads: a state that changes fast would have it
//! begin anew for ever. So moments have a bound together: as much as the state itself may hold. Beyond it those who come are
//! given the newest moment that is kept already, and then what came after it.

use std::time::{Duration, Instant};

use crate::{journal::Seq, projections::state::Picture};

/// How long a moment serves those who come: they catch up from its cursor.
pub(super) const MOMENT_LIFETIME: Duration = Duration::from_secs(1);

/// The state at one moment.
#[derive(Debug)]
pub(crate) struct Moment {
    /// The state.
    pub(crate) picture: Picture,
    /// The last event in it.
    pub(crate) seq: Seq,
    /// The place after that event.
    pub(crate) cursor: String,
    /// The time at which the moment was taken.
    pub(super) made: Instant,
    /// It may hold so much beside the state, and counts so in the bound; none for one that has no part in it.
    counts: Option<usize>,
}

impl Moment {
    /// The moment of now; `counts` says how many bytes it counts in the bound, if there was room for it.
    pub(super) fn new(picture: Picture, seq: Seq, cursor: String, counts: Option<usize>) -> Self {
        Self {
            picture,
            seq,
            cursor,
            made: Instant::now(),
            counts,
        }
    }

    /// Bytes that it counts in the bound.
    pub(super) fn counts(&self) -> Option<usize> {
        self.counts
    }

    /// Whether it has no part in the bound, and holds so much that is no longer so that it has to be let go.
    pub(crate) fn is_lost(&self) -> bool {
        self.counts.is_none() && self.picture.is_outdated()
    }

    /// Whether it lasts as long as somebody is being given it.
    pub(crate) fn lasts(&self) -> bool {
        self.counts.is_some()
    }
}
