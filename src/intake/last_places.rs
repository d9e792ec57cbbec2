//! The last place of each producer's events in the journal: an emission that is not kept comes after it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::journal::{FlowId, Seq};

/// Producers whose places are remembered; beyond that all count as having published last of all.
const MOST: usize = 65_536;

/// The last places.
#[derive(Debug, Default)]
pub(super) struct LastPlaces(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    of: HashMap<FlowId, Seq>,
    /// The place of all producers that were forgotten.
    others: Seq,
}

impl LastPlaces {
    /// Notes that a producer's event has this place.
    pub(super) fn note(&self, producer: FlowId, seq: Seq) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.of.len() >= MOST && !places.of.contains_key(&producer) {
            let newest = places.of.values().copied().max().unwrap_or_default();
            places.others = places.others.max(newest);
            places.of.clear();
        }
        let place = places.of.entry(producer).or_default();
        *place = (*place).max(seq);
    }

    /// The last place of a producer.
    pub(super) fn of(&self, producer: FlowId) -> Seq {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.of.get(&producer).copied().unwrap_or(places.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_that_is_forgotten_has_not_an_earlier_place() {
        let places = LastPlaces::default();
        for producer in 0..=MOST as u64 {
            places.note(FlowId::alone(producer), producer + 1);
        }
        assert_eq!(places.of(FlowId::alone(MOST as u64)), MOST as u64 + 1);
        assert_eq!(places.of(FlowId::alone(0)), MOST as u64);
        places.note(FlowId::alone(MOST as u64), 5);
        assert_eq!(places.of(FlowId::alone(MOST as u64)), MOST as u64 + 1);
    }
}
