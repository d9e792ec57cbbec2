//! Presence: who comes into a room and who leaves it, for those of its members who asked to be told.
//!
//! A room that nobody asks about costs nothing. The others collect what changes, and tell it at most once in a
//! [`WINDOW`], so the cost of a change is a part of one message, and a crowd that comes at once is told in one.

mod answers;
mod visitors;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{member::MemberId, roster::Ids};
pub use answers::{MembersOf, Visit};
use visitors::Visitors;

/// The time between two messages about one room.
const WINDOW: Duration = Duration::from_millis(100);
/// The most changes that one message names; further ones are counted.
const MAX_NAMED: usize = 100;
/// The most rooms that one turn of the loop tells about.
const ROOMS_PER_TURN: usize = 64;

/// The most visits that one turn of the loop ends.
const VISITS_PER_TURN: usize = 1_024;

/// The presence in all rooms.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Rooms that somebody asks about, by key.
    watched: HashMap<Arc<str>, Watched>,
    /// The rooms with changes, in the order in which they are to be told.
    due: BTreeSet<(Instant, Arc<str>)>,
    /// The visitors, who come by HTTP.
    pub(super) visitors: Visitors,
}

/// A room that somebody asks about.
#[derive(Debug, Default)]
struct Watched {
    /// The members that are told.
    subscribers: Ids,
    changes: Vec<Change>,
    /// Changes beyond [`MAX_NAMED`].
    omitted: usize,
    /// The last time that something was told.
    told: Option<Instant>,
}

/// Somebody who came or left.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) joined: bool,
    pub(super) whom: Whom,
    pub(super) user: Option<Arc<str>>,
}

/// The one who is present.
#[derive(Debug, Clone)]
pub(super) enum Whom {
    /// A client, by its public id.
    Client(Arc<str>),
    /// A visitor, by the id that it gave itself.
    Visitor(Arc<str>),
}

/// The changes of one room that are to be told, and those who are told them.
#[derive(Debug)]
pub(super) struct News {
    pub(super) room: Arc<str>,
    pub(super) changes: Vec<Change>,
    pub(super) omitted: usize,
    pub(super) subscribers: Vec<MemberId>,
}

impl Presence {
    /// Subscribes a member to the room with this key, or ends the subscription.
    pub(super) fn watch(&mut self, room: &Arc<str>, id: MemberId, on: bool) {
        if on {
            let watched = self.watched.entry(room.clone()).or_default();
            watched.subscribers.insert(id);
            return;
        }
        if let Some(watched) = self.watched.get_mut(room) {
            watched.subscribers.swap_remove(&id);
            if watched.subscribers.is_empty() {
                self.watched.remove(room);
            }
        }
    }

    /// Whether a member is told of the room with this key.
    pub(super) fn tells(&self, room: &str, id: MemberId) -> bool {
        let watched = self.watched.get(room);
        watched.is_some_and(|watched| watched.subscribers.contains(&id))
    }

    /// Whether anybody asks about anything.
    pub(super) fn is_idle(&self) -> bool {
        self.watched.is_empty()
    }

    /// Notes that somebody has come into a room, or left it.
    pub(super) fn changed(&mut self, room: &str, change: impl FnOnce() -> Change) {
        let Some((name, _)) = self.watched.get_key_value(room) else {
            return;
        };
        let name = name.clone();
        let Some(watched) = self.watched.get_mut(room) else {
            return;
        };
        if watched.changes.is_empty() {
            let now = Instant::now();
            let due = watched.told.map_or(now, |told| now.max(told + WINDOW));
            self.due.insert((due, name));
        }
        if watched.changes.len() < MAX_NAMED {
            watched.changes.push(change());
        } else {
            watched.omitted += 1;
        }
    }

    /// The time at which something is to be done.
    pub(super) fn due(&self) -> Option<Instant> {
        let told = self.due.first().map(|(due, _)| *due);
        [told, self.visitors.next_end()].into_iter().flatten().min()
    }

    /// Ends the visits that are over, and takes the news that are to be told now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<News> {
        for _ in 0..VISITS_PER_TURN {
            let Some((room, id, user)) = self.visitors.pop_ended(now) else {
                break;
            };
            self.changed(&room, || Change {
                joined: false,
                whom: Whom::Visitor(id),
                user,
            });
        }
        let mut all = Vec::new();
        while all.len() < ROOMS_PER_TURN
            && self.due.first().is_some_and(|(due, _)| *due <= now)
            && let Some((_, room)) = self.due.pop_first()
        {
            // All who asked may have left meanwhile.
            if let Some(watched) = self.watched.get_mut(&room) {
                watched.told = Some(now);
                all.push(News {
                    room,
                    changes: std::mem::take(&mut watched.changes),
                    omitted: std::mem::take(&mut watched.omitted),
                    subscribers: watched.subscribers.iter().copied().collect(),
                });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(n: usize) -> Change {
        Change {
            joined: true,
            whom: Whom::Client(n.to_string().into()),
            user: None,
        }
    }

    #[test]
    fn a_crowd_that_comes_at_once_is_told_in_one_message() {
        let mut presence = Presence::default();
        let room: Arc<str> = "lobby".into();
        let me = MemberId { slot: 0, serial: 1 };
        presence.changed(&room, || unreachable!("nobody asks"));
        presence.watch(&room, me, true);
        presence.changed(&room, || came(0));
        let first = presence.take(Instant::now());
        assert_eq!((first.len(), first[0].changes.len()), (1, 1), "at once");
        (0..1000).for_each(|n| presence.changed(&room, || came(n)));
        let now = Instant::now();
        assert!(presence.take(now).is_empty(), "within the window");
        let due = presence.due().expect("something waits");
        assert!(due <= now + WINDOW);
        let crowd = presence.take(due);
        assert_eq!(crowd.len(), 1);
        assert_eq!((crowd[0].changes.len(), crowd[0].omitted), (MAX_NAMED, 900));
        presence.watch(&room, me, false);
        presence.changed(&room, || unreachable!("nobody asks any more"));
        assert!(presence.is_idle() && presence.due().is_none());
    }
}
