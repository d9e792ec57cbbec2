//! One connected observer, as the hub knows it.

use std::{sync::Arc, time::Instant};

use super::{Outlet, behind::Behind, subscription::Subscription};
use crate::{
    access::authz::Permissions,
    channel::{Listening, Namespace},
    delivery::Outgoing,
    journal::Seq,
};

/// Names a member. A place is given to another when its member is gone; the serial number tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// Where it is found; used again by others later.
    pub(super) slot: usize,
    /// Tells it from others that had its slot.
    pub(super) serial: u64,
}

/// One connected observer.
#[derive(Debug)]
pub(crate) struct Member {
    /// The way to it.
    pub outlet: Arc<dyn Outlet>,
    /// On which namespace it is.
    pub namespace: Namespace,
    /// Its public id.
    pub client_id: Arc<str>,
    /// Its user, for the statistics.
    pub user: Option<Arc<str>>,
    /// The rooms it is in, to leave them all when it goes.
    pub rooms: Vec<Arc<str>>,
    /// The topics it subscribed to.
    pub topics: Listening,
    /// Whether it behaves like one of Seneca's or Marcus' own pages.
    pub page: bool,
    /// Whether it is sent harmless texts.
    pub harmless: bool,
    /// Since when something waits for it without end, while it is live.
    pub waits_since: Option<Instant>,
    /// Where it stands, while it is not live.
    pub behind: Option<Box<Behind>>,
    /// It stands in the queue of those who are behind, perhaps no longer with a reason.
    pub queued: bool,
    /// An aggregate changed while it was not live.
    pub missed_aggregates: bool,
    /// It has everything up to here by a snapshot: what was held then must not be counted twice.
    pub since: Seq,
    /// Updates of this flush that wait to become its batch; `None` unless it asked for batches.
    pub batch: Option<Vec<usize>>,
    /// How much waits to become its batch.
    pub batch_bytes: usize,
    /// Its subscription's number.
    pub(super) subscription: usize,
    /// The number of its permissions.
    pub(super) permissions: usize,
    /// Which of all members there ever were.
    pub(super) serial: u64,
    /// The last update it was considered for.
    pub(super) ticket: u64,
    /// Whether its outlet is to be flushed at the end of this flush.
    pub(super) touched: bool,
}

impl Member {
    /// An update as this member is sent it.
    pub(super) fn shape<'u>(&self, update: &'u Outgoing) -> &'u Outgoing {
        if self.harmless {
            update.harmless()
        } else {
            update
        }
    }
}

/// What is needed to become a member.
#[derive(Debug)]
pub struct JoinRequest {
    /// The way to it.
    pub outlet: Arc<dyn Outlet>,
    /// On which namespace.
    pub namespace: Namespace,
    /// Its public id.
    pub client_id: Arc<str>,
    /// Its user, if it has one.
    pub user: Option<Arc<str>>,
    /// What it wants to see.
    pub subscription: Subscription,
    /// What it may see.
    pub permissions: Permissions,
    /// Whether it takes batches.
    pub batch: bool,
}
