//! The members that an emission is for: those of its rooms on its namespace, each once.

use slab::Slab;

use super::super::{
    member::{Member, MemberId},
    roster::{Roster, of},
    subscription::Subscriptions,
};
use crate::{emission::Emission, journal::Seq};

/// The findings of a search for the members that an emission is for.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// Members that it looked at.
    pub(crate) looked_at: usize,
    /// Whether a filter was asked: for an emission of another name the answer may be another.
    pub(crate) asked_filters: bool,
}

impl Roster {
    /// Adds to `to` the members that an emission is for. With a place in the stream, only those that are live there.
    pub(crate) fn addressed(
        &mut self,
        emission: &Emission,
        skips_own_rooms: bool,
        live: Option<Seq>,
        to: &mut Vec<MemberId>,
    ) -> Search {
        self.next_update();
        let ticket = self.ticket;
        let on = emission.namespace;
        let ids = |room: &String| self.rooms.get(&*on.room_key(room)).into_iter().flatten();
        for id in emission.except.iter().flat_map(ids) {
            if let Some(member) = of(&mut self.members, *id) {
                member.ticket = ticket;
            }
        }
        let mut looking = Looking {
            subscriptions: &self.subscriptions,
            emission,
            ticket,
            live,
            found: Search::default(),
        };
        if emission.rooms.is_empty() {
            looking.found.looked_at = self.members.len();
            for (slot, member) in &mut self.members {
                let id = MemberId {
                    slot,
                    serial: member.serial,
                };
                looking.consider(id, member, to);
            }
        }
        for room in &emission.rooms {
            let ids = self.rooms.get(&*on.room_key(room)).into_iter().flatten();
            looking.among(&mut self.members, ids, skips_own_rooms.then_some(room), to);
        }
        looking.found
    }
}

/// A search for the members that an emission is for.
struct Looking<'r> {
    subscriptions: &'r Subscriptions,
    emission: &'r Emission,
    ticket: u64,
    /// The place in the stream at which members have to be live.
    live: Option<Seq>,
    found: Search,
}

impl Looking<'_> {
    /// Considers these, but not the one client whose own room this is.
    fn among<'i>(
        &mut self,
        members: &mut Slab<Member>,
        ids: impl Iterator<Item = &'i MemberId>,
        unless_own: Option<&String>,
        to: &mut Vec<MemberId>,
    ) {
        for &id in ids {
            let Some(member) = of(members, id) else {
                continue;
            };
            self.found.looked_at += 1;
            if unless_own.is_none_or(|room| *member.client_id != **room) {
                self.consider(id, member, to);
            }
        }
    }

    fn consider(&mut self, id: MemberId, member: &mut Member, to: &mut Vec<MemberId>) {
        if member.namespace != self.emission.namespace || member.ticket == self.ticket {
            return;
        }
        member.ticket = self.ticket;
        let is_live = |at: Seq| member.behind.is_none() && at > member.since;
        if !self.live.is_none_or(is_live) {
            return;
        }
        let subscription = self.subscriptions.get(member.subscription);
        self.found.asked_filters |= !subscription.is_open();
        if subscription.is_open() || subscription.admits_name(&self.emission.event) {
            to.push(id);
        }
    }
}
