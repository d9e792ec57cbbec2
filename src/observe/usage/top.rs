//! The names that count most, among any number of them: a bounded list.
//!
//! The list is a space-saving sketch that is pruned in batches. A name that comes back after it was dropped begins at the
//! place of the best one dropped, so a name that counts more now makes its way to the top, whatever was counted before.
//! Its own count begins at zero: a count that is told is never too high.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

/// The bytes that a name costs beside its text.
const ENTRY_BYTES: usize = 96;

/// The counts of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watch {
    /// Updates sent.
    pub updates: u64,
    /// Updates times the clients that got them.
    pub deliveries: u64,
}

/// The names with the most deliveries.
#[derive(Debug)]
pub(super) struct Top {
    counts: HashMap<Arc<str>, (Watch, u64)>,
    /// Names that are kept when the list is pruned; there may be twice as many in between.
    max: usize,
    /// Bytes that the names may hold.
    max_bytes: usize,
    bytes: usize,
    /// The rank of the best name that was dropped: where others begin.
    floor: u64,
    /// Names that were dropped.
    dropped: u64,
}

impl Top {
    pub(super) fn new(max: usize, max_bytes: usize) -> Self {
        Self {
            counts: HashMap::new(),
            max,
            max_bytes,
            bytes: 0,
            floor: 0,
            dropped: 0,
        }
    }

    /// Sets other bounds.
    pub(super) fn bound(&mut self, max: usize, max_bytes: usize) {
        (self.max, self.max_bytes) = (max, max_bytes);
    }

    /// Adds to a name's counts.
    pub(super) fn add(&mut self, name: &str, more: Watch) {
        if let Some((watch, _)) = self.counts.get_mut(name) {
            watch.updates += more.updates;
            watch.deliveries += more.deliveries;
            return;
        }
        let bytes = name.len() + ENTRY_BYTES;
        if bytes > self.max_bytes / 2 {
            self.dropped += 1;
            return;
        }
        if self.counts.len() >= 2 * self.max || self.bytes + bytes > self.max_bytes {
            self.prune();
        }
        self.bytes += bytes;
        self.counts.insert(name.into(), (more, self.floor));
    }

    /// Keeps the best names: at most `max`, and half of the bytes. So many names come before the next time that a name
    /// costs the same for any bounds.
    fn prune(&mut self) {
        let mut all: Vec<_> = self.counts.drain().collect();
        all.sort_unstable_by(|a, b| rank(&b.1).cmp(&rank(&a.1)).then_with(|| a.0.cmp(&b.0)));
        self.bytes = 0;
        let mut is_full = false;
        for (at, (name, counted)) in all.into_iter().enumerate() {
            let bytes = name.len() + ENTRY_BYTES;
            is_full |= at >= self.max || self.bytes + bytes > self.max_bytes / 2;
            if is_full {
                self.floor = self.floor.max(rank(&counted));
                self.dropped += 1;
            } else {
                self.bytes += bytes;
                self.counts.insert(name, counted);
            }
        }
    }

    /// The best names, most deliveries first.
    pub(super) fn list(&self) -> Vec<(Arc<str>, Watch)> {
        let counts = self.counts.iter();
        let mut all: Vec<_> = counts
            .map(|(name, (watch, _))| (name.clone(), *watch))
            .collect();
        all.sort_unstable_by(|a, b| {
            let key = |watch: &Watch| Reverse((watch.deliveries, watch.updates));
            key(&a.1).cmp(&key(&b.1)).then_with(|| a.0.cmp(&b.0))
        });
        all.truncate(self.max);
        all
    }

    /// The number of names that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn rank((watch, began_at): &(Watch, u64)) -> u64 {
    began_at
        .saturating_add(watch.deliveries)
        .saturating_add(watch.updates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(deliveries: u64) -> Watch {
        Watch {
            updates: 1,
            deliveries,
        }
    }

    #[test]
    fn the_list_is_bounded_and_a_name_that_counts_now_comes_to_the_top() {
        let mut top = Top::new(16, 1 << 20);
        for n in 0..16 {
            top.add(&format!("old{n}"), one(1_000));
        }
        // Between two of its updates so many others come that each time it is dropped or nearly so.
        for round in 0..200 {
            top.add("hot", one(100));
            for n in 0..40 {
                top.add(&format!("noise{round}:{n}"), one(1));
            }
        }
        assert!(top.counts.len() <= 32, "{}", top.counts.len());
        let (name, watch) = top.list().into_iter().next().unwrap();
        assert!(&*name == "hot" || watch.deliveries == 1_000, "{name}");
        let hot = top.list().into_iter().find(|(name, _)| &**name == "hot");
        let (_, hot) = hot.expect("it counts more than all others");
        assert!(hot.deliveries <= 200 * 100, "a count is never too high");
        assert_eq!(top.list().len(), 16);
        assert!(top.dropped() > 7_000);
    }

    #[test]
    fn long_names_are_bounded_in_bytes() {
        let mut top = Top::new(1_000, 10_000);
        for n in 0..1_000 {
            top.add(&format!("{n:0>900}"), one(n));
            assert!(top.bytes <= 10_000, "{}", top.bytes);
        }
        assert!(top.counts.len() <= 10);
        top.add(&"x".repeat(5_000), one(1_000_000));
        assert!(top.list().iter().all(|(name, _)| name.len() == 900));
        let held: usize = top.counts.keys().map(|name| name.len() + ENTRY_BYTES).sum();
        assert_eq!(held, top.bytes);
    }

    #[test]
    fn within_the_bounds_every_count_is_exact() {
        let mut top = Top::new(8, 10_000);
        for n in 0..8 {
            for _ in 0..=n {
                top.add(&format!("n{n}"), one(2));
            }
        }
        let counts: Vec<_> = top
            .list()
            .into_iter()
            .map(|(name, w)| (name, w.deliveries))
            .collect();
        assert_eq!(counts[0], ("n7".into(), 16));
        assert_eq!(counts[7], ("n0".into(), 2));
    }
}
