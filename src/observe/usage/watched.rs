//! The types and the rooms whose updates clients watch.

use std::sync::Arc;

use super::top::{Top, Watch};

/// The part of the bytes that the names of rooms may hold; types have the rest.
const ROOMS_SHARE: usize = 4;

/// The beginning of the names of users' own rooms.
const USER_ROOM: &str = "user:";

/// The updates by the type of their event, and by room. The hub adds to it, update by update.
#[derive(Debug)]
pub struct Watched {
    types: Top,
    rooms: Top,
}

impl Watched {
    pub(super) fn new(max_types: usize, max_rooms: usize, max_bytes: usize) -> Self {
        let rooms = max_bytes / ROOMS_SHARE * (ROOMS_SHARE - 1);
        Self {
            types: Top::new(max_types, max_bytes - rooms),
            rooms: Top::new(max_rooms, rooms),
        }
    }

    pub(super) fn bound(&mut self, max_types: usize, max_rooms: usize, max_bytes: usize) {
        let rooms = max_bytes / ROOMS_SHARE * (ROOMS_SHARE - 1);
        self.types.bound(max_types, max_bytes - rooms);
        self.rooms.bound(max_rooms, rooms);
    }

    /// An update of an event of this type was sent to so many clients.
    pub fn sent(&mut self, event: &str, clients: usize) {
        let watch = Watch {
            updates: 1,
            deliveries: clients as u64,
        };
        self.types.add(event, watch);
    }

    /// So many clients get an update since they are in this room, and in none that was asked before it.
    pub fn reached(&mut self, room: &str, clients: usize) {
        // A user's own room is named after the user, and no user is named in the figures.
        if clients > 0 && !room.starts_with(USER_ROOM) {
            let watch = Watch {
                updates: 1,
                deliveries: clients as u64,
            };
            self.rooms.add(room, watch);
        }
    }

    pub(super) fn add_type(&mut self, name: &str, watch: Watch) {
        self.types.add(name, watch);
    }

    pub(super) fn add_room(&mut self, name: &str, watch: Watch) {
        self.rooms.add(name, watch);
    }

    pub(super) fn types(&self) -> Vec<(Arc<str>, Watch)> {
        self.types.list()
    }

    pub(super) fn rooms(&self) -> Vec<(Arc<str>, Watch)> {
        self.rooms.list()
    }

    /// The names of types, and of rooms, that were dropped.
    pub(super) fn dropped(&self) -> (u64, u64) {
        (self.types.dropped(), self.rooms.dropped())
    }
}
