//! Space for request bodies: all that are in memory at the same time are bounded together, and those of one address, too.
//!
//! A body waits for its address' share first, and then for the whole: an address whose bodies never end holds up itself.
//! While others wait, a body that doesn't come at its pace gives its place away (see [`super::read_body`]).

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

use super::quota::network;
use crate::{error::Error, observe::BodyMetrics};

/// Every body may hold this much beside the space, as every connection does: small ones never wait behind large ones.
pub const FREE_BYTES: usize = 16 * 1_024;
/// How long a body waits for space before its sender is told to come back later.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Fewer addresses than this are never swept.
const SWEEP_MIN: usize = 64;

/// The space that bodies share.
#[derive(Debug, Clone)]
pub struct Space(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// All of it.
    whole: Arc<Part>,
    /// The most that one address may have.
    per_address: usize,
    /// The parts of the addresses that have some now, an IPv6 one by its network.
    addresses: Mutex<Addresses>,
    /// Counts who waits, and who waits in vain.
    metrics: BodyMetrics,
}

#[derive(Debug, Default)]
struct Addresses {
    parts: HashMap<IpAddr, Weak<Part>>,
    /// When to look for addresses to forget.
    sweep_at: usize,
}

/// Bytes that are given away, and how many bodies wait for some.
#[derive(Debug)]
struct Part {
    /// A permit is a byte.
    bytes: Arc<Semaphore>,
    /// How many there are.
    size: usize,
    /// Bodies that wait for some of them.
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

    /// One that is larger than all of it has its turn when nobody else has any.
    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.size)).unwrap_or(u32::MAX)
    }

    fn try_take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let taken = self.bytes.clone();
        taken.try_acquire_many_owned(self.permits(bytes)).ok()
    }

    /// In the order in which it is asked for.
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

/// A part of the space, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    /// Free for its address before it is for all.
    _own: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    /// The address' part.
    share: Arc<Part>,
    whole: Arc<Part>,
}

impl Space {
    /// So many bytes, and so many of them for one address.
    pub fn new(total: usize, per_address: usize, metrics: BodyMetrics) -> Self {
        Self(Arc::new(Shared {
            whole: Part::new(total),
            per_address: per_address.min(total),
            addresses: Mutex::default(),
            metrics,
        }))
    }

    /// A place for so many bytes, in the order in which places are asked for. A body takes its whole place at once: bodies
    /// that are half read never wait for each other.
    ///
    /// # Errors
    /// `overloaded` when there is none for too long.
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
            // Where one address may have all of it, it is the whole that is full.
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

    /// Counts the bodies that are refused beside those that find no place.
    pub(super) fn metrics(&self) -> &BodyMetrics {
        &self.0.metrics
    }

    /// Bytes that nobody has now.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.0.whole.bytes.available_permits()
    }

    /// Addresses that are remembered.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        let addresses = self.0.addresses.lock();
        addresses
            .unwrap_or_else(PoisonError::into_inner)
            .parts
            .len()
    }

    /// The part of an address.
    fn share(&self, address: IpAddr) -> Arc<Part> {
        let addresses = self.0.addresses.lock();
        let mut addresses = addresses.unwrap_or_else(PoisonError::into_inner);
        let key = network(address);
        if let Some(share) = addresses.parts.get(&key).and_then(Weak::upgrade) {
            return share;
        }
        // Those that have nothing are forgotten whenever there are twice as many as had something the last time.
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
        Error::new("overloaded", message)
    }
}

impl Place {
    /// Whether somebody waits whom this place would help.
    pub(super) fn is_wanted(&self) -> bool {
        let waits = |part: &Part| part.waiting.load(Ordering::Acquire) > 0;
        waits(&self.whole) || waits(&self.share)
    }

    /// The body keeps its place for as long as anybody holds a part of it.
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
