//! The limits on bodies, and on what is unpacked of them.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::space::Space;
use crate::error::Error;

/// The time that a body waits to be unpacked before its sender is told to come back later.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The limits on a body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// The largest that is read whole.
    pub max: usize,
    /// Time for one that is read whole; the longest pause of one that is streamed.
    pub timeout: Duration,
    /// The pace that a streamed one has to keep up, on average over `timeout`.
    pub bytes_per_second: usize,
    /// The bytes that all of them may hold together.
    pub space: Space,
    /// Of those that are compressed.
    pub packed: PackedLimits,
    /// How often it is looked whether one with a place still comes at the pace that it needs, while others wait for one.
    pub patience: Duration,
}

/// The limits on unpacking.
#[derive(Debug, Clone)]
pub struct PackedLimits {
    /// Bytes that one byte may become, beside a body that may be read whole.
    pub ratio: usize,
    /// A permit for each body that is unpacked.
    places: Arc<Semaphore>,
}

impl PackedLimits {
    /// Lets so many bodies be unpacked at a time.
    pub fn new(ratio: usize, most: usize) -> Self {
        Self {
            ratio,
            places: Arc::new(Semaphore::new(most)),
        }
    }

    /// Waits for one of the permits.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let taking = self.places.clone().acquire_owned();
        match tokio::time::timeout(MAX_WAIT, taking).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Error::new(
                "overloaded",
                "as many compressed bodies are read as may be at a time ([server] max_unpacking); \
                 send this again later, or not compressed",
            )),
        }
    }
}
