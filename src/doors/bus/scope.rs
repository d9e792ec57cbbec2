//! The scope of the bus: what its messages may name.

use super::{
    message::{Broadcast, Operation},
    options::BusOptions,
};
use crate::pattern::{BadPattern, Patterns};

/// The names that messages of the bus may have, and the fate of a message by its names.
#[derive(Debug)]
pub(super) struct Scope {
    rooms: Patterns,
    namespaces: Patterns,
    emits: Patterns,
    events: Patterns,
    keep: Patterns,
    allow: Vec<&'static str>,
}

impl Scope {
    pub(super) fn new(options: &BusOptions) -> Result<Self, BadPattern> {
        let patterns = |texts: &[String]| {
            let texts = texts.iter().map(String::as_str);
            Patterns::new(texts).map_err(|(_, bad)| bad)
        };
        Ok(Self {
            rooms: patterns(&options.rooms)?,
            namespaces: patterns(&options.namespaces)?,
            emits: patterns(&options.emits)?,
            events: patterns(&options.events)?,
            keep: patterns(&options.keep)?,
            allow: options.allow.clone(),
        })
    }

    /// The key of the settings that a message is out of, with the name that it is about.
    pub(super) fn is_out_of<'b>(
        &self,
        broadcast: &'b Broadcast,
    ) -> Option<(&'static str, &'b str)> {
        let Broadcast {
            namespace, event, ..
        } = broadcast;
        if !self.namespaces.matches(namespace) {
            return Some(("namespaces", namespace));
        }
        if !self.emits.matches(event) {
            return Some(("emits", event));
        }
        // Everyone is in no room: only a pattern for all rooms opens it.
        let everyone = broadcast.rooms.is_empty() && !self.rooms.matches("");
        let room = broadcast
            .rooms
            .iter()
            .find(|room| !self.rooms.matches(room));
        match room {
            Some(room) => Some(("rooms", room)),
            None => everyone.then_some(("rooms", "everyone")),
        }
    }

    /// Whether operations of this name are open to messages.
    pub(super) fn allows(&self, operation: &Operation) -> bool {
        self.allow.contains(&operation.name())
    }

    /// The key of the settings that an operation is out of, with the name that it is about.
    pub(super) fn is_operation_out_of<'o>(
        &self,
        operation: &'o Operation,
    ) -> Option<(&'static str, &'o str)> {
        let (namespace, room) = (operation.namespace(), operation.room());
        if !self.namespaces.matches(namespace) {
            return Some(("namespaces", namespace));
        }
        let room = room.filter(|room| !self.rooms.matches(room));
        room.map(|room| ("rooms", room))
    }

    /// Whether an event of this name is one of agents.
    pub(super) fn is_event(&self, name: &str) -> bool {
        self.events.matches(name)
    }

    /// Whether emissions of this name are kept.
    pub(super) fn is_kept(&self, name: &str) -> bool {
        self.keep.matches(name)
    }
}
