//! Rooms by request: how many a client may be in, how many members one may have, and how many free ones there may be.

use std::sync::Arc;

use super::{Hub, member::MemberId};
use crate::{
    access::authz::{RoomKind, too_many_rooms},
    channel::Namespace,
    error::Error,
};

/// Bytes that a room holds beside its name: its entry, and the list of its members.
const ROOM_BYTES: usize = 256;

/// The part of all free rooms, and of their bytes, that is kept for those of the application's own service.
const SERVICE_SHARE: usize = 8;

/// The one by whose word a member comes into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The client, who chooses the name: strangers fill neither a room nor the server.
    Client,
    /// The server, or the application's own service: it knows whom it lets in.
    Service,
}

/// The free rooms that have members: their names are chosen by clients, and hold memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FreeRooms {
    pub(super) rooms: usize,
    pub(super) bytes: usize,
}

impl FreeRooms {
    /// Notes that the room with this key has its first member.
    pub(super) fn add(&mut self, key: &str) {
        if is_free(key) {
            self.rooms += 1;
            self.bytes += key.len() + ROOM_BYTES;
        }
    }

    /// Notes that the room with this key has lost its last member.
    pub(super) fn remove(&mut self, key: &str) {
        if is_free(key) {
            self.rooms -= 1;
            self.bytes -= key.len() + ROOM_BYTES;
        }
    }
}

/// Whether clients choose the name of a room. On an application's namespace they choose all but those of the clients.
fn is_free(key: &str) -> bool {
    match Namespace::of_key(key) {
        (None, room) => RoomKind::of(room) == RoomKind::Free,
        (Some(_), room) => RoomKind::on(true, room) != RoomKind::Own,
    }
}

impl Hub {
    /// Puts a member into all of these rooms by its own word, or into none of them; returns how many members are in the
    /// last one.
    pub(super) fn join_rooms(
        &mut self,
        member: MemberId,
        rooms: &[String],
    ) -> Result<usize, Error> {
        self.put_into(member, rooms, By::Client)
    }

    fn put_into(&mut self, member: MemberId, rooms: &[String], by: By) -> Result<usize, Error> {
        if self.roster.get(member).is_none() {
            return Err(Error::bad_request("the connection is closed"));
        }
        if let Err((reason, refusal)) = self.check_limits(member, rooms, by) {
            self.metrics.room_refused(reason);
            return Err(refusal);
        }
        let mut members = 0;
        for room in rooms {
            members = self.roster.join(member, room).unwrap_or(0);
        }
        Ok(members)
    }

    /// The limit that keeps a member out of these rooms, with its name.
    fn check_limits(
        &self,
        id: MemberId,
        rooms: &[String],
        by: By,
    ) -> Result<(), (&'static str, Error)> {
        let Some(member) = self.roster.get(id) else {
            return Ok(());
        };
        let namespace = member.namespace;
        let is_app = namespace.is_app();
        let by_request = |room: &str| {
            let is_default = !is_app && room == self.options.default_room;
            !is_default && RoomKind::on(is_app, room).is_by_request()
        };
        let wanted = rooms.iter().filter(|room| by_request(room));
        let new: Vec<(&String, _)> = wanted
            .map(|room| (room, namespace.room_key(room)))
            .filter(|(_, key)| !member.rooms.iter().any(|known| **known == **key))
            .collect();
        let names = member.rooms.iter().map(|key| Namespace::of_key(key).1);
        let asked = names.filter(|room| by_request(room)).count();
        let most = self.options.max_rooms_per_client;
        if asked + new.len() > most {
            return Err(("client", too_many_rooms(most)));
        }
        let most = match by {
            By::Client => self.options.max_room_size,
            By::Service => usize::MAX,
        };
        if let Some((room, _)) = new.iter().find(|(_, key)| self.roster.count(key) >= most) {
            let why = format!("room {room} is full: {most} are in it");
            return Err(("members", Error::new("room_full", why).about_room(room)));
        }
        let fresh = new
            .iter()
            .filter(|(_, key)| is_free(key) && self.roster.count(key) == 0);
        let mut free = self.roster.free();
        fresh.for_each(|(_, key)| free.add(key));
        let (rooms, bytes) = self.options.max_free;
        let (rooms, bytes) = match by {
            By::Client => (rooms - rooms / SERVICE_SHARE, bytes - bytes / SERVICE_SHARE),
            By::Service => (rooms, bytes),
        };
        let over = |what: &str, key: &str| {
            let why = format!(
                "the server has {what} of rooms of any name ([rooms] {key}): join one that has members, or try again later"
            );
            Error::new("overloaded", why).elsewhere()
        };
        match () {
            () if free == self.roster.free() => Ok(()),
            () if free.rooms > rooms => {
                Err(("rooms", over(&format!("its {rooms}"), "max_free_rooms")))
            }
            () if free.bytes > bytes => Err((
                "bytes",
                over(&format!("its {bytes} bytes"), "max_free_room_bytes"),
            )),
            () => Ok(()),
        }
    }

    /// Puts a client into a room by the server's word, or takes it out of one; returns the room's members then.
    pub(super) fn place(
        &mut self,
        (namespace, client): &(Namespace, Arc<str>),
        room: &str,
        on: bool,
    ) -> Result<usize, Error> {
        let own = namespace.room_key(client);
        let is_it = |id: &MemberId| {
            let member = self.roster.get(*id);
            member.is_some_and(|m| m.client_id == *client && m.namespace == *namespace)
        };
        let Some(id) = self.roster.ids_in(&own).find(is_it) else {
            let why = format!("no client {client} is on {}", namespace.path());
            return Err(Error::new("not_found", why));
        };
        if !on {
            // By its own room a client is found.
            if matches!(RoomKind::on(namespace.is_app(), room), RoomKind::Own) {
                let why = "a client stays in the room of its id as long as it is connected";
                return Err(Error::new("unknown_room_type", why).about_room(room));
            }
            return Ok(self.roster.leave(id, room));
        }
        self.place_member(id, room)
    }

    /// Puts a member into a room by the server's word; returns the room's members then.
    pub(super) fn place_member(&mut self, id: MemberId, room: &str) -> Result<usize, Error> {
        let namespace = self.roster.get(id).map(|member| member.namespace);
        let namespace = namespace.unwrap_or(Namespace::Root);
        if !RoomKind::on(namespace.is_app(), room).is_by_request() {
            let why = "name a room kind:id, or one of your own of 1 to 128 of A-Z a-z 0-9 _ . : @ / - and spaces";
            return Err(Error::new("unknown_room_type", why).about_room(room));
        }
        let members = self.put_into(id, &[room.to_owned()], By::Service)?;
        let key = namespace.room_key(room);
        if let Some(member) = self.roster.get_mut(id)
            && let Some(name) = member.rooms.iter().find(|name| ***name == *key).cloned()
            && !member.placed.contains(&name)
        {
            member.placed.push(name);
        }
        Ok(members)
    }
}
