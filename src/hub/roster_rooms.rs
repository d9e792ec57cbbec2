//! The rooms and topics of the roster's members: who comes into one, and who leaves it.

use std::sync::Arc;

use super::{
    member::{Member, MemberId},
    presence::{Change, Whom},
    roster::{Roster, of},
};
use crate::{
    access::authz::RoomKind,
    channel::{Listening, Namespace, Topic},
};

impl Roster {
    /// Whether a member is told of the presence in one of its rooms.
    pub(super) fn watches_presence(&self, id: MemberId) -> bool {
        let rooms = self.get(id).map(|member| member.rooms.iter());
        !self.presence.is_idle()
            && rooms.is_some_and(|mut rooms| rooms.any(|room| self.presence.tells(room, id)))
    }

    /// Puts a member into a room of its namespace. `None` if there is no such member; else the number of members in the
    /// room now.
    pub(crate) fn join(&mut self, id: MemberId, room: &str) -> Option<usize> {
        self.version += 1;
        let member = of(&mut self.members, id)?;
        let key = member.namespace.room_key(room);
        let room = &*key;
        let (name, members) = match self.rooms.get_key_value(room) {
            Some((name, _)) => (name.clone(), self.rooms.get_mut(room)?),
            None => {
                let name: Arc<str> = room.into();
                self.named_rooms += usize::from(is_by_request(room));
                self.free.add(room);
                (name.clone(), self.rooms.entry(name).or_default())
            }
        };
        if !member.rooms.contains(&name) {
            member.rooms.push(name);
            members.insert(id);
            if !self.presence.is_idle() {
                self.presence.changed(room, || Change {
                    joined: true,
                    whom: Whom::Client(member.client_id.clone()),
                    user: member.user.clone(),
                });
            }
        }
        Some(members.len())
    }

    /// Takes a member out of a room of its namespace; returns the number of members left in it.
    pub(crate) fn leave(&mut self, id: MemberId, room: &str) -> usize {
        self.version += 1;
        let Some(member) = of(&mut self.members, id) else {
            return 0;
        };
        let key = member.namespace.room_key(room);
        let before = member.rooms.len();
        member.rooms.retain(|r| **r != *key);
        member.placed.retain(|r| **r != *key);
        if member.rooms.len() < before {
            let (whom, user) = (member.client_id.clone(), member.user.clone());
            self.leave_room(&key, id);
            self.tell_left(&key, id, whom, user);
        }
        self.count(&key)
    }

    /// Notes for those who ask that a member that is gone has left a room.
    pub(super) fn has_left(&mut self, room: &Arc<str>, id: MemberId, member: &Member) {
        let (whom, user) = (member.client_id.clone(), member.user.clone());
        self.tell_left(room, id, whom, user);
    }

    fn tell_left(&mut self, room: &str, id: MemberId, whom: Arc<str>, user: Option<Arc<str>>) {
        if self.presence.is_idle() {
            return;
        }
        self.presence.watch(&room.into(), id, false);
        self.presence.changed(room, || Change {
            joined: false,
            whom: Whom::Client(whom),
            user,
        });
    }

    pub(super) fn leave_room(&mut self, room: &str, id: MemberId) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.swap_remove(&id);
            if members.is_empty() {
                self.rooms.remove(room);
                self.named_rooms -= usize::from(is_by_request(room));
                self.free.remove(room);
            }
        }
    }

    /// Subscribes a member to a topic, or ends the subscription.
    pub(crate) fn listen(&mut self, id: MemberId, topic: Topic, on: bool) {
        let Some(member) = of(&mut self.members, id) else {
            return;
        };
        let members = self.topics.entry(topic).or_default();
        members.swap_remove(&id);
        member.topics = member.topics.without(topic);
        if on {
            members.insert(id);
            member.topics = member.topics.with(topic);
        }
    }

    /// The topics that anybody listens to.
    pub(crate) fn listening(&self) -> Listening {
        self.topics
            .iter()
            .filter(|(_, members)| !members.is_empty())
            .fold(Listening::NONE, |all, (topic, _)| all.with(*topic))
    }
}

/// Whether clients are in a room by request.
fn is_by_request(key: &str) -> bool {
    let (app, room) = Namespace::of_key(key);
    RoomKind::on(app.is_some(), room).is_by_request()
}
