//! The roster: the members, their rooms and what each sees of them. Plain data of the hub, without locks.
//!
//! A ticket number marks the members that got an update already, so that a member of several of its rooms gets it once,
//! without a set.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexSet;
use slab::Slab;

use super::{
    census::Census,
    member::{JoinRequest, Member, MemberId},
    permission_index::PermissionIndex,
    presence::Presence,
    room_groups::RoomGroups,
    room_limits::FreeRooms,
    subscription::{Subscription, Subscriptions},
};
use crate::{
    access::authz::{Audience, OBSERVERS, Permissions},
    channel::{Listening, Namespace, Topic},
    config::Recipients,
    delivery::{Cursor, Form},
    update::UpdateShape,
};

/// The members of a room or a topic. A member leaves without a search, so many that leave at once cost no more than
/// each alone.
pub(super) type Ids = IndexSet<MemberId>;

/// The members and their rooms.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// By slot, so that a delivery is an index and no search.
    pub(super) members: Slab<Member>,
    pub(super) rooms: HashMap<Arc<str>, Ids>,
    /// The number of rooms that clients are in by request.
    pub(super) named_rooms: usize,
    /// The number of free rooms, and the bytes that they hold.
    pub(super) free: FreeRooms,
    pub(super) topics: HashMap<Topic, Ids>,
    /// Equal filters are evaluated once for all that share them.
    pub(super) subscriptions: Subscriptions,
    /// Equal permissions are asked once for all that share them, and only when an update can reach them.
    pub(super) permissions: PermissionIndex,
    /// A number for each update.
    pub(super) ticket: u64,
    /// The last update for which single members were considered.
    pub(super) single: u64,
    /// The room that was asked by groups for this update.
    pub(super) whole: Option<Arc<str>>,
    /// Changes with everything that decides who gets an update.
    pub(super) version: u64,
    /// The members of large rooms, in groups.
    pub(super) groups: RoomGroups,
    /// The members that are told who comes and who leaves, and the visitors.
    pub(super) presence: Presence,
    /// Members to be flushed.
    touched: Vec<MemberId>,
    census: Census,
    /// The most members at one time.
    peak: usize,
    /// A number for each member.
    serial: u64,
    /// Whether Seneca's lines on `/` go to all observers: a member that is behind misses them then without having
    /// subscribed.
    lines_to_all: bool,
    sanitize: Recipients,
}

impl Roster {
    /// An empty roster; `lines_to_all` says whether Seneca's lines go to all observers, `sanitize` to whom harmless
    /// texts go.
    pub(crate) fn new(lines_to_all: bool, sanitize: Recipients) -> Self {
        Self {
            lines_to_all,
            sanitize,
            ..Self::default()
        }
    }

    /// Notes that a member behaves like one of Seneca's or Marcus' own pages. False when that is known, or the member
    /// is gone.
    pub(crate) fn is_page(&mut self, id: MemberId) -> bool {
        let sanitize = self.sanitize;
        let Some(member) = of(&mut self.members, id).filter(|member| !member.page) else {
            return false;
        };
        member.page = true;
        member.form.harmless = sanitize.include(true);
        true
    }

    /// A new member, in no room yet.
    pub(crate) fn add(&mut self, request: JoinRequest) -> MemberId {
        self.version += 1;
        let subscription = self.subscriptions.share(request.subscription);
        self.census.come(request.namespace, request.user.as_ref());
        if request.shape == UpdateShape::Lean {
            self.census.lean_comes();
        }
        self.serial += 1;
        let serial = self.serial;
        let page = request.namespace == Namespace::Conversations;
        let slot = self.members.vacant_key();
        let id = MemberId { slot, serial };
        let permissions = self.permissions.share(request.permissions, id);
        self.members.insert(Member {
            outlet: request.outlet,
            namespace: request.namespace,
            client_id: request.client_id,
            user: request.user,
            rooms: Vec::new(),
            placed: Vec::new(),
            topics: Listening::NONE,
            page,
            silent: request.silent,
            form: Form {
                shape: request.shape,
                harmless: self.sanitize.include(page),
            },
            is_slow: false,
            waits_since: None,
            behind: None,
            queued: false,
            missed_aggregates: false,
            since: 0,
            batch: request.batch.then(Vec::new),
            batch_bytes: 0,
            subscription,
            permissions,
            serial,
            ticket: 0,
            activity: None,
            touched_in: None,
            touched: false,
        });
        self.peak = self.peak.max(self.members.len());
        id
    }

