//! A connection with the bus that is made again whenever it breaks.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::Client;
use tokio::time::{sleep, timeout};

use super::{counters::BusCounters, options::LinkTimes};
use crate::breaker::Breaker;

/// The first wait between two tries; each later one is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);

/// One connection: for channels, or for streams.
#[derive(Debug)]
pub(super) struct Link {
    /// `channels` or `streams`.
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) times: LinkTimes,
    pub(super) counters: BusCounters,
    pub(super) breaker: Arc<Breaker>,
    is_up: AtomicBool,
}

/// The reason why a connection ended, or was never made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    #[error("no answer within {0:?} ([bus] timeout)")]
    Timeout(Duration),
    #[error("the bus ended the connection")]
    Ended,
}

/// The use of a connection.
pub(super) trait Serve: Send {
    /// Connects, says when the connection is up, and uses it until it ends.
    fn serve(&mut self, link: &Link) -> impl Future<Output = Result<Infallible, Fault>> + Send;
}

impl Link {
    pub(super) fn new(
        name: &'static str,
        client: Client,
        times: LinkTimes,
        counters: BusCounters,
        breaker: Arc<Breaker>,
    ) -> Self {
        counters.connected(name, false);
        Self {
            name,
            client,
            times,
            counters,
            breaker,
            is_up: AtomicBool::new(false),
        }
    }

    /// Serves for ever: connects again whenever the connection ends.
    pub(super) async fn keep(&self, serving: &mut impl Serve) {
        let mut delay = FIRST_RETRY_DELAY;
        loop {
            let Some(probe) = self.breaker.probe() else {
                let wait = self.breaker.retry_in().unwrap_or(FIRST_RETRY_DELAY);
                sleep(wait.max(Duration::from_millis(1))).await;
                continue;
            };
            let fault = match serving.serve(self).await {
                Ok(never) => match never {},
                Err(fault) => fault,
            };
            if self.is_up.swap(false, Ordering::AcqRel) {
                // The breaker was told that the bus is there; what counts from here on are the tries to connect again.
                drop(probe);
                self.counters.connected(self.name, false);
                let link = self.name;
                tracing::warn!(
                    link,
                    "the connection with the bus ended: {fault}; it is made again"
                );
                delay = FIRST_RETRY_DELAY;
            } else {
                tracing::debug!(link = self.name, "no connection with the bus: {fault}");
                probe.settle(Err(&fault));
            }
            sleep(delay).await;
            delay = (delay * 2).min(self.times.max_retry_delay);
        }
    }

    /// Notes that the connection is up.
    pub(super) fn up(&self) {
        self.is_up.store(true, Ordering::Release);
        self.breaker.succeeded();
        self.counters.connected(self.name, true);
        tracing::info!(link = self.name, "connected with the bus");
    }

    /// Waits for an answer of the bus.
    pub(super) async fn answer<T>(
        &self,
        answer: impl Future<Output = redis::RedisResult<T>>,
    ) -> Result<T, Fault> {
        let within = self.times.timeout;
        match timeout(within, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::Timeout(within)),
        }
    }
}
