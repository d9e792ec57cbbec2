//! The door for applications that emit through Redis or Valkey, with the emitters that they have: python-socketio and
//! Flask-SocketIO (`message_queue`), `@socket.io/redis-emitter` and those that write the same, the streams emitter.
//!
//! ```text
//!  channels ─▶ connection ─▶ queue, counted in bytes ─┐
//!                                                     ├─▶ decoder ─▶ carrier ─▶ Emitter, intake, operations
//!  streams  ─▶ connection, from a kept place on ──────┘
//! ```
//!
//! The decoders are pure functions: bytes in, a [`Message`] or a [`Refusal`] out. The connections are made again whenever
//! they end (`link.rs`). The carrier holds a message against the scope of the bus and hands it on; whatever is refused is
//! counted by its reason, and nothing that a message says ends a task.

mod carrier;
mod channels;
mod counters;
mod depth;
pub mod entry;
mod link;
mod message;
mod names;
pub mod node;
mod operate;
mod options;
mod pace;
mod positions;
pub mod python;
mod refusal;
mod scope;
mod streams;
mod targets;

use std::{pin::Pin, sync::Arc};

use carrier::Carrier;
use channels::{ChannelReader, Channels};
pub use counters::{BusCounters, BusHealth};
use link::Link;
pub use message::{Broadcast, Message, MessageLimits, Operation};
pub use options::{BusOptions, LinkTimes};
pub use refusal::Refusal;
use streams::Streams;
pub use targets::BusTargets;
use thiserror::Error;

use crate::{
    access::Identity,
    breaker::{BreakerLimits, Breakers},
    intake::flow,
    pattern::BadPattern,
};

/// A task of the bus: its name, and itself. It never ends.
pub type BusTask = (&'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

/// The bus can't be set up.
#[derive(Debug, Error)]
pub enum BusError {
    /// The address can't be used.
    #[error("the address can't be used: {0}")]
    Address(#[from] redis::RedisError),
    /// A pattern can't be used.
    #[error("a pattern of [bus] {0}")]
    Pattern(#[from] BadPattern),
}

/// The bus, before it is started.
#[derive(Debug)]
pub struct Bus {
    channels: Option<(Link, Channels, ChannelReader)>,
    streams: Option<(Link, Streams)>,
}

impl Bus {
    /// A bus at this address.
    ///
    /// # Errors
    /// The address or a pattern can't be used. Nothing is connected yet.
    pub fn new(
        url: &str,
        options: &BusOptions,
        targets: BusTargets,
        breakers: &Breakers,
        counters: &BusCounters,
    ) -> Result<Self, BusError> {
        let times = options.times;
        let limits = BreakerLimits {
            open_for: times.max_retry_delay,
            ..breakers.limits()
        };
        let journal = targets.intake.journal().clone();
        let link = |name, part| -> Result<Link, BusError> {
            let client = redis::Client::open(url)?;
            let breaker = breakers.part_with(part, limits);
            let counters = counters.clone();
            Ok(Link::new(
                name,
                client,
                times,
                counters,
                breaker,
                journal.clone(),
            ))
        };
        let flow = flow(&Identity::default(), ("bus", &options.name));
        let carrier = Carrier::new(targets, options, flow, counters.clone())?;
        let carrier = Arc::new(carrier);
        let has_channels = !options.python_channels.is_empty() || !options.node_keys.is_empty();
        let channels = match has_channels {
            true => {
                let link = link("channels", "bus")?;
                let (channels, reader) = Channels::new(options, counters.clone(), carrier.clone());
                Some((link, channels, reader))
            }
            false => None,
        };
        let streams = match options.streams.is_empty() {
            true => None,
            false => {
                let link = link("streams", "bus_streams")?;
                let streams = Streams::new(&link, carrier, options);
                Some((link, streams))
            }
        };
        Ok(Self { channels, streams })
    }

    /// The tasks that keep it going.
    pub fn tasks(self) -> Vec<BusTask> {
        let mut tasks: Vec<BusTask> = Vec::new();
        if let Some((link, mut channels, reader)) = self.channels {
            tasks.push((
                "listener of the bus's channels",
                Box::pin(async move { link.keep(&mut channels).await }),
            ));
            tasks.push(("reader of the bus's messages", Box::pin(reader.read())));
        }
        if let Some((link, mut streams)) = self.streams {
            tasks.push((
                "reader of the bus's streams",
                Box::pin(async move { link.keep(&mut streams).await }),
            ));
        }
        tasks
    }
}
