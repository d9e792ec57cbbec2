//! Space for request bodies: all that are in memory at the same time are bounded together.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Refusal;

/// Every body may hold this much beside the space, as every connection does: small ones never wait behind large ones.
pub const FREE: usize = 16 * 1_024;
/// How long a body waits for space before its sender is told to come back later.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The space that bodies share.
#[derive(Debug, Clone)]
pub struct Space {
    /// A permit is a byte.
    bytes: Arc<Semaphore>,
    /// All of it.
    total: usize,
}

/// A part of the space, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    _bytes: OwnedSemaphorePermit,
}

impl Space {
    /// So many bytes.
    pub fn new(total: usize) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    /// A place for so many bytes, in the order in which places are asked for. A body takes its whole place at once: bodies
    /// that are half read never wait for each other.
    ///
    /// # Errors
    /// `overloaded` when there is none for too long.
    pub async fn take(&self, bytes: usize) -> Result<Place, Refusal> {
        let taking = self.bytes.clone().acquire_many_owned(self.permits(bytes));
        let taken = tokio::time::timeout(MAX_WAIT, taking).await;
        match taken {
            Ok(Ok(bytes)) => Ok(Place { _bytes: bytes }),
            Ok(Err(_)) | Err(_) => Err(Refusal::new(
                "overloaded",
                format!(
                    "request bodies fill the {} bytes that they may have together ([server] max_body_bytes_in_flight); \
                     send this again later",
                    self.total
                ),
            )),
        }
    }

    /// The same without waiting.
    pub fn try_take(&self, bytes: usize) -> Option<Place> {
        let taken = self
            .bytes
            .clone()
            .try_acquire_many_owned(self.permits(bytes));
        taken.ok().map(|bytes| Place { _bytes: bytes })
    }

    /// Bytes that nobody has now.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.bytes.available_permits()
    }

    /// One that is larger than the whole space has its turn when nobody else has any.
    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.total)).unwrap_or(u32::MAX)
    }
}

impl Place {
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
