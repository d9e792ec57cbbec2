//! The places of requests that wait: so many in all, and so many of one caller, so that none keeps the others out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::metrics::gauge::Gauge;

use crate::error::Error;

/// The places.
#[derive(Debug)]
pub(super) struct Places {
    taken: Arc<Taken>,
    most: (usize, usize),
}

#[derive(Debug)]
struct Taken {
    /// By caller, and in all; held for a look.
    counts: Mutex<(HashMap<Arc<str>, usize>, usize)>,
    waiting: Gauge,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Taken>,
    caller: Arc<str>,
}

impl Places {
    pub(super) fn new(most: (usize, usize), waiting: Gauge) -> Self {
        let counts = Mutex::default();
        Self {
            taken: Arc::new(Taken { counts, waiting }),
            most,
        }
    }

    /// A place for a request of this caller.
    ///
    /// # Errors
    /// `rate_limited`, `overloaded`.
    pub(super) fn take(&self, caller: &Arc<str>) -> Result<Place, Error> {
        let (most, of_one) = self.most;
        let mut counts = self.taken.lock();
        let (callers, all) = &mut *counts;
        let own = callers.get(caller).copied().unwrap_or_default();
        if own >= of_one {
            return Err(Error::new(
                "rate_limited",
                format!(
                    "{own} requests of yours wait for answers already ([inputs] max_waits_per_client); wait for several questions one after the other, or follow /api/v1/stream"
                ),
            ));
        }
        if *all >= most {
            return Err(Error::new(
                "overloaded",
                format!(
                    "{all} requests wait for answers already ([inputs] max_waits); come back later, or follow /api/v1/stream"
                ),
            ));
        }
        *all += 1;
        callers.insert(caller.clone(), own + 1);
        self.taken.waiting.inc();
        drop(counts);
        Ok(Place {
            taken: self.taken.clone(),
            caller: caller.clone(),
        })
    }
}

impl Taken {
    fn lock(&self) -> MutexGuard<'_, (HashMap<Arc<str>, usize>, usize)> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.taken.lock();
        let (callers, all) = &mut *counts;
        *all -= 1;
        if let Some(own) = callers.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                callers.remove(&self.caller);
            }
        }
        self.taken.waiting.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_leaves_room_for_others_and_places_come_back() {
        let gauge = Gauge::default();
        let places = Places::new((3, 2), gauge.clone());
        let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
        let code = |place: Result<Place, Error>| place.map(drop).map_err(|error| error.code);
        let (one, two) = (places.take(&ann).unwrap(), places.take(&ann).unwrap());
        assert_eq!(code(places.take(&ann)), Err("rate_limited"));
        let third = places.take(&bob).unwrap();
        assert_eq!(code(places.take(&bob)), Err("overloaded"));
        assert_eq!(gauge.get(), 3);
        drop(one);
        assert_eq!(code(places.take(&ann)), Ok(()));
        drop((two, third));
        assert_eq!((gauge.get(), places.taken.lock().0.len()), (0, 0));
    }
}
