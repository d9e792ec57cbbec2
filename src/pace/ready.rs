//! What may go now: a queue for each priority, in which no entity's updates change places.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Group;
use crate::{event::Priority, journal::Mark};

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// By urgency, most urgent first, each in the order of the marks: groups that share an entity become ready in it.
    queues: [BTreeMap<Mark, Group>; Priority::ALL.len()],
    /// In which queue each entity's groups wait: tells what pushing would overtake without looking at anything else.
    waiting: HashMap<u64, BTreeMap<Mark, usize>>,
}

impl Ready {
    /// Queues a group. Less urgent ones that it would overtake, but that share an entity with it, go up with it.
    pub(super) fn push(&mut self, group: Group) {
        let level = group.priority as usize;
        self.promote(level, &group);
        self.enqueue(level, group);
    }

    /// Up to `max` groups, most urgent first.
    pub(super) fn take(&mut self, max: usize) -> Vec<Group> {
        let mut taken = Vec::with_capacity(max.min(self.len()));
        for level in 0..self.queues.len() {
            while taken.len() < max {
                let Some((key, group)) = self.queues[level].pop_first() else {
                    break;
                };
                self.forget(key, &group);
                taken.push(group);
            }
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(BTreeMap::len).sum()
    }

    pub(super) fn urgent(&self) -> bool {
        !self.queues[Priority::Critical as usize].is_empty()
    }

    fn enqueue(&mut self, level: usize, group: Group) {
        let key = group.mark();
        for &entity in &group.entities {
            self.waiting.entry(entity).or_default().insert(key, level);
        }
        self.queues[level].insert(key, group);
    }

    fn forget(&mut self, key: Mark, group: &Group) {
        for entity in &group.entities {
            if let Some(waiting) = self.waiting.get_mut(entity) {
                waiting.remove(&key);
                if waiting.is_empty() {
                    self.waiting.remove(entity);
                }
            }
        }
    }

    /// Moves to `level` all less urgent groups that are older than `group` and share an entity with it, or with one that
    /// moves and is younger still.
    fn promote(&mut self, level: usize, group: &Group) {
        let mut looked_at: HashSet<(u64, Mark)> = HashSet::new();
        let mut chain: Vec<(u64, Mark)> =
            group.entities.iter().map(|e| (*e, group.mark())).collect();
        while let Some((entity, before)) = chain.pop() {
            if !looked_at.insert((entity, before)) {
                continue;
            }
            let Some(waiting) = self.waiting.get(&entity) else {
                continue;
            };
            let lower = waiting.range(..before).filter(|(_, at)| **at > level);
            let moves: Vec<(Mark, usize)> = lower.map(|(key, at)| (*key, *at)).collect();
            for (key, at) in moves {
                let Some(moved) = self.queues[at].remove(&key) else {
                    continue;
                };
                chain.extend(moved.entities.iter().map(|e| (*e, key)));
                self.enqueue(level, moved);
            }
        }
    }
}
