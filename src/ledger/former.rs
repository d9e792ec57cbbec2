//! Things as an earlier version knew them, before events were settled.

use std::sync::Arc;

use super::{
    Ledger,
    pool::{Entry, key_of},
};
use crate::event::ThingKind;

/// A thing as an earlier version knew it.
#[derive(Debug)]
pub struct Former<'a> {
    /// Its kind.
    pub kind: ThingKind,
    /// Its id.
    pub id: &'a str,
    /// Its home.
    pub project: Option<Arc<str>>,
    /// The user that it was named with.
    pub owner: Option<Arc<str>>,
    /// Whether the user was named as the owner.
    pub sure: bool,
    /// Whether several users use it.
    pub shared: bool,
}

impl<'a> Former<'a> {
    /// A thing of no project, of which nothing else is known.
    pub fn homeless(kind: ThingKind, id: &'a str) -> Self {
        Self {
            kind,
            id,
            project: None,
            owner: None,
            sure: false,
            shared: false,
        }
    }
}

impl Ledger {
    /// Takes these things over, and the kinds of which something was forgotten.
    pub fn take_over<'a>(&self, things: impl Iterator<Item = Former<'a>>, forgotten: &[ThingKind]) {
        let mut known = self.lock();
        forgotten
            .iter()
            .for_each(|kind| known.forgotten.insert(*kind));
        let none = Arc::from("");
        for thing in things {
            let account = thing.project.clone().unwrap_or_else(|| Arc::clone(&none));
            let entry = Entry {
                id: key_of(thing.id),
                project: thing.project,
                owner: thing.owner,
                sure: thing.sure,
                shared: thing.shared,
                ..Entry::default()
            };
            known.add(thing.kind, false, &account, entry);
        }
    }
}
