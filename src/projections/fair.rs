//! Fair eviction: the project that has most loses something, so that nobody makes a projection forget another's things.

use std::{collections::HashMap, hash::Hash};

/// The entries that go, so that no more than `target` is left: first those of the accounts that have most, down to an
/// equal level, and then, if that is not enough, those of all accounts. Each is given with its account and its weight,
/// in the order in which those of one account go.
pub(super) fn leaving<A: Copy + Eq + Hash, K>(ranked: Vec<(A, usize, K)>, target: usize) -> Vec<K> {
    let mut holds: HashMap<A, usize> = HashMap::new();
    for (account, weight, _) in &ranked {
        *holds.entry(*account).or_default() += weight;
    }
    let mut total: usize = holds.values().sum();
    let level = level(holds.values().copied().collect(), target);
    let (mut ranked, mut going) = (ranked, Vec::new());
    for only_above in [true, false] {
        let mut staying = Vec::with_capacity(ranked.len());
        for (account, weight, key) in ranked {
            let held = holds.entry(account).or_default();
            if total > target && (!only_above || *held > level) {
                total -= weight;
                *held -= weight;
                going.push(key);
            } else {
                staying.push((account, weight, key));
            }
        }
        ranked = staying;
    }
    going
}

/// The most that each account may hold, so that all of them together hold no more than `target`.
pub(super) fn level(mut holds: Vec<usize>, target: usize) -> usize {
    holds.sort_unstable();
    let (mut left, mut others) = (target, holds.len());
    for held in holds {
        if held * others > left {
            return left / others;
        }
        left -= held;
        others -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_fits_whatever_is_below_it() {
        assert_eq!(level(vec![10, 100, 40], 90), 40);
        assert_eq!(level(vec![10, 100, 60], 90), 40);
        assert_eq!(level(vec![1, 1, 1], 2), 0);
        assert_eq!(level(vec![5], 9), usize::MAX);
        assert_eq!(level(Vec::new(), 9), usize::MAX);
    }

    #[test]
    fn whoever_has_most_makes_room_and_then_everybody() {
        let two = || {
            let small = (0..3).map(|n| ("small", 1, n));
            small.chain((10..20).map(|n| ("large", 1, n))).collect()
        };
        assert_eq!(leaving(two(), 13), Vec::<i32>::new());
        assert_eq!(leaving(two(), 10), [10, 11, 12]);
        assert_eq!(leaving(two(), 4).len(), 9);
        assert_eq!(leaving(two(), 0).len(), 13);
    }
}
