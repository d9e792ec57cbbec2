//! The viewers of a replay segment: everything that decides which updates a member that is behind may receive, without the member.
//!
//! Segments are made in a task of their own, which has no roster. Members for which all of it is equal are one viewer.
//! There are far fewer viewers than members, because a member's own rooms are left out: no event names them.

use std::sync::Arc;

use super::subscription::{Candidate, Subscription};
use crate::{
    access::authz::{OBSERVERS, Permissions},
    channel::{Listening, Namespace},
    event::Event,
    journal::Seq,
    update::{Destination, Planned},
};

/// Everything that decides which updates a catching-up client may receive.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(super) namespace: Namespace,
    pub(super) subscription: Arc<Subscription>,
    pub(super) permissions: Permissions,
    /// The rooms of the members that events can name.
    pub(super) rooms: Vec<Arc<str>>,
    pub(super) topics: Listening,
}

/// The key that tells viewers apart: the subscription and the permissions (each is held once for all who have it), the namespace, the topics, the
/// rooms.
pub(super) type ViewerKey = ([usize; 2], Namespace, u8, Vec<Arc<str>>);

impl Viewer {
    /// The key that tells it from other viewers.
    pub(super) fn key(&self) -> ViewerKey {
        (
            [
                Arc::as_ptr(&self.subscription).addr(),
                self.permissions.address(),
            ],
            self.namespace,
            self.topics.bits(),
            self.rooms.clone(),
        )
    }

    /// Whether it sees an update of an event with these rooms. Rooms that a routing rule sets are not checked here,
    /// because viewers don't record a member's own rooms.
    pub(super) fn sees(&self, planned: &Planned, event: &Event, rooms: &[Box<str>]) -> bool {
        let reached = match &planned.destination {
            Destination::EventRooms => rooms
                .iter()
                .any(|room| self.rooms.iter().any(|r| **r == **room)),
            Destination::Rooms(_) => true,
            Destination::Topic(topic) => self.topics.to(*topic),
        };
        let candidate = Candidate::of(planned, event, Seq::MAX);
        reached
            && self.namespace == candidate.namespace
            && self.subscription.admits(&candidate)
            && self.permissions.may_see(event)
    }
}

/// Whether an event can name a room by itself.
pub(super) fn matters(room: &str) -> bool {
    room == OBSERVERS || room.contains(':')
}
