//! The limits on bodies, and on unpacking them.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::space::Space;
use crate::error::Error;

/// The time that a body waits to be unpacked before its sender is told to come back later.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The limits on a body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// The largest body that is read whole.
    pub max: usize,
    /// The setting that says so.
    pub max_key: &'static str,
    /// Time for a body that is read whole; the longest pause of a streamed one.
    pub timeout: Duration,
    /// The least pace of a streamed body, on average over `timeout`.
    pub bytes_per_second: usize,
    /// The space that all bodies share.
    pub space: Space,
    /// The limits on compressed bodies.
    pub packed: PackedLimits,
    /// The interval at which the pace of a body is checked while others wait for its space.
    pub patience: Duration,
}

/// The limits on unpacking.
#[derive(Debug, Clone)]
pub struct PackedLimits {
    /// Bytes that one byte may become, beyond the size of a body that is read whole.
    pub ratio: usize,
    /// A permit for each body that is unpacked.
    places: Arc<Semaphore>,
}

impl PackedLimits {
    /// Limits to so many bodies that are unpacked at a time.
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
