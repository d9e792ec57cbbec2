//! The members of large rooms, in groups of those of whom an update asks the same: it asks a group once, and takes its
//! members as they are listed.
//!
//! A list holds as long as no member changes. It is made when a room is looked through for the second time without a change,
//! so that a roster that changes with every update pays nothing for it.

use std::sync::Arc;

use slab::Slab;

use super::{
    member::{Member, MemberId},
    roster::Ids,
};
use crate::{channel::Namespace, journal::Seq};

/// The rooms that have lists at a time.
const MAX_ROOMS: usize = 4;
/// The least number of members for each group: with fewer, asking each member costs as much. Tests have all kinds of
/// members in small rooms.
const MIN_MEMBERS: usize = if cfg!(test) { 1 } else { 8 };

/// Live members that see the same.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) namespace: Namespace,
    pub(super) subscription: usize,
    pub(super) permissions: usize,
    pub(super) ids: Vec<MemberId>,
}

/// The lists.
#[derive(Debug, Default)]
pub(super) struct RoomGroups(Vec<Listed>);

#[derive(Debug)]
struct Listed {
    room: Arc<str>,
    /// The roster's version at which the room was looked through.
    version: u64,
    /// Its groups at that version; none before the second look.
    groups: Option<Groups>,
}

/// The groups of one room.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    /// The last place up to which any of the members was given everything.
    pub(super) since: Seq,
    /// Whether there are so few groups that they save anything.
    are_few: bool,
}

impl RoomGroups {
    /// The groups of a room, if they are known and worth it.
    pub(super) fn of(
        &mut self,
        room: &Arc<str>,
        ids: &Ids,
        version: u64,
        members: &Slab<Member>,
    ) -> Option<&Groups> {
        let Some(at) = self.0.iter().position(|listed| listed.room == *room) else {
            if self.0.len() == MAX_ROOMS {
                self.0.remove(0);
            }
            self.0.push(Listed {
                room: room.clone(),
                version,
                groups: None,
            });
            return None;
        };
        let listed = self.0.get_mut(at)?;
        if listed.version != version {
            (listed.version, listed.groups) = (version, None);
            return None;
        }
        let groups = listed
            .groups
            .get_or_insert_with(|| Groups::new(ids, members));
        groups.are_few.then_some(groups)
    }
}

impl Groups {
    fn new(ids: &Ids, members: &Slab<Member>) -> Self {
        let mut groups = Self::default();
        for &id in ids {
            let found = members.get(id.slot);
            let Some(member) = found.filter(|m| m.serial == id.serial && m.behind.is_none()) else {
                continue;
            };
            groups.since = groups.since.max(member.since);
            let same = groups.all.iter().rposition(|group| {
                (group.namespace, group.subscription, group.permissions)
                    == (member.namespace, member.subscription, member.permissions)
            });
            match same {
                Some(same) => groups.all[same].ids.push(id),
                None if groups.all.len() >= ids.len() / MIN_MEMBERS => return Self::default(),
                None => groups.all.push(Group {
                    namespace: member.namespace,
                    subscription: member.subscription,
                    permissions: member.permissions,
                    ids: vec![id],
                }),
            }
        }
        groups.are_few = true;
        groups
    }
}
