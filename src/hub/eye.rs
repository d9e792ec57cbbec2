//! What somebody who is behind may see, apart from who it is: stretches are made in a task of their own, without the roster.
//!
//! Those with equal eyes share what was found out about them, and there are far fewer eyes than members: rooms
//! that are a member's own are left out, for no event names them.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::view::{Candidate, View};
use crate::{
    access::{OBSERVERS, Subject},
    event::Event,
    journal::Seq,
    update::{Audience, Listening, Namespace, Planned},
};

/// Through what somebody sees the stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Eye {
    /// Where it is connected: updates of other namespaces are not for it.
    pub(super) namespace: Namespace,
    /// What it wants of its rooms.
    pub(super) view: View,
    /// Those of its rooms that events can name.
    pub(super) rooms: Vec<Arc<str>>,
    /// What it subscribed to beside them.
    pub(super) topics: Listening,
}

// Filters hold no floats: what equals at all equals itself.
impl Eq for Eye {}

impl Hash for Eye {
    /// Views are compared only where all else is equal already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.namespace as usize).hash(state);
        self.rooms.hash(state);
    }
}

impl Eye {
    /// Whether it sees an update of an event with these rooms. Which of a rule's own rooms somebody is in is not asked
    /// here: they may be anybody's.
    pub(super) fn sees(&self, planned: &Planned, event: &Event, rooms: &[Box<str>]) -> bool {
        let reached = match &planned.audience {
            Audience::EventRooms => rooms
                .iter()
                .any(|room| self.rooms.iter().any(|r| **r == **room)),
            Audience::Rooms(_) => true,
            Audience::Topic(topic) => self.topics.to(*topic),
        };
        let candidate = Candidate {
            subject: Subject {
                update: planned.kind.name(),
                priority: planned.priority,
                event,
            },
            namespace: planned.kind.namespace(),
            seq: Seq::MAX,
        };
        reached && self.namespace == candidate.namespace && self.view.admits(&candidate)
    }
}

/// Whether an event can name a room by itself.
pub(super) fn matters(room: &str) -> bool {
    room == OBSERVERS || room.contains(':')
}
