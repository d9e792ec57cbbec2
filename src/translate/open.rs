//! Things of a stream that have begun and not ended: bounded, the one that began first is forgotten.

use std::collections::VecDeque;

/// Things that are open, in the order in which they began.
#[derive(Debug, Clone)]
pub(super) struct Open<T> {
    things: VecDeque<(String, T)>,
    most: usize,
    /// Things that were forgotten since this was last asked.
    forgotten: u64,
}

impl<T> Open<T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            things: VecDeque::new(),
            most,
            forgotten: 0,
        }
    }

    /// Opens a thing, or replaces the one of this id.
    pub(super) fn insert(&mut self, id: &str, thing: T) {
        if let Some(known) = self.get_mut(id) {
            *known = thing;
            return;
        }
        if self.things.len() >= self.most {
            self.things.pop_front();
            self.forgotten += 1;
        }
        self.things.push_back((id.to_owned(), thing));
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        let found = self.things.iter().find(|(known, _)| known == id);
        found.map(|(_, thing)| thing)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        let found = self.things.iter_mut().find(|(known, _)| known == id);
        found.map(|(_, thing)| thing)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let at = self.things.iter().position(|(known, _)| known == id)?;
        self.things.remove(at).map(|(_, thing)| thing)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &T)> {
        self.things.iter().map(|(id, thing)| (id.as_str(), thing))
    }

    /// Takes out those that this says, in their order.
    pub(super) fn take_where(&mut self, is: impl Fn(&str, &T) -> bool) -> Vec<(String, T)> {
        let things = std::mem::take(&mut self.things);
        let (taken, kept): (VecDeque<_>, VecDeque<_>) =
            things.into_iter().partition(|(id, thing)| is(id, thing));
        self.things = kept;
        taken.into()
    }

    pub(super) fn clear(&mut self) {
        self.things.clear();
    }

    pub(super) fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// About how many bytes it holds, with those that each thing says.
    pub(super) fn held(&self, of: impl Fn(&T) -> usize) -> usize {
        let each = |(id, thing): &(String, T)| id.len() + size_of::<(String, T)>() + of(thing);
        self.things.iter().map(each).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thing_that_began_first_is_forgotten_and_counted() {
        let mut open = Open::new(2);
        for (id, thing) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            open.insert(id, thing);
        }
        assert_eq!(open.iter().collect::<Vec<_>>(), [("b", &2), ("c", &4)]);
        assert_eq!((open.take_forgotten(), open.take_forgotten()), (1, 0));
        assert_eq!((open.remove("b"), open.get("b")), (Some(2), None));
        assert_eq!(open.take_where(|_, n| *n == 4), [("c".to_owned(), 4)]);
        assert!(open.held(|_| 1) == 0);
    }
}
