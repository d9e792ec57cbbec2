//! The state at moments of the stream, for clients that are being given it.
//!
//! A picture costs nothing while the state stands still; what the state replaces after it is held beside the state. A
//! client that was begun with a picture is given all of that one, however slowly it reads: a state that changes fast
//! would have it begin anew for ever. So moments have a bound together: as much as the state itself may hold. Beyond it
//! new clients are given the newest moment that is kept already, and then the updates after it.

use std::time::{Duration, Instant};

use crate::{journal::Seq, projections::state::Picture};

/// The time that a moment serves new clients: they catch up from its cursor.
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
    /// The bytes that it may hold beside the state, and counts in the bound; none for a moment that counts nothing.
    counts: Option<usize>,
}

impl Moment {
    /// The moment of now; `counts` is the number of bytes that it counts in the bound, if there was room for it.
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

    /// Whether it counts nothing in the bound and holds so many replaced entities that it has to be let go.
    pub(crate) fn is_lost(&self) -> bool {
        self.counts.is_none() && self.picture.is_outdated()
    }

    /// Whether it lasts as long as a client is being given it.
    pub(crate) fn lasts(&self) -> bool {
        self.counts.is_some()
    }
}
