//! One connected observer, as the hub knows it.

use std::{sync::Arc, time::Instant};

use super::{Outlet, behind::Behind, subscription::Subscription};
use crate::{
    access::authz::Permissions,
    channel::{Listening, Namespace},
    delivery::{Form, Outgoing},
    emission::Emission,
    journal::Seq,
    observe::usage::Activity,
    update::UpdateShape,
};

/// Names a member. A slot is used again when its member is gone; the serial number tells the members apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    pub(super) slot: usize,
    pub(super) serial: u64,
}

/// One connected observer; the fields that each delivery needs come first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Member {
    pub(super) serial: u64,
    pub outlet: Arc<dyn Outlet>,
    /// The updates of this flush that wait for its batch; `None` unless it asked for batches.
    pub batch: Option<Vec<usize>>,
    /// The form of the updates that it is sent.
    pub form: Form,
    /// Whether its outlet is to be flushed at the end of this flush.
    pub(super) touched: bool,
    pub namespace: Namespace,
    /// The second in which its last sign of life was last written.
    pub(super) touched_in: Option<u32>,
    /// The last update that it was considered for, so that it gets each update once.
    pub(super) ticket: u64,
    /// Its place and progress, while it is not live.
    pub behind: Option<Box<Behind>>,
    /// The place up to which a snapshot gave it everything: updates held at that time must not be counted twice.
    pub since: Seq,
    pub(super) subscription: usize,
    pub(super) permissions: usize,
    /// Its last sign of life; none in a roster without a loop.
    pub(super) activity: Option<Arc<Activity>>,
    pub client_id: Arc<str>,
    pub user: Option<Arc<str>>,
    /// The rooms it is in, to leave all of them when it goes.
    pub rooms: Vec<Arc<str>>,
    /// The rooms among these that the server put it into, whatever its claims are.
    pub placed: Vec<Arc<str>>,
    pub topics: Listening,
    /// Whether it behaves like one of Seneca's or Marcus' own pages.
    pub page: bool,
    /// Whether it has said nothing, as Seneca's pipeline dashboard does.
    pub silent: bool,
    /// Whether its queue had no room for the last emission: none waits for it any more.
    pub is_slow: bool,
    /// The time at which its queue was last empty, while it is live: slow members are found by it.
    pub waits_since: Option<Instant>,
    /// Whether it is in the queue of members that are behind, perhaps no longer with a reason: it must not be queued
    /// twice.
    pub queued: bool,
    /// Whether an aggregate changed while it was not live.
    pub missed_aggregates: bool,
    pub batch_bytes: usize,
}

impl Member {
    /// Whether it is in one of the rooms of an emission, and in none that are left out.
    pub(super) fn is_addressed(&self, emission: &Emission, skips_own_rooms: bool) -> bool {
        let is_in = |room: &String| {
            let key = self.namespace.room_key(room);
            self.rooms.iter().any(|one| **one == *key)
        };
        let is_own = |room: &String| *self.client_id == **room;
        let mut rooms = emission.rooms.iter();
        (emission.rooms.is_empty()
            || rooms.any(|room| is_in(room) && !(skips_own_rooms && is_own(room))))
            && !emission.except.iter().any(is_in)
    }

    /// An update in the form that this member is sent.
    pub(super) fn form_of<'u>(&self, update: &'u Outgoing) -> &'u Outgoing {
        update.form(self.form)
    }
}

/// The facts that the hub needs to make a client a member.
#[derive(Debug)]
pub struct JoinRequest {
    /// The way out to the client.
    pub outlet: Arc<dyn Outlet>,
    /// The namespace that it is connected to.
    pub namespace: Namespace,
    /// The client's public id.
    pub client_id: Arc<str>,
    /// The client's user, if it has one.
    pub user: Option<Arc<str>>,
    /// The updates that it wants of its rooms.
    pub subscription: Subscription,
    /// The updates that it may see at all.
    pub permissions: Permissions,
    /// Whether it takes batches.
    pub batch: bool,
    /// The shape in which it takes updates.
    pub shape: UpdateShape,
    /// Whether it says nothing of itself and came as a page does that leaves everything to its library: Seneca's pipeline
    /// dashboard is known by nothing else.
    pub silent: bool,
}
