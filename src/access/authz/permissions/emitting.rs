//! Permissions for emissions: the rooms to which a client may emit, and those whose emissions it may see in the history.

use super::{
    super::{
        room_kind::{GENERAL, OBSERVERS, RoomKind},
        room_name::RoomName,
    },
    Permissions, Scope,
};
use crate::{config::FreeRooms, emission::Emission, error::Error, event::ThingKind};

impl Permissions {
    /// Checks that the client may emit to these rooms, or to everyone if there are none.
    ///
    /// # Errors
    /// `forbidden_room`, or `forbidden` for everyone.
    pub fn may_emit<'r>(&self, rooms: impl Iterator<Item = &'r str>) -> Result<(), Error> {
        let Some(scope) = &self.scope else {
            return Ok(());
        };
        let mut is_everyone = true;
        for room in rooms {
            is_everyone = false;
            if let Some(why) = scope.keeps_from(room) {
                let why = format!("emitting to room {room} denied: {why}");
                return Err(Error::new("forbidden_room", why).about_room(room));
            }
        }
        match is_everyone && scope.limited {
            true => Err(Error::forbidden(
                "your token names projects, so you can't emit to everyone: name rooms of these projects",
            )),
            false => Ok(()),
        }
    }
}

impl Scope {
    /// Whether the token names a room that is of no thing, or such rooms are open to all. A client's own room is not.
    fn names_free(&self, room: &str) -> bool {
        let rooms = self.rooms.as_ref();
        let is_named = || rooms.is_some_and(|rooms| rooms.set.matches(room));
        match RoomKind::of(room) {
            RoomKind::Own => false,
            RoomKind::Free if self.policy.rules.free_rooms == FreeRooms::All => true,
            _ => is_named(),
        }
    }

    /// Whether the client could be in a room of an emission.
    pub(super) fn hears(&self, emission: &Emission) -> bool {
        let own = self.user.as_ref().map(|user| format!("user:{user}"));
        if own.is_some_and(|own| emission.except.contains(&own)) {
            return false;
        }
        let mut rooms = emission.rooms.iter();
        emission.rooms.is_empty()
            || rooms.any(|room| match RoomName::read(room) {
                Err(_) => [GENERAL, OBSERVERS].contains(&room.as_str()) || self.names_free(room),
                Ok(name) => {
                    let (kind, project) = (name.kind, name.project.as_deref());
                    let entered = || match project {
                        Some(project) => self.enters_in(project, kind, &name.id),
                        None => self.enters(kind, &name.id),
                    };
                    self.names_room(kind, project, &name.id)
                        || entered().unwrap_or(self.rooms.is_none())
                }
            })
    }

    /// The reason why a client may not emit to a room; none if it may.
    fn keeps_from(&self, room: &str) -> Option<&'static str> {
        let Ok(name) = RoomName::read(room) else {
            // A room of no thing, or of one client.
            let may = !self.limited || self.names_free(room);
            return (!may).then_some("your token names projects, and not this room");
        };
        let (kind, project) = (name.kind, name.project.as_deref());
        if kind == ThingKind::User {
            return self
                .limited
                .then_some("your token names projects, so you can't write to users");
        }
        let holds = match project {
            Some(project) => self.names_project(project),
            None => kind == ThingKind::Project && self.names_project(&name.id),
        };
        let entered = || match project {
            Some(project) => self.enters_in(project, kind, &name.id),
            None => self.enters(kind, &name.id),
        };
        let is_named = holds || self.names_room(kind, project, &name.id);
        if self.limited {
            // A room without a project has members of other projects, too, and so has one that others may enter.
            return (!is_named).then_some(
                "your token names projects: write to rooms of these, {kind}:{project}/{id}, or to rooms that it names",
            );
        }
        let may = is_named || entered().unwrap_or(self.rooms.is_none());
        (!may).then_some("neither could your token enter it nor does it name its project")
    }
}
