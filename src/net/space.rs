//! Space for request bodies: all bodies in memory are bounded together, and those of one address as well.
//!
//! A body waits for its address' share first, and then for the whole: an address whose bodies never end holds up only
//! itself. While others wait, a body that comes too slowly loses its space (see [`super::read_body`]).

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::network::network;
use crate::{error::Error, observe::BodyMetrics};

/// Bytes that each body may hold beside the space, as every connection does: small bodies never wait behind large ones.
pub const FREE_BYTES: usize = 16 * 1_024;
/// The time that a body waits for space before its sender is told to come back later.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Fewer addresses than this are never swept.
const SWEEP_MIN: usize = 64;

/// The space that bodies share.
#[derive(Debug, Clone)]
pub struct Space(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    whole: Arc<Part>,
    /// The most that one address may hold.
    per_address: usize,
    /// The shares of addresses that hold some now, an IPv6 one by its network.
    addresses: Mutex<Addresses>,
    /// Counts bodies that wait, and those that get no space.
    metrics: BodyMetrics,
}

#[derive(Debug, Default)]
struct Addresses {
    parts: HashMap<IpAddr, Weak<Part>>,
    /// The number of addresses at which they are swept.
    sweep_at: usize,
}

/// A part of the space, with the bodies that wait for it.
#[derive(Debug)]
struct Part {
    /// A permit is a byte.
    bytes: Arc<Semaphore>,
    size: usize,
    /// Bodies that wait for some of the bytes.
    waiting: AtomicUsize,
}

/// A body that waits, until it is dropped.
struct Waits<'p>(&'p AtomicUsize);

impl<'p> Waits<'p> {
    fn new(waiting: &'p AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::AcqRel);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Part {
    fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: Arc::new(Semaphore::new(size)),
            size,
            waiting: AtomicUsize::new(0),
        })
    }

    /// The permits for so many bytes. A body larger than the part takes all of it, once nobody else has any.
    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.size)).unwrap_or(u32::MAX)
    }

    fn try_take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let taken = self.bytes.clone();
        taken.try_acquire_many_owned(self.permits(bytes)).ok()
    }

    /// Takes bytes, in the order of the calls.
    async fn take(&self, bytes: usize, waits: impl FnOnce()) -> Option<OwnedSemaphorePermit> {
        if let Some(taken) = self.try_take(bytes) {
            return Some(taken);
        }
        waits();
        let _waits = Waits::new(&self.waiting);
        let taken = self.bytes.clone();
        taken.acquire_many_owned(self.permits(bytes)).await.ok()
    }
}

/// Space held by a body, until it is dropped.
#[derive(Debug)]
pub struct Place {
    /// Dropped first: the address gets its bytes back before all others do.
    _own: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    share: Arc<Part>,
    whole: Arc<Part>,
}

impl Space {
    /// Space for so many bytes, and for so many of one address.
    pub fn new(total: usize, per_address: usize, metrics: BodyMetrics) -> Self {
        Self(Arc::new(Shared {
            whole: Part::new(total),
            per_address: per_address.min(total),
            addresses: Mutex::default(),
            metrics,
        }))
    }

    /// Takes space for so many bytes, in the order of the calls. A body takes all its space at once, so bodies that are
    /// half read never wait for each other.
    ///
    /// # Errors
    /// `overloaded` when there is no space for too long.
    pub async fn take(&self, address: IpAddr, bytes: usize) -> Result<Place, Error> {
        let (share, whole) = (self.share(address), self.0.whole.clone());
        let metrics = &self.0.metrics;
        let mut own = None;
        let both = async {
            own = share.take(bytes, || metrics.waited("address")).await;
            whole.take(bytes, || metrics.waited("total")).await
        };
        let taken = tokio::time::timeout(MAX_WAIT, both).await;
        match (own, taken) {
            (Some(own), Ok(Some(bytes))) => Ok(Place {
                _own: own,
                _bytes: bytes,
                share,
                whole,
            }),
            // If one address may have the whole, the whole is full.
            (own, _) => Err(self.refusal(own.is_some() || share.size == whole.size)),
        }
    }

    /// The same without waiting.
    pub fn try_take(&self, address: IpAddr, bytes: usize) -> Option<Place> {
        let (share, whole) = (self.share(address), self.0.whole.clone());
        Some(Place {
            _own: share.try_take(bytes)?,
            _bytes: whole.try_take(bytes)?,
            share,
            whole,
        })
    }

    /// The counters of bodies; the readers of bodies count further refusals.
    pub(super) fn metrics(&self) -> &BodyMetrics {
        &self.0.metrics
    }

    /// The bytes that nobody holds.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.0.whole.bytes.available_permits()
    }

    /// The number of addresses in the table.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        let addresses = self.0.addresses.lock();
        addresses
            .unwrap_or_else(PoisonError::into_inner)
            .parts
            .len()
    }

    /// The share of an address.
    fn share(&self, address: IpAddr) -> Arc<Part> {
        let addresses = self.0.addresses.lock();
        let mut addresses = addresses.unwrap_or_else(PoisonError::into_inner);
        let key = network(address);
        if let Some(share) = addresses.parts.get(&key).and_then(Weak::upgrade) {
            return share;
        }
        // Addresses without bytes are dropped whenever their number has doubled.
        if addresses.parts.len() >= addresses.sweep_at.max(SWEEP_MIN) {
            addresses.parts.retain(|_, part| part.strong_count() > 0);
            addresses.sweep_at = 2 * addresses.parts.len();
        }
        let share = Part::new(self.0.per_address);
        addresses.parts.insert(key, Arc::downgrade(&share));
        share
    }

    fn refusal(&self, is_total: bool) -> Error {
        let shared = &self.0;
        let reason = if is_total { "total" } else { "address" };
        shared.metrics.refused(reason);
        let message = match is_total {
            true => format!(
                "request bodies fill the {} bytes that they may have together ([server] max_body_bytes_in_flight); \
                 send this again later",
                shared.whole.size
            ),
            false => format!(
                "the request bodies of your address fill the {} bytes that they may have together ([server] \
                 max_body_bytes_per_address); end those that are under way, or send this again later",
                shared.per_address
            ),
        };
        let refusal = Error::new("overloaded", message);
        if is_total {
            refusal
        } else {
            refusal.elsewhere()
        }
    }
}

impl Place {
    /// Whether a body waits that could use this space.
    pub(super) fn is_wanted(&self) -> bool {
        let waits = |part: &Part| part.waiting.load(Ordering::Acquire) > 0;
        waits(&self.whole) || waits(&self.share)
    }

    /// A body that keeps its space for as long as any part of it is held.
    pub(super) fn of(self, body: Bytes) -> Bytes {
        Bytes::from_owner(InPlace { body, _place: self })
    }
}

struct InPlace {
    body: Bytes,
    _place: Place,
}

impl AsRef<[u8]> for InPlace {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
