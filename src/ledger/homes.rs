//! The homes of a thing, by who said them: actions on agents go by these.

use std::sync::Arc;

use super::{Ledger, pool::key_of};
use crate::event::ThingKind;

/// In which projects an id is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    /// Unlimited producers said these; `None` stands for a thing of no project.
    pub vouched: Vec<Option<Arc<str>>>,
    /// Only producers whose tokens name projects said these, each of its own.
    pub claimed: Vec<Arc<str>>,
    /// There are no others: nothing of this kind was forgotten.
    pub are_all: bool,
}

impl Homes {
    /// Whether nobody ever named it, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.vouched.is_empty() && self.claimed.is_empty()
    }

    /// Whether it is certainly of this project and of no other. A limited producer's word doesn't count: anybody can name
    /// another's id in its own project.
    pub fn are_only(&self, project: &str) -> bool {
        self.are_all && matches!(&self.vouched[..], [Some(home)] if **home == *project)
    }

    /// Whether it may be of this project as far as unlimited producers said.
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
