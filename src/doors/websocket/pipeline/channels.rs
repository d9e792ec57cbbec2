//! Channels: rooms (`agent:a1`, `project:p1`), and plain names that mean kinds of updates (`agent_notifications`), or all
//! of them (`{app}_updates`).

use std::collections::BTreeSet;

use crate::{
    access::authz::{GENERAL, OBSERVERS, room_name},
    doors::websocket::opening::{all_but_siblings, only},
    error::Error,
    hub::{Channels, Subscription},
};

/// The plain names' stems, each with the updates or events that it means.
const KINDS: [(&str, &[&str]); 11] = [
    ("agent", &["agent.*"]),
    ("project", &["project.*"]),
    ("task", &["task.*", "progress.*"]),
    ("decision", &["decision.*"]),
    (
        "system",
        &["system.*", "health.*", "kanban.*", "error", "warning"],
    ),
    ("health", &["system.health.*", "health.*"]),
    ("workflow", &["workflow.*", "execution.*", "node.*"]),
    ("execution", &["workflow.run.*", "execution.*"]),
    ("node", &["workflow.node.*", "node.*"]),
    ("ingest", &["ingest.*"]),
    ("visual", &["visual.*"]),
];
/// The ends of plain names, which mean the same.
const ENDS: [&str; 3] = ["_updates", "_notifications", "_events"];

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Channel {
    /// All updates that the client may see.
    Everything,
    /// The updates of one of [`KINDS`].
    Kind(&'static str),
    /// A room, by its one name.
    Room(String),
}

impl Channel {
    /// Reads a name at the door of `app`; none if it means nothing.
    pub(super) fn read(app: &str, name: &str) -> Option<Self> {
        if name.contains(':') {
            return Some(Self::Room(room_name::canonical(name).into_owned()));
        }
        if name == GENERAL || name == OBSERVERS {
            return Some(Self::Everything);
        }
        let stem = ENDS.iter().find_map(|end| name.strip_suffix(end))?;
        if stem == app {
            return Some(Self::Everything);
        }
        let kind = KINDS.iter().find(|(kind, _)| *kind == stem)?;
        Some(Self::Kind(kind.0))
    }
}

/// The channels of a client.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    everything: bool,
    kinds: BTreeSet<&'static str>,
    rooms: BTreeSet<String>,
}

impl Chosen {
    pub(super) fn add(&mut self, channel: Channel) {
        match channel {
            Channel::Everything => self.everything = true,
            Channel::Kind(kind) => drop(self.kinds.insert(kind)),
            Channel::Room(room) => drop(self.rooms.insert(room)),
        }
    }

    pub(super) fn remove(&mut self, channel: &Channel) {
        match channel {
            Channel::Everything => self.everything = false,
            Channel::Kind(kind) => drop(self.kinds.remove(kind)),
            Channel::Room(room) => drop(self.rooms.remove(room)),
        }
    }

    /// The rooms to be in.
    pub(super) fn rooms(&self) -> BTreeSet<String> {
        let mut rooms = self.rooms.clone();
        if self.everything || !self.kinds.is_empty() {
            rooms.insert(OBSERVERS.to_owned());
        }
        rooms
    }

    /// The updates that are wanted of these rooms.
    ///
    /// # Errors
    /// Never: the names are well-formed.
    pub(super) fn subscription(&self) -> Result<Subscription, Error> {
        let all = all_but_siblings()?;
        if self.everything || self.kinds.is_empty() {
            return Ok(Subscription::Filter(all));
        }
        let chosen = KINDS.iter().filter(|(kind, _)| self.kinds.contains(kind));
        let types: Vec<&str> = chosen.flat_map(|(_, types)| *types).copied().collect();
        let kinds = only(&types)?;
        Ok(match self.rooms.is_empty() {
            true => Subscription::Filter(kinds),
            false => Subscription::Channels(Channels {
                kinds,
                of_rooms: all,
                rooms: self.rooms.clone(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_room_a_kind_or_everything() {
        let read = |name| Channel::read("dating_show", name);
        assert_eq!(read("dating_show_updates"), Some(Channel::Everything));
        assert_eq!(read("observers"), Some(Channel::Everything));
        for name in ["agent_notifications", "agent_updates", "agent_events"] {
            assert_eq!(read(name), Some(Channel::Kind("agent")));
        }
        let room = Channel::Room("agent:a1".into());
        assert_eq!(read("agent:%611"), Some(room));
        for name in ["", "_updates", "other_updates", "agents", "agent"] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
