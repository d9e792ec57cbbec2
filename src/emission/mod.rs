//! Emissions: what an application sends to its clients as it is, under its own name and with its own arguments.
//!
//! A leaf: it knows how an emission is written down ([`Emission::read`]) and the forms in which doors send it. Who may emit,
//! in which order and to whom is decided by `emitter` and the hub.

mod event_name;
mod forms;
mod limits;
mod parts;
mod placeholders;
mod read;
mod stored;
#[cfg(test)]
mod tests;
mod walk;

use bytes::Bytes;

pub use event_name::{
    AGENT_ACTION, MAX_EVENT_NAME, RESERVED_EVENT_NAMES, SERVER_EVENT_NAMES, is_event_name,
};
pub use limits::EmissionLimits;
pub use parts::Parts;
pub use placeholders::{Placeholder, placeholders};
pub use read::{REPEATED, too_large};

use crate::channel::Namespace;

/// One thing that an application emits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    /// The namespace that it is sent on.
    pub namespace: Namespace,
    /// The name of the Socket.IO event.
    pub event: String,
    /// The JSON texts of its arguments, with commas between them and no line breaks; empty without arguments.
    pub args: String,
    /// The number of arguments.
    pub arguments: usize,
    /// The bytes that placeholders in the arguments stand for, in the order of their numbers.
    pub attachments: Vec<Bytes>,
    /// The rooms whose members get it; none for everyone on the namespace.
    pub rooms: Vec<String>,
    /// The rooms whose members don't get it.
    pub except: Vec<String>,
    /// Whether it goes only to clients for whom little waits.
    pub volatile: bool,
    /// Whether it is kept in the journal and replayed to those who missed it.
    pub keep: bool,
    /// The id by which a repetition is known.
    pub id: Option<String>,
}

impl Emission {
    /// About how many bytes of memory it holds.
    pub fn held(&self) -> usize {
        let names = self.rooms.iter().chain(&self.except).chain(&self.id);
        let names: usize = names.map(|name| name.len() + size_of::<String>()).sum();
        let bytes: usize = self.attachments.iter().map(Bytes::len).sum();
        size_of::<Self>() + self.event.len() + self.args.len() + names + bytes
    }

    /// The bytes that it adds to a client's queue, about.
    pub fn sent(&self) -> usize {
        let bytes: usize = self.attachments.iter().map(Bytes::len).sum();
        self.event.len() + self.args.len() + bytes
    }
}
