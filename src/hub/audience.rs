//! The audience of an update: those in its rooms who may see it and want it, each once.
//!
//! A room may be full of people whom the update doesn't concern. So the hub looks at the smaller set: the members of
//! the room, or the members whom the event can reach ([`super::permission_index`]). Each of them must pass the exact
//! check.

use slab::Slab;

use super::{
    member::{Member, MemberId},
    permission_index::PermissionIndex,
    roster::{Ids, Roster},
    subscription::{Candidate, Subscriptions},
};
use crate::{channel::Topic, update::Shapes};

/// A room with no more members than this is searched whole, without asking whom the update can reach.
const SMALL_ROOM: usize = 16;

impl Roster {
    /// Begins the next update.
    pub(crate) fn next_update(&mut self) {
        self.ticket += 1;
        self.whole = None;
    }

    /// The shapes in which these members take an update. Where nobody asked for the lean one, no member is looked at.
    pub(crate) fn shapes(&self, audience: &[MemberId]) -> Shapes {
        match self.census().lean() {
            0 => Shapes::FULL,
            _ => Shapes::of(
                audience
                    .iter()
                    .filter_map(|id| Some(self.get(*id)?.form.shape)),
            ),
        }
    }

    /// Adds to `to` those in `room` that may see the update and are not yet considered for it. Returns how many it
    /// looked at: members, or groups of them.
    pub(crate) fn in_room(
        &mut self,
        room: &str,
        update: &Candidate<'_>,
        to: &mut Vec<MemberId>,
    ) -> usize {
        let Some((name, ids)) = self.rooms.get_key_value(room) else {
            return 0;
        };
        let reached = match ids.len() > SMALL_ROOM {
            true => self.permissions.reach(self.ticket, update.subject.event),
            false => None,
        };
        let reached = reached.filter(|reached| *reached < ids.len());
        // Groups have no tickets: they are asked before any single member is.
        let is_whole = reached.is_none() && ids.len() > SMALL_ROOM;
        if is_whole && self.single != self.ticket && self.whole.is_none() {
            let groups = self.groups.of(name, ids, self.version, &self.members);
            if let Some(groups) = groups.filter(|groups| groups.since < update.seq) {
                for group in &groups.all {
                    if group.namespace == update.namespace
                        && self
                            .subscriptions
                            .admits(group.subscription, self.ticket, update)
                        && self.permissions.admits(
                            group.permissions,
                            self.ticket,
                            update.subject.event,
                        )
                    {
                        to.extend_from_slice(&group.ids);
                    }
                }
                self.whole = Some(name.clone());
                return groups.all.len();
            }
        }
        self.single = self.ticket;
        let looking = Looking {
            members: &mut self.members,
            subscriptions: &mut self.subscriptions,
            whole: self.whole.as_ref().and_then(|room| self.rooms.get(room)),
            ticket: self.ticket,
            update,
            to,
        };
        looking.among(ids, reached, &mut self.permissions)
    }

    /// The same for the subscribers of a topic.
    pub(crate) fn on_topic(
        &mut self,
        topic: Topic,
        update: &Candidate<'_>,
        to: &mut Vec<MemberId>,
    ) -> usize {
        let Some(ids) = self.topics.get(&topic) else {
            return 0;
        };
        let reached = match ids.len() > SMALL_ROOM {
            true => self.permissions.reach(self.ticket, update.subject.event),
            false => None,
        };
        self.single = self.ticket;
        let looking = Looking {
            members: &mut self.members,
            subscriptions: &mut self.subscriptions,
            whole: self.whole.as_ref().and_then(|room| self.rooms.get(room)),
            ticket: self.ticket,
            update,
            to,
        };
        let reached = reached.filter(|reached| *reached < ids.len());
        looking.among(ids, reached, &mut self.permissions)
    }
}

/// A search for the members that get an update.
struct Looking<'r, 'u> {
    members: &'r mut Slab<Member>,
    subscriptions: &'r mut Subscriptions,
    /// The room that was asked by groups: all in it were considered.
    whole: Option<&'r Ids>,
    ticket: u64,
    update: &'r Candidate<'u>,
    to: &'r mut Vec<MemberId>,
}

impl Looking<'_, '_> {
    /// Considers these members, or those of them whom the event can reach, if these are fewer.
    fn among(mut self, ids: &Ids, reached: Option<usize>, index: &mut PermissionIndex) -> usize {
        match reached {
            Some(reached) => {
                let mut those = index.reached();
                while let Some(id) = those.next(index) {
                    if ids.contains(&id) {
                        self.consider(id, index);
                    }
                }
                reached
            }
            None => {
                ids.iter().for_each(|id| self.consider(*id, index));
                ids.len()
            }
        }
    }

    fn consider(&mut self, id: MemberId, index: &mut PermissionIndex) {
        let found = self.members.get_mut(id.slot);
        let Some(member) = found.filter(|member| member.serial == id.serial) else {
            return;
        };
        if member.ticket == self.ticket {
            return;
        }
        member.ticket = self.ticket;
        if self.whole.is_some_and(|whole| whole.contains(&id)) {
            return;
        }
        let update = self.update;
        let elsewhere = member.namespace != update.namespace;
        if elsewhere || member.behind.is_some() || update.seq <= member.since {
            return;
        }
        if self
            .subscriptions
            .admits(member.subscription, self.ticket, update)
            && index.admits(member.permissions, self.ticket, update.subject.event)
        {
            self.to.push(id);
        }
    }
}

#[cfg(test)]
mod tests;
