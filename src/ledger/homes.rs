//! The homes of a thing, by the producers that named them: actions on agents go by these.

use std::sync::Arc;

use super::{Ledger, pool::key_of};
use crate::event::ThingKind;

/// The projects in which an id is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    /// Projects that unlimited producers named; `None` stands for a thing of no project.
    pub vouched: Vec<Option<Arc<str>>>,
    /// Projects that only producers with tokens for them named.
    pub claimed: Vec<Arc<str>>,
    /// Whether there are no others, because nothing of this kind was forgotten.
    pub are_all: bool,
}

impl Homes {
    /// Whether no known event ever named it.
    pub fn is_empty(&self) -> bool {
        self.vouched.is_empty() && self.claimed.is_empty()
    }

    /// Whether it certainly belongs to this project and to no other. A limited producer's word doesn't count: every
    /// producer can name another's id in its own project.
    pub fn are_only(&self, project: &str) -> bool {
        self.are_all && matches!(&self.vouched[..], [Some(home)] if **home == *project)
    }

    /// Whether it may belong to this project by the word of unlimited producers.
    pub fn may_be(&self, project: &str) -> bool {
        let fits = |home: &Option<Arc<str>>| home.as_deref().is_none_or(|home| home == project);
        self.vouched.is_empty() || self.vouched.iter().any(fits)
    }
}

impl Ledger {
    /// Finds the projects in which an id is known.
    pub fn homes(&self, kind: ThingKind, id: &str) -> Homes {
        let known = self.lock();
        let id = key_of(id);
        let [vouched, claimed] =
            [&known.vouched, &known.claimed].map(|pools| &pools[kind as usize]);
        let homeless = vouched.get(None, id);
        let in_vouched = vouched.homes(id);
        let in_claimed = claimed.homes(id);
        let listed = in_vouched.into_iter().flat_map(|homes| &homes.known);
        let mut homes = Homes {
            vouched: listed.cloned().map(Some).collect(),
            claimed: in_claimed.map_or_else(Vec::new, |homes| homes.known.to_vec()),
            are_all: !known.forgotten.contains(kind)
                && homeless.is_none_or(|thing| !thing.unsure)
                && [in_vouched, in_claimed]
                    .iter()
                    .flatten()
                    .all(|homes| homes.more == 0),
        };
        if homeless.is_some_and(|thing| !thing.unsure) {
            homes.vouched.push(None);
        }
        homes
    }
}
