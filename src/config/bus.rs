//! `[bus]`: emitters on Redis or Valkey.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    invalid::Invalid,
    numbers::{Count, Seconds},
    secret::Secret,
};
use crate::pattern::Patterns;

/// `[bus]`: applications that emit through Redis or Valkey.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bus {
    /// The address of Redis or Valkey; empty for none. It may hold a password, so it is not shown.
    pub url: Secret,
    /// The kinds of emitters that are listened to.
    #[default(vec![BusKind::Python, BusKind::Node])]
    pub kinds: Vec<BusKind>,
    /// The channels of python-socketio and Flask-SocketIO.
    #[default(vec!["flask-socketio".to_owned(), "socketio".to_owned()])]
    pub python_channels: Vec<String>,
    /// The meaning of data that is a list.
    pub python_data: PythonData,
    /// The keys of Node emitters: the beginnings of their channels' names.
    #[default(vec!["socket.io".to_owned()])]
    pub node_keys: Vec<String>,
    /// The streams of the streams emitter.
    #[default(vec!["socket.io".to_owned()])]
    pub streams: Vec<String>,
    /// The file with the places in these; empty for one beside the journal's.
    pub position_file: PathBuf,
    /// The name of the identity by which messages of the bus are published.
    #[default = "bus"]
    pub name: String,
    /// Patterns of the rooms that messages may name; those to everyone need `*`.
    #[default(vec!["*".to_owned()])]
    pub rooms: Vec<String>,
    /// The projects that messages may be of; empty for all.
    pub projects: Vec<String>,
    /// Patterns of the namespaces that messages may name.
    #[default(vec!["*".to_owned()])]
    pub namespaces: Vec<String>,
    /// Patterns of the names of events that may be emitted.
    #[default(vec!["*".to_owned()])]
    pub emits: Vec<String>,
    /// Patterns of the names that become events of agents, with the one argument as their data.
    pub events: Vec<String>,
    /// Patterns of the names of emissions that are kept in the journal.
    pub keep: Vec<String>,
    /// The operations on clients and rooms that messages may ask for; none by default.
    pub allow: Vec<BusOperation>,
    /// Bytes of one message; the emission in it may have those of `[emit] max_bytes`.
    pub max_message: Count<{ 2 << 20 }, 1, { 256 << 20 }>,
    /// Nesting of the arguments.
    pub max_depth: Count<64, 1, 128>,
    /// Bytes of messages that may wait to be read.
    pub max_waiting: Count<{ 64 << 20 }, 1, { 1 << 32 }>,
    /// Messages in a second; 0 for no limit.
    pub messages_per_second: Count<0, 0>,
    /// Seconds for the connection, and for each answer of the bus; of a ping from the last message on.
    pub timeout: Seconds<5_000, 100, 60_000>,
    /// Seconds between two pings.
    pub ping_interval: Seconds<5_000, 100, 60_000>,
    /// The longest wait between two tries to connect.
    pub max_retry_delay: Seconds<2_000, 100, 60_000>,
}

/// A kind of emitters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// python-socketio and Flask-SocketIO.
    Python,
    /// `@socket.io/redis-emitter`, and those that write the same.
    Node,
    /// The streams emitter.
    Streams,
}

/// An operation on clients and rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusOperation {
    /// Takes a client into a room, whatever its token says.
    EnterRoom,
    /// Takes a client out of a room.
    LeaveRoom,
    /// Takes all clients out of a room.
    CloseRoom,
    /// Ends a client's connection with its namespace.
    Disconnect,
}

impl BusOperation {
    /// The name, as messages of the bus have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::EnterRoom => "enter_room",
            Self::LeaveRoom => "leave_room",
            Self::CloseRoom => "close_room",
            Self::Disconnect => "disconnect",
        }
    }
}

/// The meaning of Python data that is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PythonData {
    /// The list of arguments: python-socketio from 5.15.1 on.
    #[default]
    Args,
    /// The one argument: python-socketio 5.14.2 to 5.15.0.
    Raw,
}

impl Bus {
    /// Whether there is a bus.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// The first key whose value can't be used.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        let wrong = |key, message: String| Some(Invalid::new("bus", key, message));
        for (key, patterns) in [
            ("rooms", &self.rooms),
            ("namespaces", &self.namespaces),
            ("emits", &self.emits),
            ("events", &self.events),
            ("keep", &self.keep),
            ("projects", &self.projects),
        ] {
            if let Err((pattern, bad)) = Patterns::new(patterns.iter().map(String::as_str)) {
                return wrong(key, format!("has {pattern:?}, which {bad}"));
            }
        }
        if !self.is_on() {
            return None;
        }
        // The reader's own message may quote the address, with its password.
        if redis::parse_redis_url(&self.url).is_none() || redis::Client::open(&*self.url).is_err() {
            let forms = "must be redis://host:6379, rediss:// (encrypted), valkey://, valkeys:// or unix:///path/of/the.sock, \
                         with user:password@ before the host if it asks for one; Sentinel's and cluster's addresses are not read";
            return wrong("url", forms.into());
        }
        if self.kinds.is_empty() {
            let message = "is empty, so nothing would be listened to: name some of \"python\", \"node\" and \"streams\"";
            return wrong("kinds", message.into());
        }
        for (kind, key, names) in [
            (BusKind::Python, "python_channels", &self.python_channels),
            (BusKind::Node, "node_keys", &self.node_keys),
            (BusKind::Streams, "streams", &self.streams),
        ] {
            let is_wrong = names.is_empty() || names.iter().any(String::is_empty);
            if self.kinds.contains(&kind) && is_wrong {
                let message =
                    "must name at least one, and none may be empty; or take its kind out of kinds";
                return wrong(key, message.into());
            }
        }
        None
    }
}
