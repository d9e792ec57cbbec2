//! Remembers a filter's verdicts on names: evaluating a hundred patterns costs more than one look-up.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Names that are remembered for one filter. Producers choose names, so there may be any number; a full map is emptied.
const MAX_NAMES: usize = 64;
/// Longer names are judged anew each time.
const MAX_NAME: usize = 64;
/// Bytes of memory that the map of one filter may hold: each name, and its place in the map.
pub(super) const MOST: usize = MAX_NAMES * (MAX_NAME + 1 + 24);

/// The verdicts of one filter on earlier names. All clients with an equal filter share them, live and behind.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<HashMap<Box<str>, bool>>);

impl Verdicts {
    /// The verdict on an update of an event, by their names; found once.
    pub(super) fn of(&self, update: &str, event: &str, find: impl FnOnce() -> bool) -> bool {
        if update.len() + event.len() > MAX_NAME {
            return find();
        }
        // No name has a space.
        let key = format!("{update} {event}");
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verdict) = known.get(&*key) {
            return *verdict;
        }
        let verdict = find();
        if known.len() >= MAX_NAMES {
            known.clear();
        }
        known.insert(key.into(), verdict);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_found_once_and_names_without_end_take_no_memory() {
        let verdicts = Verdicts::default();
        let mut asked = 0;
        for _ in 0..1_000 {
            let mut find = || {
                asked += 1;
                true
            };
            assert!(verdicts.of("task.update", "task.done", &mut find));
        }
        assert_eq!(asked, 1);
        for n in 0..10_000 {
            assert!(!verdicts.of("generic.update", &format!("a.{n}"), || false));
        }
        let long = "x".repeat(100);
        assert!(verdicts.of(&long, &long, || true));
        let known = verdicts.0.lock().unwrap();
        assert!(known.len() <= MAX_NAMES);
        assert!(known.keys().all(|key| key.len() <= MAX_NAME + 1));
    }
}
