//! A connection with the bus that is made again whenever it breaks.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::Client;
use tokio::time::{sleep, timeout};

use super::{counters::BusCounters, options::LinkTimes};
use crate::{breaker::Breaker, journal::Journal};

/// The first wait between two tries; each later one is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The interval at which a node looks whether the bus is its own to listen to.
const LEAD_INTERVAL: Duration = Duration::from_millis(250);

/// One connection: for channels, or for streams.
#[derive(Debug)]
pub(super) struct Link {
    /// `channels` or `streams`.
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) times: LinkTimes,
    pub(super) counters: BusCounters,
    pub(super) breaker: Arc<Breaker>,
    /// Says whether this is the node that listens to the bus.
    pub(super) journal: Arc<dyn Journal>,
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
    #[error("the places in the streams can't be read: {0}")]
    Positions(String),
    #[error("another node listens to the bus now")]
    Relieved,
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
        journal: Arc<dyn Journal>,
    ) -> Self {
        counters.connected(name, false);
        Self {
            name,
            client,
            times,
            counters,
            breaker,
            journal,
            is_up: AtomicBool::new(false),
        }
    }

    /// Serves for ever, while this node is the one that listens: connects again whenever the connection ends.
    pub(super) async fn keep(&self, serving: &mut impl Serve) {
        let mut delay = FIRST_RETRY_DELAY;
        loop {
            // Of several nodes one takes each message.
            while !self.journal.leads() {
                sleep(LEAD_INTERVAL).await;
            }
            let Some(probe) = self.breaker.probe() else {
                let wait = self.breaker.retry_in().unwrap_or(FIRST_RETRY_DELAY);
                sleep(wait.max(Duration::from_millis(1))).await;
                continue;
            };
            let served = tokio::select! {
                served = serving.serve(self) => served,
                () = self.is_relieved() => Err(Fault::Relieved),
            };
            let fault = match served {
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

    /// Returns when another node listens to the bus.
    async fn is_relieved(&self) {
        while self.journal.leads() {
            sleep(LEAD_INTERVAL).await;
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

/// The number of messages that came over a connection.
#[derive(Debug, Default)]
pub(super) struct Heard(AtomicU64);

impl Heard {
    /// Counts a message.
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for an answer that may stand behind many messages: while these come, the bus is there, and a connection made
    /// anew would lose all that wait.
    pub(super) async fn answer<T>(
        &self,
        within: Duration,
        answer: impl Future<Output = redis::RedisResult<T>>,
    ) -> Result<T, Fault> {
        let mut answer = pin!(answer);
        loop {
            let before = self.0.load(Ordering::Relaxed);
            match timeout(within, &mut answer).await {
                Ok(answer) => return Ok(answer?),
                Err(_) if self.0.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(Fault::Timeout(within)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn an_answer_behind_messages_is_waited_for_and_a_silent_bus_is_not() {
        let heard = Heard::default();
        let messages = async |many: u32| {
            for _ in 0..many {
                sleep(WITHIN / 2).await;
                heard.count();
            }
        };
        // The answer comes after messages that took ten times as long as it may take alone.
        let late = async {
            messages(20).await;
            Ok(7)
        };
        assert_eq!(heard.answer(WITHIN, late).await.unwrap(), 7);
        // No more messages come, and no answer.
        let begun = Instant::now();
        let silent = async {
            messages(3).await;
            std::future::pending::<redis::RedisResult<()>>().await
        };
        let fault = heard.answer(WITHIN, silent).await.unwrap_err();
        assert!(matches!(fault, Fault::Timeout(WITHIN)), "{fault}");
        let silence = begun.elapsed() - WITHIN / 2 * 3;
        assert!((WITHIN..=WITHIN * 2).contains(&silence), "{silence:?}");
    }
}
