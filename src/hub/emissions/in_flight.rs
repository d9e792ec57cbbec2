//! Emissions that were taken from their senders and are not queued for their clients yet, counted in bytes.
//!
//! Each sender may have its part of the bound in flight; beyond it the sender waits, so that a fast one is slowed down
//! and nothing grows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::journal::FlowId;

/// The part of the bound that one sender may have in flight.
const SENDERS: usize = 8;

/// The bytes of emissions in flight. A clone shares them.
#[derive(Debug, Clone)]
pub struct InFlight(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    counts: Mutex<Counts>,
    /// Wakes senders that wait for room.
    moved: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    flows: HashMap<FlowId, usize>,
}

/// An emission in flight, until this is dropped.
#[derive(Debug)]
pub struct Flying {
    all: InFlight,
    flow: FlowId,
    bytes: usize,
}

impl InFlight {
    /// Room for so many bytes.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            most,
            counts: Mutex::default(),
            moved: Notify::new(),
        }))
    }

    /// Takes room for an emission, if there is any. One that alone is larger than the bound, or than its sender's part, has
    /// room when nothing else is in its way.
    pub fn try_take(&self, flow: FlowId, bytes: usize) -> Option<Flying> {
        let mut counts = self.lock();
        let own = counts.flows.get(&flow).copied().unwrap_or_default();
        let most = self.0.most;
        let is_beyond_own = own > 0 && own + bytes > most / SENDERS;
        let is_beyond_all = counts.all > 0 && counts.all + bytes > most;
        if is_beyond_own || is_beyond_all {
            return None;
        }
        counts.all += bytes;
        *counts.flows.entry(flow).or_default() += bytes;
        Some(Flying {
            all: self.clone(),
            flow,
            bytes,
        })
    }

    /// The same as soon as there is room.
    pub async fn take(&self, flow: FlowId, bytes: usize) -> Flying {
        loop {
            let mut moved = std::pin::pin!(self.0.moved.notified());
            // From here on a change is not missed.
            moved.as_mut().enable();
            if let Some(flying) = self.try_take(flow, bytes) {
                return flying;
            }
            moved.await;
        }
    }

    /// Returns when nothing of a sender is in flight.
    pub async fn landed(&self, flow: FlowId) {
        loop {
            let mut moved = std::pin::pin!(self.0.moved.notified());
            moved.as_mut().enable();
            if !self.lock().flows.contains_key(&flow) {
                return;
            }
            moved.await;
        }
    }

    /// Bytes of all emissions in flight.
    pub fn bytes(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        counts.all = counts.all.saturating_sub(self.bytes);
        if let Some(own) = counts.flows.get_mut(&self.flow) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                counts.flows.remove(&self.flow);
            }
        }
        drop(counts);
        self.all.0.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bound_holds_however_many_send() {
        let all = InFlight::new(800);
        let mut flying = Vec::new();
        for sender in 0..1_000 {
            flying.extend(all.try_take(FlowId::alone(sender), 90));
        }
        assert_eq!((flying.len(), all.bytes()), (8, 720));
        // One sender has its part, and one emission beyond it only alone.
        drop(flying);
        let (one, other) = (FlowId::alone(1), FlowId::alone(2));
        let first = all.try_take(one, 900).unwrap();
        assert!(all.try_take(one, 1).is_none() && all.try_take(other, 1).is_none());
        let waits = tokio::spawn({
            let all = all.clone();
            async move { all.take(other, 1).await }
        });
        drop(first);
        drop(waits.await.unwrap());
        assert_eq!(all.bytes(), 0);
    }
}
