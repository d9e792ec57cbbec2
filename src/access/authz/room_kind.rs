//! The kinds of rooms, told apart by their names alone.

use crate::event::ThingKind;

/// The room that everybody is in unless `[rooms] default_room` names another.
pub const GENERAL: &str = "general";
/// The room of all clients that may observe.
pub const OBSERVERS: &str = "observers";
/// The room of all clients that may publish: actions go here when the agent has no room of its own.
pub const PRODUCERS: &str = "producers";

/// The room of all clients that may see figures. Nobody can ask for it, and no setting can name it.
pub const OPERATORS: &str = "(operators)";

/// The most characters of the name of a free room.
const MAX_FREE: usize = 128;

/// The kind of the rooms that follow a flow of Seneca's. Clients subscribe to the flow instead.
const FLOW: &str = "flow";

/// The kind of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomKind {
    /// A room of the server's own, in which clients are by their role.
    Standing,
    /// The room of one client, named by its public id.
    Own,
    /// The room of a thing, `{kind}:{id}`, whatever the id.
    Thing,
    /// A room of an application, of any name.
    Free,
    /// No room's name.
    Unknown,
}

impl RoomKind {
    /// The kind of a room on the server's own namespaces.
    pub fn of(room: &str) -> Self {
        if [GENERAL, OBSERVERS, PRODUCERS, OPERATORS].contains(&room) {
            return Self::Standing;
        }
        match room.split_once(':') {
            Some((FLOW, _)) => return Self::Unknown,
            Some((kind, _)) if ThingKind::from_name(kind).is_some() => return Self::Thing,
            _ => {}
        }
        match () {
            () if is_id(room) => Self::Own,
            () if is_free(room) => Self::Free,
            () => Self::Unknown,
        }
    }

    /// The kind of a room on a namespace; on an application's own, no name is the server's.
    pub fn on(is_app: bool, room: &str) -> Self {
        match Self::of(room) {
            Self::Standing if is_app && is_free(room) => Self::Free,
            kind => kind,
        }
    }

    /// Whether clients are in such a room because they asked for it.
    pub fn is_by_request(self) -> bool {
        matches!(self, Self::Thing | Self::Free)
    }
}

fn is_free(room: &str) -> bool {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'@' | b'/' | b' ' | b'-')
    };
    (1..=MAX_FREE).contains(&room.len()) && room.bytes().all(plain)
}

/// Whether a name has the form of a client's public id: nobody may ask for such a room but that client.
fn is_id(room: &str) -> bool {
    room.len() == 36
        && room.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_kind() {
        let id = crate::event::mint_id().to_string();
        for (room, kind) in [
            ("general", RoomKind::Standing),
            ("(operators)", RoomKind::Standing),
            ("task:1", RoomKind::Thing),
            ("user:", RoomKind::Thing),
            ("agent:a:actions", RoomKind::Thing),
            (&id, RoomKind::Own),
            (&id[1..], RoomKind::Free),
            ("tasks:1", RoomKind::Free),
            ("flow:1", RoomKind::Unknown),
            ("a\u{1}b", RoomKind::Unknown),
            ("", RoomKind::Unknown),
        ] {
            assert_eq!(RoomKind::of(room), kind, "{room}");
        }
        assert_eq!(RoomKind::on(true, "general"), RoomKind::Free);
        assert_eq!(RoomKind::on(true, "task:1"), RoomKind::Thing);
        assert_eq!(RoomKind::on(true, "(operators)"), RoomKind::Standing);
    }
}
