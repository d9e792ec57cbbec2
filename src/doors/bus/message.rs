//! The content of an emitter's message, whatever wrote it.

use bytes::Bytes;

use crate::msgpack::Limits;

/// A message, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something for clients.
    Emit(Broadcast),
    /// Something to do with clients and rooms.
    Operation(Operation),
}

/// An event for clients, as its sender emitted it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Broadcast {
    /// The namespace, `/` where none is named.
    pub namespace: String,
    /// The name of the event.
    pub event: String,
    /// The arguments as JSON with commas between them, binary ones as Socket.IO's placeholders.
    pub args: String,
    /// The binary parts, in the order of their placeholders' numbers.
    pub attachments: Vec<Bytes>,
    /// The rooms; everyone on the namespace if there are none.
    pub rooms: Vec<String>,
    /// The rooms and clients that are passed over.
    pub except: Vec<String>,
    /// Whether only clients with room in their queue get it.
    pub volatile: bool,
    /// Whether the sender waits for an acknowledgement, which it will not get.
    pub asks_ack: bool,
}

/// An operation on clients and rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Ends a client's connection with a namespace.
    Disconnect {
        /// The client's id.
        client: String,
        /// The namespace.
        namespace: String,
    },
    /// Takes a client into a room.
    Enter {
        /// The client's id.
        client: String,
        /// The room.
        room: String,
        /// The namespace.
        namespace: String,
    },
    /// Takes a client out of a room.
    Leave {
        /// The client's id.
        client: String,
        /// The room.
        room: String,
        /// The namespace.
        namespace: String,
    },
    /// Takes all clients out of a room.
    Close {
        /// The room.
        room: String,
        /// The namespace.
        namespace: String,
    },
}

impl Operation {
    /// The name by which `[bus] allow` opens it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disconnect { .. } => "disconnect",
            Self::Enter { .. } => "enter_room",
            Self::Leave { .. } => "leave_room",
            Self::Close { .. } => "close_room",
        }
    }

    /// The namespace that it is about.
    pub fn namespace(&self) -> &str {
        let (Self::Disconnect { namespace, .. }
        | Self::Enter { namespace, .. }
        | Self::Leave { namespace, .. }
        | Self::Close { namespace, .. }) = self;
        namespace
    }

    /// The room that it is about.
    pub fn room(&self) -> Option<&str> {
        match self {
            Self::Disconnect { .. } => None,
            Self::Enter { room, .. } | Self::Leave { room, .. } | Self::Close { room, .. } => {
                Some(room)
            }
        }
    }
}

/// The limits on a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageLimits {
    /// Bytes of a message as it comes.
    pub max_bytes: usize,
    /// Nesting of its arguments, the list of them included.
    pub max_depth: usize,
    /// Rooms, and as many that are left out: reading stops there, since a name of one byte is dear in memory.
    pub max_rooms: usize,
    /// Binary parts.
    pub max_attachments: usize,
}

impl MessageLimits {
    /// The same for values of msgpack. The bytes of their JSON are bounded by those of the message.
    pub(super) fn of_values(self) -> Limits {
        Limits {
            max_depth: self.max_depth,
            max_attachments: self.max_attachments,
            max_json: usize::MAX,
        }
    }
}

/// Joins arguments; a single `null` is none, as for Socket.IO's own receivers.
pub(super) fn join<'a>(args: impl ExactSizeIterator<Item = &'a str>) -> String {
    let is_single = args.len() == 1;
    let mut joined = String::new();
    for arg in args {
        if is_single && arg == "null" {
            break;
        }
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(arg);
    }
    joined
}
