//! The producer of a call, as the door knows it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU64,
    sync::Arc,
};

use crate::{
    access::{Identity, authz::Permissions},
    journal::{FlowId, PublishedBy},
    observe::traces::TraceParent,
};

/// The producer and its door.
#[derive(Debug, Clone, Copy)]
pub struct Producer<'a> {
    /// The source of events that name none.
    pub name: &'a str,
    /// `socketio` or `http`, for the counters.
    pub door: &'static str,
    /// The permissions by which it may publish for projects.
    pub permissions: &'a Permissions,
    /// The one project that it speaks for in this call, as a producer whose token names it; none for those of its
    /// permissions.
    pub within: Option<&'a str>,
    /// Its verified identity, kept with its events; empty when nobody was asked for one.
    pub verified: &'a Arc<str>,
    /// The place of the call in its caller's trace.
    pub trace: Option<&'a TraceParent>,
    /// The producer where producers take turns, see [`flow`].
    pub flow: FlowId,
    /// The connection, if its door doesn't send clients their own updates.
    pub connection: Option<NonZeroU64>,
}

impl Producer<'_> {
    /// The sender of its events.
    pub(super) fn by(&self) -> PublishedBy {
        PublishedBy {
            flow: self.flow,
            connection: self.connection,
        }
    }
}

/// The producer where producers take turns: its verified user or token, or without authentication its place (its
/// Socket.IO client, or its address over HTTP). Producers whose tokens name the same projects share a turn: otherwise a
/// user with many tokens for a project would have as many turns.
pub fn flow(who: &Identity, place: impl Hash) -> FlowId {
    let producer = match (&who.user, &who.token) {
        (user @ Some(_), Some(_)) => number(user),
        (None, token @ Some(_)) => number(token),
        (_, None) => number(place),
    };
    match who.permissions.limits() {
        Some(projects) => FlowId {
            turn: number(projects),
            producer,
        },
        None => FlowId::alone(producer),
    }
}

fn number(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
