//! The things of an event, as the ledger looks them up.

use smallvec::SmallVec;

use super::{fair::Key, pool::key_of};
use crate::event::{Event, ThingKind};

/// The things of an event that have homes and owners, with their keys. Finding them is work that needs no other event,
/// so it is done before the lock.
#[derive(Debug)]
pub struct Things {
    pub(super) list: SmallVec<[(ThingKind, Key); 6]>,
    /// The key of the project that the event names.
    pub(super) project: Option<Key>,
}

impl Things {
    /// Finds the things of an event.
    pub fn of(event: &Event) -> Self {
        let mut list = SmallVec::new();
        event.things(&mut |kind, id| {
            if !matches!(kind, ThingKind::Project | ThingKind::User) {
                list.push((kind, key_of(id)));
            }
        });
        let project = event.project_id.as_deref().map(key_of);
        Self { list, project }
    }
}
