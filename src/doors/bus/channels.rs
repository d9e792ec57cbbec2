//! Channels: messages that are there once, for those who listen at that moment.
//!
//! The reader only moves messages from the connection to a queue that is counted in bytes, so that the bus never waits for
//! Stoa. A message for which the queue has no room is dropped and counted: pub/sub knows no second time.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::StreamExt;
use redis::{Msg, Value};
use tokio::{sync::mpsc, time::interval};

use super::{
    carrier::{Arrival, Carrier},
    counters::BusCounters,
    link::{Fault, Heard, Link, Serve},
    message::MessageLimits,
    node,
    options::BusOptions,
    pace::Pace,
    python::{self, ListData},
    refusal::Refusal,
};

/// Messages that are read and carried on together.
const AT_A_TURN: usize = 64;
/// Bytes of messages after which those that are read are carried on: read, they may be several times as large.
const BYTES_AT_A_TURN: usize = 256 << 10;
/// About what a message holds in the queue beside its own bytes.
const OVERHEAD: usize = 96;

/// A message that waits to be read.
#[derive(Debug)]
struct Waiting {
    kind: Kind,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Python,
    Node,
}

/// Listens to the channels.
#[derive(Debug)]
pub(super) struct Channels {
    python: Vec<String>,
    patterns: Vec<String>,
    limits: MessageLimits,
    max_waiting: usize,
    pace: Pace,
    queue: mpsc::UnboundedSender<Waiting>,
    /// Bytes in the queue.
    bytes: Arc<AtomicUsize>,
}

/// Reads what waits, and carries it on.
#[derive(Debug)]
pub(super) struct ChannelReader {
    carrier: Arc<Carrier>,
    counters: BusCounters,
    lists: ListData,
    limits: MessageLimits,
    queue: mpsc::UnboundedReceiver<Waiting>,
    bytes: Arc<AtomicUsize>,
}

impl Channels {
    pub(super) fn new(
        options: &BusOptions,
        counters: BusCounters,
        carrier: Arc<Carrier>,
    ) -> (Self, ChannelReader) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let bytes = Arc::<AtomicUsize>::default();
        let reader = ChannelReader {
            carrier,
            counters,
            lists: options.lists,
            limits: options.limits,
            queue: receiver,
            bytes: bytes.clone(),
        };
        let channels = Self {
            python: options.python_channels.clone(),
            patterns: options.node_keys.iter().map(|key| pattern(key)).collect(),
            limits: options.limits,
            max_waiting: options.max_waiting,
            pace: Pace::new(options.per_second),
            queue: sender,
            bytes,
        };
        (channels, reader)
    }

    fn take(&self, message: &Msg, counters: &BusCounters) {
        let (kind, label) = match message.from_pattern() {
            true => (Kind::Node, "node"),
            false => (Kind::Python, "python"),
        };
        counters.received(label);
        let body = message.get_payload_bytes();
        let refusal = Refusal::TooLarge(self.limits.max_bytes);
        if body.len() > self.limits.max_bytes {
            return counters.refused(refusal.reason(), &refusal);
        }
        if !self.pace.has_room() {
            return counters.refused(
                "rate",
                &"more come in a second than [bus] messages_per_second allows",
            );
        }
        let held = body.len() + OVERHEAD;
        let before = self.bytes.fetch_add(held, Ordering::AcqRel);
        if before > 0 && before + held > self.max_waiting {
            self.bytes.fetch_sub(held, Ordering::AcqRel);
            return counters.refused(
                "full",
                &"they come faster than they can be sent: fewer or smaller messages, or more room ([bus] max_waiting)",
            );
        }
        counters.waiting(before + held);
        let body = body.to_vec();
        // The reader lasts as long as the server.
        self.queue.send(Waiting { kind, body }).ok();
    }
}

impl Serve for Channels {
    async fn serve(&mut self, link: &Link) -> Result<Infallible, Fault> {
        let mut connection = link.answer(link.client.get_async_pubsub()).await?;
        if !self.python.is_empty() {
            link.answer(connection.subscribe(&self.python)).await?;
        }
        if !self.patterns.is_empty() {
            link.answer(connection.psubscribe(&self.patterns)).await?;
        }
        link.up();
        let (mut asking, mut messages) = connection.split();
        let heard = Heard::default();
        let pings = async {
            let mut pings = interval(link.times.ping_interval);
            loop {
                pings.tick().await;
                let answer = heard.answer(link.times.timeout, asking.ping::<Value>());
                if let Err(fault) = answer.await {
                    return fault;
                }
            }
        };
        let reading = async {
            while let Some(message) = messages.next().await {
                heard.count();
                self.take(&message, &link.counters);
            }
            Fault::Ended
        };
        Err(tokio::select! {
            fault = pings => fault,
            fault = reading => fault,
        })
    }
}

impl ChannelReader {
    /// Reads for ever.
    pub(super) async fn read(mut self) {
        let mut waiting = Vec::with_capacity(AT_A_TURN);
        while self.queue.recv_many(&mut waiting, AT_A_TURN).await > 0 {
            let (mut arrivals, mut held) = (Vec::new(), 0);
            for one in waiting.drain(..) {
                held += one.body.len() + OVERHEAD;
                arrivals.push(self.arrival(&one));
                drop(one);
                if held >= BYTES_AT_A_TURN {
                    self.carry(std::mem::take(&mut arrivals), held).await;
                    held = 0;
                }
            }
            self.carry(arrivals, held).await;
        }
    }

    fn arrival(&self, waiting: &Waiting) -> Arrival {
        Arrival {
            message: match waiting.kind {
                Kind::Python => python::read(&waiting.body, self.lists, self.limits),
                Kind::Node => node::read(&waiting.body, self.limits),
            },
            id: None,
        }
    }

    /// Carries on messages that held so many bytes of the queue.
    async fn carry(&self, arrivals: Vec<Arrival>, held: usize) {
        if arrivals.is_empty() {
            return;
        }
        self.carrier.carry(arrivals).await;
        let before = self.bytes.fetch_sub(held, Ordering::AcqRel);
        self.counters.waiting(before.saturating_sub(held));
    }
}

/// The pattern of all channels of a key, whose own characters stand for themselves.
fn pattern(key: &str) -> String {
    let mut pattern = String::new();
    for letter in key.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern + "#*"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_itself() {
        assert_eq!(pattern("socket.io"), "socket.io#*");
        assert_eq!(pattern("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\#*");
    }
}
