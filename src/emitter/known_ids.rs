//! The newest ids of each sender's emissions that are not kept, by which a repetition is known.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::journal::FlowId;

/// Senders whose ids are remembered for each of their ids: the bound on all ids is this times as many as one sender has.
const SENDERS: usize = 16;

/// The newest ids of all senders.
#[derive(Debug)]
pub(super) struct KnownIds {
    /// The most ids of one sender.
    most: usize,
    senders: HashMap<FlowId, Known>,
    /// The senders by their last use, the least recent one first.
    by_use: BTreeMap<u64, FlowId>,
    /// All ids that are remembered.
    all: usize,
    /// A number for each use, by which the sender is found that used an id least recently.
    uses: u64,
}

/// The newest ids of one sender.
#[derive(Debug, Default)]
struct Known {
    order: VecDeque<u64>,
    ids: HashSet<u64>,
    used: u64,
}

impl KnownIds {
    /// Remembers so many ids of each sender.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            senders: HashMap::new(),
            by_use: BTreeMap::new(),
            all: 0,
            uses: 0,
        }
    }

    /// Whether a sender has not used an id lately; it has used it from now on.
    pub(super) fn is_new(&mut self, sender: FlowId, id: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let id = hasher.finish();
        self.uses += 1;
        let known = self.senders.entry(sender).or_default();
        self.by_use.remove(&known.used);
        known.used = self.uses;
        self.by_use.insert(known.used, sender);
        if !known.ids.insert(id) {
            return false;
        }
        known.order.push_back(id);
        self.all += 1;
        if known.order.len() > self.most
            && let Some(oldest) = known.order.pop_front()
        {
            known.ids.remove(&oldest);
            self.all -= 1;
        }
        if self.all > self.most.saturating_mul(SENDERS) {
            self.forget_one();
        }
        true
    }

    /// Forgets the sender that used an id least recently.
    fn forget_one(&mut self) {
        if let Some((_, sender)) = self.by_use.pop_first()
            && let Some(forgotten) = self.senders.remove(&sender)
        {
            self.all -= forgotten.order.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ids_of_each_sender_are_known() {
        let mut ids = KnownIds::new(2);
        let (a, b) = (FlowId::alone(1), FlowId::alone(2));
        assert!(ids.is_new(a, "1") && ids.is_new(b, "1") && ids.is_new(a, "2"));
        assert!(!ids.is_new(a, "1") && !ids.is_new(b, "1"));
        assert!(ids.is_new(a, "3"));
        assert!(ids.is_new(a, "1"), "it was the oldest of three");
    }

    #[test]
    fn many_senders_are_forgotten_one_by_one() {
        let mut ids = KnownIds::new(2);
        for sender in 0..1_000 {
            assert!(ids.is_new(FlowId::alone(sender), "1"));
        }
        assert!(ids.all <= 2 * SENDERS);
        assert_eq!(ids.all, ids.senders.len());
        assert_eq!(ids.by_use.len(), ids.senders.len());
        assert!(!ids.is_new(FlowId::alone(999), "1"));
        assert!(ids.is_new(FlowId::alone(0), "1"));
    }
}
