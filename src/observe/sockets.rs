//! Figures of the sockets: bytes in and out, and how long messages took until they were written.
//!
//! A writer reads the clock once for each batch that it wrote, however many messages are in it, and counts each stamped
//! message of the batch. Messages that follow each other and took about as long are counted together.

use std::{sync::Arc, time::Instant};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{
    stamp::{Measure, Stamp},
    times::{Distribution, Run, Times},
};
use crate::event::Priority;

/// The figures of all sockets; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// From accepted to written, by priority.
    latency: [Times; Priority::ALL.len()],
    shown: Family<Urgency, Times>,
    /// From a request to its greeting.
    connect: Times,
    bytes: Family<Direction, Counter>,
    received: Counter,
    sent: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Urgency {
    priority: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    /// `in` or `out`.
    direction: &'static str,
}

/// Counts of one task that writes to several sockets in a row. They are added to the figures at its end: the figures'
/// memory is shared by all threads.
#[derive(Debug)]
pub struct SocketTally<'s> {
    sockets: &'s Sockets,
    /// Messages that follow each other and took about as long.
    run: Option<(Measure, Run)>,
    /// Bytes that were sent.
    sent: usize,
}

impl SocketTally<'_> {
    /// Counts messages whose bytes were written just now. The clock is read only if one of them has a stamp.
    pub fn written(&mut self, stamps: impl Iterator<Item = Stamp>) {
        let mut now = None;
        for stamp in stamps {
            let now = *now.get_or_insert_with(Instant::now);
            let took = now.saturating_duration_since(stamp.since);
            let run = self.run.as_mut();
            let is_taken =
                run.is_some_and(|(measure, run)| *measure == stamp.measure && run.takes(took));
            if !is_taken {
                let over = self.run.replace((stamp.measure, Run::of(took)));
                self.sockets.count(over);
            }
        }
    }

    /// Counts bytes that went to a client.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
    }
}

impl Drop for SocketTally<'_> {
    fn drop(&mut self) {
        self.sockets.count(self.run.take());
        if self.sent > 0 {
            self.sockets.sent(self.sent);
        }
    }
}

impl Default for Inner {
    fn default() -> Self {
        let shown = Family::<Urgency, Times>::default();
        let bytes = Family::<Direction, Counter>::default();
        let times = |priority: Priority| {
            let label = Urgency {
                priority: priority.as_str(),
            };
            shown.get_or_create(&label).clone()
        };
        let way = |direction| bytes.get_or_create(&Direction { direction }).clone();
        Self {
            latency: Priority::ALL.map(times),
            received: way("in"),
            sent: way("out"),
            connect: Times::default(),
            shown,
            bytes,
        }
    }
}

impl Sockets {
    /// Counts messages whose bytes were written just now. The clock is read only if one of them has a stamp.
    pub fn written(&self, stamps: impl Iterator<Item = Stamp>) {
        self.tally().written(stamps);
    }

    /// An empty tally.
    pub fn tally(&self) -> SocketTally<'_> {
        SocketTally {
            sockets: self,
            run: None,
            sent: 0,
        }
    }

    fn count(&self, run: Option<(Measure, Run)>) {
        match run {
            Some((Measure::Update(priority), run)) => {
                self.0.latency[priority as usize].observe_run(run);
            }
            Some((Measure::Connect, run)) => self.0.connect.observe_run(run),
            None => {}
        }
    }

    /// Counts bytes that came from a client.
    pub fn received(&self, bytes: usize) {
        self.0.received.inc_by(bytes as u64);
    }

    /// Counts bytes that went to a client.
    pub fn sent(&self, bytes: usize) {
        self.0.sent.inc_by(bytes as u64);
    }

    /// Bytes in and out since the start of the process.
    pub fn bytes(&self) -> (u64, u64) {
        (self.0.received.get(), self.0.sent.get())
    }

    /// The times from accepted to written since the start of the process, most urgent priority first.
    pub fn latency(&self) -> [Distribution; Priority::ALL.len()] {
        self.0.latency.each_ref().map(Times::snapshot)
    }

    /// The times from request to greeting since the start of the process.
    pub fn connect(&self) -> Distribution {
        self.0.connect.snapshot()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "socket_latency_seconds",
            "From an event's acceptance to its update written to an observer's socket, for each delivery of the live stream, by priority",
            self.0.shown.clone(),
        );
        registry.register(
            "connect_seconds",
            "From a client's request to its greeting written to its socket",
            self.0.connect.clone(),
        );
        registry.register(
            "network_bytes",
            "Bytes of clients' connections, without those of TLS, by direction",
            self.0.bytes.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn measure(kind: u8) -> Measure {
        match Priority::ALL.get(usize::from(kind)) {
            Some(priority) => Measure::Update(*priority),
            None => Measure::Connect,
        }
    }

    proptest! {
        /// A batch counts each message once and by its own measure, however its times are mixed.
        #[test]
        fn a_batch_counts_as_its_messages_one_by_one(
            messages in prop::collection::vec((0_u8..5, 0_u64..400), 0..80),
        ) {
            let start = Instant::now() - Duration::from_secs(1);
            let stamps = messages.iter().map(|&(kind, millis)| Stamp {
                since: start + Duration::from_millis(millis),
                measure: measure(kind),
            });
            let (batch, single) = (Sockets::default(), Sockets::default());
            batch.written(stamps.clone());
            stamps.for_each(|stamp| single.written(std::iter::once(stamp)));
            for (level, times) in batch.latency().iter().enumerate() {
                let own = messages.iter().filter(|(kind, _)| usize::from(*kind) == level);
                prop_assert_eq!(times.count(), own.count() as u64);
                // The clock went on between the two, so the times differ a little.
                let (of_batch, one_by_one) = (times.average_ms(), single.latency()[level].average_ms());
                let difference = of_batch.unwrap_or_default() - one_by_one.unwrap_or_default();
                prop_assert!(difference.abs() < 500.0, "{:?} {:?}", of_batch, one_by_one);
            }
            let greetings = messages.iter().filter(|(kind, _)| *kind == 4).count();
            prop_assert_eq!(batch.connect().count(), greetings as u64);
        }
    }
}
