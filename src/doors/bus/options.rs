//! The settings of the bus, as its parts take them.

use std::{path::PathBuf, time::Duration};

use super::{message::MessageLimits, python::ListData};
use crate::emission::EmissionLimits;

/// The settings of the bus.
#[derive(Debug, Clone)]
pub struct BusOptions {
    /// Channels of python-socketio; empty for none.
    pub python_channels: Vec<String>,
    /// The meaning of Python data that is a list.
    pub lists: ListData,
    /// Keys of Node emitters; empty for none.
    pub node_keys: Vec<String>,
    /// Streams; empty for none.
    pub streams: Vec<String>,
    /// The file of the places in these; none if they are not kept.
    pub position_file: Option<PathBuf>,
    /// The name of the identity.
    pub name: String,
    /// Patterns of rooms.
    pub rooms: Vec<String>,
    /// Patterns of namespaces.
    pub namespaces: Vec<String>,
    /// Patterns of names of events.
    pub emits: Vec<String>,
    /// Patterns of names that become events of agents.
    pub events: Vec<String>,
    /// Patterns of names whose emissions are kept.
    pub keep: Vec<String>,
    /// The names of operations that messages may ask for.
    pub allow: Vec<&'static str>,
    /// The limits on emissions that are not kept.
    pub emissions: EmissionLimits,
    /// The limits on one message.
    pub limits: MessageLimits,
    /// Bytes of messages that may wait.
    pub max_waiting: usize,
    /// Messages in a second; none for no limit.
    pub per_second: Option<std::num::NonZeroU32>,
    /// Times of the connections.
    pub times: LinkTimes,
}

/// The times of a connection with the bus.
#[derive(Debug, Clone, Copy)]
pub struct LinkTimes {
    /// For the connection, and for each answer.
    pub timeout: Duration,
    /// Between two pings.
    pub ping_interval: Duration,
    /// The longest wait between two tries.
    pub max_retry_delay: Duration,
}
