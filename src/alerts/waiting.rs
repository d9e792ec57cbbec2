//! The posts that wait, by the producer whose events they are about: none has more than its share of the queue, so that a
//! producer whose runs fail by the thousand leaves room for the alerts of others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The numbers of waiting posts. All clones are one.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Locked for moments only, never across an await. A producer without posts is not in it.
    of_producer: Arc<Mutex<HashMap<Arc<str>, usize>>>,
    /// The most posts of one producer.
    most: usize,
}

/// A place among the waiting posts, given back when it is dropped.
#[derive(Debug)]
pub(super) struct WaitingPlace {
    waiting: Waiting,
    /// None for an alert about the server itself, which has no share.
    producer: Option<Arc<str>>,
}

impl Waiting {
    /// The numbers for a queue of so many posts: a producer may have half of it.
    pub(super) fn new(queue: usize) -> Self {
        Self {
            of_producer: Arc::default(),
            most: (queue / 2).max(1),
        }
    }

    /// A place for a post; none if its producer has its share.
    pub(super) fn begin(&self, producer: Option<&Arc<str>>) -> Option<WaitingPlace> {
        if let Some(producer) = producer {
            let mut counts = self.counts();
            let count = counts.entry(producer.clone()).or_default();
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        Some(WaitingPlace {
            waiting: self.clone(),
            producer: producer.cloned(),
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.of_producer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        let Some(producer) = &self.producer else {
            return;
        };
        let mut counts = self.waiting.counts();
        if let Some(count) = counts.get_mut(producer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(producer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_has_half_of_the_queue_and_others_the_rest() {
        let waiting = Waiting::new(4);
        let (eve, ann): (Arc<str>, Arc<str>) = ("user:eve".into(), "user:ann".into());
        let places: Vec<_> = (0..9).map_while(|_| waiting.begin(Some(&eve))).collect();
        assert_eq!(places.len(), 2);
        assert!(waiting.begin(Some(&ann)).is_some() && waiting.begin(None).is_some());
        drop(places);
        assert!(waiting.begin(Some(&eve)).is_some());
        assert!(waiting.counts().is_empty());
    }
}