    /// About how many bytes of memory the members' filters hold.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.subscriptions.held()
    }

    /// The member leaves all rooms and is gone.
    pub(crate) fn remove(&mut self, id: MemberId) -> Option<Member> {
        self.version += 1;
        self.get(id)?;
        let member = self.members.try_remove(id.slot)?;
        for room in &member.rooms {
            self.leave_room(room, id);
            self.has_left(room, id, &member);
        }
        for members in self.topics.values_mut() {
            members.swap_remove(&id);
        }
        self.subscriptions.unshare(member.subscription);
        self.permissions.unshare(member.permissions, id);
        self.census.go(member.namespace, member.user.as_ref());
        if member.form.shape == UpdateShape::Lean {
            self.census.lean_goes();
        }
        Some(member)
    }

    /// Gives a member another subscription.
    pub(crate) fn set_subscription(&mut self, id: MemberId, subscription: Subscription) {
        self.version += 1;
        if let Some(member) = of(&mut self.members, id) {
            let new = self.subscriptions.share(subscription);
            let old = std::mem::replace(&mut member.subscription, new);
            self.subscriptions.unshare(old);
        }
    }

    /// Gives a member other permissions.
    pub(crate) fn set_permissions(&mut self, id: MemberId, permissions: Permissions) {
        self.version += 1;
        if let Some(member) = of(&mut self.members, id) {
            let new = self.permissions.share(permissions, id);
            let old = std::mem::replace(&mut member.permissions, new);
            if old != new {
                self.permissions.unshare(old, id);
            }
        }
    }

    /// Gives a member to another user.
    pub(crate) fn set_user(&mut self, id: MemberId, user: Option<Arc<str>>) {
        if let Some(member) = of(&mut self.members, id) {
            self.census.change(member.user.as_ref(), user.as_ref());
            member.user = user;
        }
    }

    pub(crate) fn permissions(&self, id: MemberId) -> Option<Permissions> {
        self.get(id)
            .map(|member| self.permissions.get(member.permissions).clone())
    }

    /// The topics of which a member gets the updates, asked for or not.
    pub(crate) fn topics(&self, member: &Member) -> Listening {
        let watches = || member.rooms.iter().any(|room| **room == *OBSERVERS);
        if self.lines_to_all && member.namespace == Namespace::Root && watches() {
            member.topics.with(Topic::Conversations)
        } else {
            member.topics
        }
    }

    /// Marks a member whose outlet is to be flushed.
    pub(crate) fn touch(&mut self, id: MemberId) {
        if let Some(member) = of(&mut self.members, id)
            && !member.touched
        {
            member.touched = true;
            self.touched.push(id);
        }
    }

    /// Ends a flush: takes the members that got something.
    pub(crate) fn take_touched(&mut self) -> Vec<MemberId> {
        for &id in &self.touched {
            if let Some(member) = of(&mut self.members, id) {
                member.touched = false;
            }
        }
        std::mem::take(&mut self.touched)
    }

    /// A number that changes with everything that decides who gets an update.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id.slot).filter(|m| m.serial == id.serial)
    }

    /// The place of each member, where the live ones are at this one.
    pub(super) fn places(&self, live: &Cursor) -> Vec<(MemberId, Cursor)> {
        let members = self.members.iter();
        let place = |(slot, member): (usize, &Member)| {
            let id = MemberId {
                slot,
                serial: member.serial,
            };
            let place = match &member.behind {
                Some(behind) => behind.place().clone(),
                None => live.with_everything_up_to(member.since),
            };
            (id, place)
        };
        members.map(place).collect()
    }

    pub(crate) fn get_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.version += 1;
        of(&mut self.members, id)
    }

    /// A member that gets something: no change of it decides who gets an update.
    pub(super) fn receiver(&mut self, id: MemberId) -> Option<&mut Member> {
        of(&mut self.members, id)
    }

    /// The ids of all members on a namespace.
    pub(crate) fn ids_on(&self, namespace: Namespace) -> Vec<MemberId> {
        let on = self
            .members
            .iter()
            .filter(|(_, m)| m.namespace == namespace);
        on.map(|(slot, m)| MemberId {
            slot,
            serial: m.serial,
        })
        .collect()
    }

    /// All members, to change nothing that decides who gets an update.
    pub(crate) fn members_mut(&mut self) -> impl Iterator<Item = (MemberId, &mut Member)> {
        self.members.iter_mut().map(|(slot, member)| {
            let serial = member.serial;
            (MemberId { slot, serial }, member)
        })
    }

    /// The ids of a topic's subscribers.
    pub(crate) fn ids_listening(&self, topic: Topic) -> Vec<MemberId> {
        let ids = self.topics.get(&topic).into_iter().flatten();
        ids.copied().collect()
    }

    /// Whether a member gets an aggregate of this name: it adds up all events, so only a member that may see all of
    /// them gets it.
    pub(crate) fn wants(&self, id: MemberId, name: &str) -> bool {
        self.get(id).is_some_and(|member| {
            self.permissions.get(member.permissions).is_everything()
                && self
                    .subscriptions
                    .get(member.subscription)
                    .admits_name(name)
        })
    }

    /// Whether a member's filter asks for an aggregate of this name.
    pub(crate) fn asks_for(&self, id: MemberId, name: &str) -> bool {
        let of = |member: &Member| self.subscriptions.get(member.subscription).asks_for(name);
        self.get(id).is_some_and(of)
    }

    /// Whether a member is told of something with these audiences under this name.
    pub(crate) fn is_told(&self, member: &Member, name: &str, about: &[Arc<Audience>]) -> bool {
        let permissions = self.permissions.get(member.permissions);
        let subscription = self.subscriptions.get(member.subscription);
        subscription.admits_name(name)
            && about
                .iter()
                .all(|audience| permissions.may_see_audience(audience, None))
    }

    /// The members of the room with this key.
    pub(crate) fn ids_in(&self, room: &str) -> impl Iterator<Item = MemberId> {
        self.rooms.get(room).into_iter().flatten().copied()
    }

    pub(crate) fn is_in(&self, id: MemberId, room: &str) -> bool {
        self.get(id).is_some_and(|member| {
            let key = member.namespace.room_key(room);
            member.rooms.iter().any(|r| **r == *key)
        })
    }

    /// The number of members of the room with this key.
    pub(crate) fn count(&self, room: &str) -> usize {
        self.rooms.get(room).map_or(0, IndexSet::len)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn census(&self) -> &Census {
        &self.census
    }

    /// The most members at one time.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// The number of free rooms, and the bytes that they hold.
    pub(super) fn free(&self) -> FreeRooms {
        self.free
    }

    /// The number of rooms that clients are in by request.
    pub(super) fn named_rooms(&self) -> usize {
        self.named_rooms
    }

    /// The rooms that have members.
    pub(crate) fn room_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rooms.keys()
    }
}

/// The member of this id, if it is still there.
pub(super) fn of(members: &mut Slab<Member>, id: MemberId) -> Option<&mut Member> {
    members.get_mut(id.slot).filter(|m| m.serial == id.serial)
}
