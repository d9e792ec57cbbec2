//! The viewers of a replay segment: everything that decides which updates a member that is behind may receive, without the member.
//!
//! Segments are made in a task of their own, which has no roster. Members for which all of it is equal are one viewer.
//! There are far fewer viewers than members, because a member's own rooms are left out: no event names them.

use std::sync::Arc;

use super::{
    member::MemberId,
    roster::Roster,
    subscription::{Candidate, Subscription},
};
use crate::{
    access::authz::{OBSERVERS, Permissions},
    channel::{Listening, Namespace},
    event::Event,
    journal::Seq,
    update::{Destination, Planned, UpdateShape},
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
    /// The shape in which they take updates.
    pub(super) shape: UpdateShape,
}

/// The key that tells viewers apart: the subscription and the permissions (each is held once for all who have it), the namespace, the topics, the
/// shape, the rooms.
pub(super) type ViewerKey = ([usize; 2], Namespace, u8, UpdateShape, Vec<Arc<str>>);

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
            self.shape,
            self.rooms.clone(),
        )
    }

    /// Whether it sees an update of an event with these rooms. Rooms that a routing rule sets are not checked here,
    /// because viewers don't record a member's own rooms.
    pub(super) fn sees(&self, planned: &Planned, event: &Event, rooms: &[Box<str>]) -> bool {
        // Whether a member is addressed is asked when it is given the emission.
        if let Some(emission) = &event.emission {
            return self.namespace == emission.namespace
                && self.subscription.admits_name(&emission.event);
        }
        let reached = match &planned.destination {
            Destination::EventRooms => rooms
                .iter()
                .any(|room| self.rooms.iter().any(|r| **r == **room)),
            Destination::Rooms(_) | Destination::Addressed => true,
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

impl Roster {
    /// The viewer that a member is of what it missed.
    pub(crate) fn viewer(&self, id: MemberId) -> Option<Viewer> {
        let member = self.get(id)?;
        Some(Viewer {
            namespace: member.namespace,
            subscription: self.subscriptions.get(member.subscription).clone(),
            permissions: self.permissions.get(member.permissions).clone(),
            rooms: member
                .rooms
                .iter()
                .filter(|r| matters(r))
                .cloned()
                .collect(),
            topics: self.topics(member),
            shape: member.form.shape,
        })
    }

    /// Whether a member is still the same viewer.
    pub(crate) fn sees_as(&self, id: MemberId, viewer: &Viewer) -> bool {
        self.get(id).is_some_and(|member| {
            let rooms = member.rooms.iter().filter(|r| matters(r));
            self.topics(member) == viewer.topics
                && member.form.shape == viewer.shape
                && rooms.eq(&viewer.rooms)
                && Arc::ptr_eq(
                    self.subscriptions.get(member.subscription),
                    &viewer.subscription,
                )
                && self
                    .permissions
                    .get(member.permissions)
                    .is(&viewer.permissions)
        })
    }
}
