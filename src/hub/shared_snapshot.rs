//! A snapshot for all clients of equal permissions: its parts are found once, and each is written once while a client
//! is being given it.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use super::moments::Moment;
use crate::{
    access::authz::Permissions,
    channel::Namespace,
    delivery::Outgoing,
    projections::state::{Snapshot, Walk},
    timestamp::Timestamp,
};

/// The facts that tell snapshots of one moment apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SnapshotOf {
    pub(crate) permissions: Permissions,
    pub(crate) namespace: Namespace,
    /// The project that was asked for; none for all of them.
    pub(crate) project: Option<String>,
}

/// A snapshot that clients of equal permissions share.
#[derive(Debug)]
pub(crate) struct SharedSnapshot {
    pub(super) snapshot: Snapshot,
    pub(super) of: SnapshotOf,
    pub(super) moment: Arc<Moment>,
    /// The time from which it serves new clients for a while.
    pub(super) made: Instant,
    /// Each part, for as long as a client is being given it.
    parts: Vec<Mutex<Weak<Outgoing>>>,
}

impl SharedSnapshot {
    /// Finds the parts of a moment's picture.
    pub(crate) fn new(moment: Arc<Moment>, of: SnapshotOf, part_bytes: usize) -> Self {
        let picture = moment.picture.clone();
        let walk = Walk::new(picture, of.permissions.clone(), of.project.as_deref());
        let cursor = moment.cursor.clone();
        let snapshot = Snapshot::new(walk, cursor, Timestamp::now(), part_bytes);
        Self {
            parts: (0..snapshot.parts()).map(|_| Mutex::default()).collect(),
            snapshot,
            of,
            moment,
            made: Instant::now(),
        }
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether its moment lasts as long as a client is being given it.
    pub(crate) fn lasts(&self) -> bool {
        self.moment.lasts()
    }

    /// Whether it is a snapshot of this moment, with these permissions and this project.
    pub(crate) fn is_of(&self, moment: &Arc<Moment>, of: &SnapshotOf) -> bool {
        Arc::ptr_eq(&self.moment, moment) && self.of == *of
    }

    /// A part that is written, because a client is being given it.
    pub(super) fn ready(&self, part: usize) -> Option<Arc<Outgoing>> {
        let part = self.parts.get(part.checked_sub(1)?)?;
        part.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade()
    }

    /// Writes a part.
    pub(super) fn write(&self, part: usize) -> Option<Arc<Outgoing>> {
        let json = self.snapshot.part(part)?;
        let mut update = Outgoing::new(self.of.namespace, "snapshot", json);
        if part == self.snapshot.parts() {
            update = update.at(self.snapshot.cursor());
        }
        let update = Arc::new(update);
        let place = self.parts.get(part - 1)?;
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&update);
        Some(update)
    }
}
