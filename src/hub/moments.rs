//! The state at moments of the stream, for those who are being given it.
//!
//! A picture costs nothing while the state stands still; what the state replaces after it is held beside the state. A client
//! that was begun with a picture is given all of that one, however slowly it reads: a state that changes fast would have it
//! begin anew for ever. So moments have a bound together: as much as the state itself may hold. Beyond it those who come are
//! given the newest moment that is kept already, and then what came after it.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::Hub;
use crate::{journal::Seq, projections::state::Picture};

/// How long a moment serves those who come: they catch up from its cursor.
pub(super) const SERVES: Duration = Duration::from_secs(1);
/// A moment counts as no less than this part of the bound, so that there are never many.
const LEAST: usize = 64;

/// The state at one moment.
#[derive(Debug)]
pub(crate) struct Moment {
    /// The state.
    pub(crate) picture: Picture,
    /// The last event in it.
    pub(crate) seq: Seq,
    /// The place after that event.
    pub(crate) cursor: String,
    made: Instant,
    /// It may hold so much beside the state, and counts so in the bound; none for one that has no part in it.
    counts: Option<usize>,
}

impl Moment {
    /// Whether it has no part in the bound, and holds so much that is no longer so that it has to be let go.
    pub(crate) fn is_lost(&self) -> bool {
        self.counts.is_none() && self.picture.is_outdated()
    }

    /// Whether it lasts as long as somebody is being given it.
    pub(crate) fn lasts(&self) -> bool {
        self.counts.is_some()
    }
}

impl Hub {
    /// The state now. It lasts if there is room for one more.
    pub(super) fn present(&mut self) -> Arc<Moment> {
        self.moments.retain(|moment| moment.strong_count() > 0);
        let newest = self.moments.last().and_then(Weak::upgrade);
        if let Some(newest) = newest.filter(|newest| newest.seq == self.seq) {
            return newest;
        }
        let most = self.options.state.max_bytes;
        let counts = self.state.bytes().max(most / LEAST);
        let lasting = self.moments.iter().filter_map(Weak::upgrade);
        let held: usize = lasting.filter_map(|moment| moment.counts).sum();
        let has_room = held == 0 || held + counts <= most;
        let (picture, seq, cursor) = self.picture();
        let moment = Arc::new(Moment {
            picture,
            seq,
            cursor,
            made: Instant::now(),
            counts: has_room.then_some(counts),
        });
        if has_room {
            self.moments.push(Arc::downgrade(&moment));
        } else {
            self.state_metrics.moment_refused();
        }
        moment
    }

    /// The moment that those are given who are sent what came after it: one that lasts, of the last second or the newest that
    /// there is room for.
    pub(super) fn moment(&mut self) -> Arc<Moment> {
        let newest = || self.moments.iter().rev().find_map(Weak::upgrade);
        if let Some(newest) = newest().filter(|newest| newest.made.elapsed() < SERVES) {
            return newest;
        }
        let present = self.present();
        match present.lasts() {
            true => present,
            false => self
                .moments
                .iter()
                .rev()
                .find_map(Weak::upgrade)
                .unwrap_or(present),
        }
    }
}
