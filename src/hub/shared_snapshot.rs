//! A snapshot for all who see the same: its parts are found once, and each is written once while somebody is being given it.

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

/// Tells snapshots of one moment apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SnapshotOf {
    /// Says what may be seen.
    pub(crate) permissions: Permissions,
    /// The namespace that it is sent on.
    pub(crate) namespace: Namespace,
    /// Only what is of this project, if that is asked for.
    pub(crate) project: Option<String>,
}

/// A snapshot for all who see the same.
#[derive(Debug)]
pub(crate) struct SharedSnapshot {
    pub(super) snapshot: Snapshot,
    /// For whom and of what it is.
    pub(super) of: SnapshotOf,
    /// The moment that it is of.
    pub(super) moment: Arc<Moment>,
    /// It serves those who come for a while from then on.
    pub(super) made: Instant,
    /// Each part as long as a client is being given it.
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

    /// The snapshot that is shared.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether its moment lasts as long as somebody is being given it.
    pub(crate) fn lasts(&self) -> bool {
        self.moment.lasts()
    }

    /// Whether it is of this moment, for just this.
    pub(crate) fn is_of(&self, moment: &Arc<Moment>, of: &SnapshotOf) -> bool {
        Arc::ptr_eq(&self.moment, moment) && self.of == *of
    }

    /// A part that a client is being given.
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
