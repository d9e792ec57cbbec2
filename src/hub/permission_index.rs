//! Permissions of the members, found by the events that they may show. Members with equal claims share permissions: the
//! hub asks these once about an update, and not at all where their claims can't be enough for it.
//!
//! An event reaches those who have one of a few keys ([`Reach`]): the names of its project, its owners and its things.
//! Permissions are found by their own keys here, which change only when a member comes, goes or gets other claims. The
//! projects and owners of an event are settled when it is accepted, and change nothing here.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexSet;
use slab::Slab;

use super::member::MemberId;
use crate::{
    access::authz::{Permissions, Policy, Reach},
    event::Event,
};

/// The permissions of all members, found by the events that they may show.
#[derive(Debug, Default)]
pub(super) struct PermissionIndex {
    /// One entry for all members with equal claims.
    shared: Slab<Shared>,
    /// The entry of these permissions, for the next member that has them.
    numbers: HashMap<Permissions, usize>,
    /// The entries that are asked about every event.
    always: IndexSet<usize>,
    /// The entries that are asked about an event that has this key.
    by_key: HashMap<Box<str>, IndexSet<usize>>,
    /// The rules of the entries that are found by keys.
    policy: Option<Arc<Policy>>,
    /// The update of `reached`.
    ticket: u64,
    /// The members that the present update can reach.
    reached: Reached,
}

/// The members that an update can reach.
#[derive(Debug, Default)]
struct Reached {
    /// Whether it may be everybody.
    everybody: bool,
    /// Otherwise the numbers of the permissions, each once.
    numbers: Vec<usize>,
    /// The number of members that have these permissions.
    members: usize,
}

#[derive(Debug)]
struct Shared {
    permissions: Permissions,
    members: IndexSet<MemberId>,
    /// The last update that can reach them.
    reached_by: u64,
    /// The update that `verdict` is about.
    ticket: u64,
    verdict: bool,
}

impl PermissionIndex {
    /// The number of permissions, for one more member that has them.
    pub(super) fn share(&mut self, permissions: Permissions, member: MemberId) -> usize {
        let at = match self.numbers.get(&permissions) {
            Some(&at) => at,
            None => self.add(permissions),
        };
        self.shared[at].members.insert(member);
        at
    }

    fn add(&mut self, permissions: Permissions) -> usize {
        let at = self.shared.insert(Shared {
            permissions: permissions.clone(),
            members: IndexSet::new(),
            reached_by: 0,
            ticket: 0,
            verdict: false,
        });
        match self.keys(&permissions) {
            Some(keys) => {
                for key in keys {
                    self.by_key.entry(key.into()).or_default().insert(at);
                }
            }
            None => drop(self.always.insert(at)),
        }
        self.numbers.insert(permissions, at);
        at
    }

    /// Takes one member from the permissions of this number.
    pub(super) fn unshare(&mut self, at: usize, member: MemberId) {
        let shared = &mut self.shared[at];
        shared.members.swap_remove(&member);
        if !shared.members.is_empty() {
            return;
        }
        let gone = self.shared.remove(at);
        self.numbers.remove(&gone.permissions);
        self.always.swap_remove(&at);
        for key in self.keys(&gone.permissions).into_iter().flatten() {
            if let Some(numbers) = self.by_key.get_mut(&*key) {
                numbers.swap_remove(&at);
                if numbers.is_empty() {
                    self.by_key.remove(&*key);
                }
            }
        }
    }

    /// The keys by which permissions are found. Permissions under other rules than the first are asked about every
    /// event.
    fn keys(&mut self, permissions: &Permissions) -> Option<Vec<String>> {
        let own = permissions.policy()?;
        let policy = self.policy.get_or_insert_with(|| own.clone());
        Arc::ptr_eq(policy, own)
            .then(|| permissions.keys())
            .flatten()
    }

    /// The permissions of this number.
    pub(super) fn get(&self, at: usize) -> &Permissions {
        &self.shared[at].permissions
    }

    /// The most members that an update can reach; found once for an update. `None` stands for all of them.
    pub(super) fn reach(&mut self, ticket: u64, event: &Event) -> Option<usize> {
        if self.ticket != ticket {
            self.ticket = ticket;
            self.find(event);
        }
        (!self.reached.everybody).then_some(self.reached.members)
    }

    fn find(&mut self, event: &Event) {
        let reached = &mut self.reached;
        reached.numbers.clear();
        reached.members = 0;
        let reach = match &self.policy {
            Some(policy) if !self.by_key.is_empty() => policy.reach(event),
            _ => Reach::Everybody,
        };
        let Reach::Keys(keys) = reach else {
            reached.everybody = true;
            return;
        };
        reached.everybody = false;
        let with_key = keys.iter().filter_map(|key| self.by_key.get(&**key));
        for &at in self.always.iter().chain(with_key.flatten()) {
            let shared = &mut self.shared[at];
            if shared.reached_by != self.ticket {
                shared.reached_by = self.ticket;
                reached.numbers.push(at);
                reached.members += shared.members.len();
            }
        }
    }

    /// The members that the update of the last [`PermissionIndex::reach`] can reach, unless that is everybody.
    pub(super) fn reached(&self) -> Those {
        Those::default()
    }

    /// The verdict on an update, made once for all members that share the permissions.
    pub(super) fn admits(&mut self, at: usize, ticket: u64, event: &Event) -> bool {
        let shared = &mut self.shared[at];
        if shared.ticket != ticket {
            shared.ticket = ticket;
            shared.verdict = shared.permissions.may_see(event);
        }
        shared.verdict
    }

    /// The number of different permissions.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shared.len()
    }
}

/// A walk over the members that an update can reach. It borrows nothing, so that permissions can be asked meanwhile.
#[derive(Debug, Default)]
pub(super) struct Those {
    number: usize,
    member: usize,
}

impl Those {
    pub(super) fn next(&mut self, index: &PermissionIndex) -> Option<MemberId> {
        loop {
            let at = index.reached.numbers.get(self.number)?;
            if let Some(id) = index.shared[*at].members.get_index(self.member) {
                self.member += 1;
                return Some(*id);
            }
            *self = Self {
                number: self.number + 1,
                member: 0,
            };
        }
    }
}
