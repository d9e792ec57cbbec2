//! The producer, as the door knows it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::access::{Identity, authz::Permissions};

/// The producer and its door.
#[derive(Debug, Clone, Copy)]
pub struct Producer<'a> {
    /// The source of events that name none.
    pub name: &'a str,
    /// `socketio` or `http`, for the counters.
    pub door: &'static str,
    /// Says for which projects it may publish.
    pub permissions: &'a Permissions,
    /// Its verified identity, kept with its events; empty when nobody was asked.
    pub verified: &'a Arc<str>,
    /// Stands for it where producers take turns, see [`flow`].
    pub flow: u64,
}

/// Stands for a producer where producers take turns: its verified user or token, and while nobody has to show one, where
/// it publishes from (its Socket.IO client, or its address over HTTP).
pub fn flow(who: &Identity, place: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    match (&who.user, &who.token) {
        (user @ Some(_), Some(_)) => user.hash(&mut hasher),
        (None, token @ Some(_)) => token.hash(&mut hasher),
        (_, None) => place.hash(&mut hasher),
    }
    hasher.finish()
}
