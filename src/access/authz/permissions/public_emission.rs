//! Emissions that no membership hides.

use super::super::{room_kind::RoomKind, room_name::RoomName};
use crate::{emission::Emission, event::ThingKind};

/// Whether an emission went to everyone on a namespace of the server's own, or to a room of the server's own there, so that
/// no membership hides it.
pub(super) fn is_public(emission: &Emission) -> bool {
    if emission.namespace.is_app() {
        return false;
    }
    let mut rooms = emission.rooms.iter();
    emission.rooms.is_empty()
        || rooms.any(|room| match RoomName::read(room) {
            Ok(name) => name.kind != ThingKind::User,
            Err(_) => RoomKind::of(room) == RoomKind::Standing,
        })
}
