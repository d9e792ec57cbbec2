//! What may go now: a queue for each priority, in which no entity's updates change places.

use std::collections::{HashMap, VecDeque};

use super::Group;
use crate::event::Priority;

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// By urgency, most urgent first.
    queues: [VecDeque<Group>; Priority::ALL.len()],
    /// How many groups of an entity wait in each queue: tells in one look whether pushing would overtake.
    waiting: HashMap<u64, [u32; Priority::ALL.len()]>,
}

impl Ready {
    /// Queues a group. Less urgent ones that it would overtake, but that share an entity with it, go up with it.
    pub(super) fn push(&mut self, group: Group) {
        let level = group.priority as usize;
        let overtakes = |counts: &[u32; 4]| counts[level + 1..].iter().any(|&n| n > 0);
        if group
            .entities
            .iter()
            .any(|e| self.waiting.get(e).is_some_and(overtakes))
        {
            self.promote(level, &group);
        }
        self.enqueue(level, group);
    }

    /// Up to `max` groups, most urgent first.
    pub(super) fn take(&mut self, max: usize) -> Vec<Group> {
        let mut taken = Vec::with_capacity(max.min(self.len()));
        for level in 0..self.queues.len() {
            while taken.len() < max {
                let Some(group) = self.queues[level].pop_front() else {
                    break;
                };
                self.forget(level, &group);
                taken.push(group);
            }
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    pub(super) fn urgent(&self) -> bool {
        !self.queues[Priority::Critical as usize].is_empty()
    }

    fn enqueue(&mut self, level: usize, group: Group) {
        for &entity in &group.entities {
            self.waiting.entry(entity).or_default()[level] += 1;
        }
        self.queues[level].push_back(group);
    }

    fn forget(&mut self, level: usize, group: &Group) {
        for entity in &group.entities {
            if let Some(counts) = self.waiting.get_mut(entity) {
                counts[level] -= 1;
                if *counts == [0; 4] {
                    self.waiting.remove(entity);
                }
            }
        }
    }

    /// Moves to `level` all less urgent groups that share an entity with `group`, or with one that moves (newest first,
    /// so that the chain is followed to its start), keeping their order.
    fn promote(&mut self, level: usize, group: &Group) {
        let mut lower: Vec<(usize, Group)> = Vec::new();
        for from in level + 1..self.queues.len() {
            lower.extend(self.queues[from].drain(..).map(|g| (from, g)));
        }
        lower.sort_by_key(|(_, g)| g.last());
        let mut chain = group.entities.to_vec();
        let mut moved = vec![false; lower.len()];
        for (at, (_, g)) in lower.iter().enumerate().rev() {
            if g.entities.iter().any(|e| chain.contains(e)) {
                chain.extend_from_slice(&g.entities);
                moved[at] = true;
            }
        }
        for ((from, g), moves) in lower.into_iter().zip(moved) {
            self.forget(from, &g);
            self.enqueue(if moves { level } else { from }, g);
        }
    }
}
