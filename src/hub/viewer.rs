//! The viewers of a replay segment: everything that decides which updates a member that is behind may receive, without the member.
//!
//! Segments are made in a task of their own, which has no roster. Members of which all this is equal are one viewer, and there
//! are far fewer viewers than members: rooms that are a member's own are left out, for no event names them.

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
    /// Where it is connected: updates of other namespaces are not for it.
    pub(super) namespace: Namespace,
    /// The updates that it wants of its rooms.
    pub(super) subscription: Arc<Subscription>,
    /// The updates that it may see at all.
    pub(super) permissions: Permissions,
    /// Those of its rooms that events can name.
    pub(super) rooms: Vec<Arc<str>>,
    /// What it subscribed to beside them.
    pub(super) topics: Listening,
}

/// The key that tells viewers apart: the subscription and the permissions (each is held once for all who have it), the namespace, the topics, the
/// rooms.
pub(super) type ViewerKey = ([usize; 2], Namespace, u8, Vec<Arc<str>>);

impl Viewer {
    /// The key that tells it from others.
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

    /// Whether it sees an update of an event with these rooms. Which of a rule's own rooms somebody is in is not asked
    /// here: they may be anybody's.
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
