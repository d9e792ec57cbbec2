//! The state as it is at one place of the stream, for one that comes, asks, or can't be told what it missed.

use std::sync::Arc;

use super::{Hub, member::MemberId};
use crate::{access::Sight, event::Timestamp};

impl Hub {
    /// The state as far as `sight` sees it.
    pub(super) fn snapshot(&mut self, project: Option<&str>, sight: &Sight) -> Arc<str> {
        // Many ask at the same place of the stream when many come at once.
        let whole = project.is_none() && sight.is_everything();
        let known = self.last_snapshot.as_ref().filter(|_| whole);
        if let Some((_, text)) = known.filter(|(seq, _)| *seq == self.seq) {
            return text.clone();
        }
        let snapshot: Arc<str> = self.write_snapshot(project, sight).into();
        if whole {
            self.last_snapshot = Some((self.seq, snapshot.clone()));
        }
        snapshot
    }

    fn write_snapshot(&self, project: Option<&str>, sight: &Sight) -> String {
        let cursor = self.position.everything_up_to(self.seq);
        self.state
            .snapshot(&cursor, Timestamp::now(), project, sight)
    }

    /// The state, and from then on only what comes after it.
    pub(super) fn send_snapshot(&mut self, member: MemberId) {
        let Some(sight) = self.roster.sight(member) else {
            return;
        };
        let snapshot = self.snapshot(None, &sight);
        let seq = self.seq;
        let cursor = self.position.everything_up_to(self.seq);
        self.tell_json(member, "snapshot", &snapshot, Some(&cursor), true);
        if let Some(member) = self.roster.get_mut(member) {
            member.since = seq;
        }
    }
}
