//! Clients that come back to their sessions: the part that the hub has of one, and whether its place can be reached.

use std::sync::Arc;

use super::{Hub, MemberId, Resumption, Subscription};
use crate::{
    access::authz::{Filter, OPERATORS},
    channel::{Listening, Namespace},
};

/// A member as it could be made again.
#[derive(Debug)]
pub struct Standing {
    /// Its rooms, but for those that are its own or its role's.
    pub rooms: Vec<Arc<str>>,
    /// The rooms among these that the server put it into, whatever its claims are.
    pub placed: Vec<Arc<str>>,
    /// Its filter.
    pub filter: Filter,
    /// The cursor after everything that was queued for it; none while it is behind.
    pub cursor: Option<String>,
    /// The reason why it can't be made again as it is.
    pub bar: Option<&'static str>,
}

impl Hub {
    /// A member as it stands; it `leaves` with that, or stays.
    pub(super) fn standing(&mut self, id: MemberId, leaves: bool) -> Option<Standing> {
        let member = self.roster.get(id)?;
        let filter = match &**self.roster.subscriptions.get(member.subscription) {
            Subscription::Filter(filter) => Some(filter.clone()),
            Subscription::Conversation(_) | Subscription::Channels(_) => None,
        };
        // An open page's subscriptions hold for one connection: they are given again.
        let is_subscribed = filter.is_none()
            || member.topics != Listening::NONE
            || member.page
            || self.roster.watches_presence(id);
        let is_own = |room: &str| room == &*member.client_id || room == OPERATORS;
        let rooms = names(&member.rooms).filter(|room| !is_own(room));
        let cursor = member.behind.is_none().then(|| {
            let at = self.stream.cursor().with_everything_up_to(member.since);
            self.stream.name(at)
        });
        let standing = Standing {
            rooms: rooms.collect(),
            placed: names(&member.placed).collect(),
            filter: filter.unwrap_or_default(),
            cursor,
            bar: is_subscribed.then_some("subscriptions"),
        };
        if leaves {
            self.roster.remove(id);
        }
        Some(standing)
    }

    /// Whether a client could go on from a place.
    ///
    /// # Errors
    /// The reason why not.
    pub(super) fn can_resume(&self, from: &Resumption) -> Result<(), &'static str> {
        let place = from.place.clone().and_then(|place| self.stream.now(place));
        let place = place.ok_or("unknown_cursor")?;
        match self.stream.is_gone(&place) {
            true => Err("trimmed"),
            false => Ok(()),
        }
    }
}

/// The names of rooms on their namespace.
fn names(keys: &[Arc<str>]) -> impl Iterator<Item = Arc<str>> {
    keys.iter().map(|key| match Namespace::of_key(key).1 {
        name if name.len() == key.len() => key.clone(),
        name => name.into(),
    })
}
