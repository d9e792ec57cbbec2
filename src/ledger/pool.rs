//! The known things of one kind: their owners, and the projects in which an id is known.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::digest;
use smallvec::SmallVec;

use super::fair::{FairMap, Key};
use crate::event::{Owner, ThingKind};

/// Projects of one id that are listed; an id in more projects may be of any.
const MAX_HOMES: usize = 8;
/// Bytes of an owner that are kept. No token has a longer user, so a cut one is nobody's name.
const MAX_OWNER: usize = 256;

/// About how many bytes of memory a thing holds beside its names: its place among the things, in its account's order,
/// and among the homes of its id.
const ENTRY_BYTES: usize = 280;

/// The key of an id or a project.
pub(super) fn key_of(name: &str) -> Key {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    Key::from_be_bytes(bytes)
}

/// The key of a thing of one kind, in the project of another key.
fn key_in(project: Option<Key>, id: Key) -> Key {
    project.map_or(id, |project| id.wrapping_add(project.rotate_left(64)))
}

/// Facts that an event says of one of its things.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'e> {
    pub(super) owner: Option<Owner<'e>>,
    /// The session of a run.
    pub(super) session: Option<&'e str>,
}

/// A known thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    /// The key of its id.
    pub(super) id: Key,
    /// Its home.
    pub(super) project: Option<Arc<str>>,
    /// The first user that an event named with it, unless an event named another as the owner.
    pub(super) owner: Option<Arc<str>>,
    /// Whether an event named it as the owner, and not only as the user.
    pub(super) sure: bool,
    /// Whether several users use it and none was named as the owner.
    pub(super) shared: bool,
    /// Whether a producer whose token names projects named the owner: that counts within the project only.
    pub(super) limited: bool,
    /// The session of a run.
    pub(super) session: Option<Arc<str>>,
    /// Whether it may have a project: it has none as far as is known, but some things of its kind are forgotten.
    pub(super) unsure: bool,
    /// Whether it was moved to a project: without one it is no longer known.
    pub(super) moved: bool,
}

impl Entry {
    /// About how many bytes of memory it holds; `shares` says that its account has its project's name.
    fn held(&self, shares: bool) -> usize {
        let text = |name: &Option<Arc<str>>| name.as_ref().map_or(0, |name| name.len());
        let project = if shares { 0 } else { text(&self.project) };
        ENTRY_BYTES + project + text(&self.owner) + text(&self.session)
    }

    /// Learns the session of a run; the last one that an event names counts.
    pub(super) fn belong(&mut self, session: Option<&str>) {
        if let Some(session) = session
            && self.session.as_deref() != Some(cut(session))
        {
            self.session = Some(cut(session).into());
        }
    }

    /// Its owner, if it has a single one.
    pub(super) fn owner(&self) -> Option<&Arc<str>> {
        self.owner.as_ref().filter(|_| !self.shared)
    }

    /// Learns an owner from an event. A limited producer's word gives way to those of others.
    pub(super) fn learn(&mut self, kind: ThingKind, said: Owner<'_>, limited: bool) {
        if limited && !self.limited && self.owner.is_some() {
            return;
        }
        let gives_way = self.limited && !limited;
        if gives_way {
            (self.owner, self.sure, self.shared, self.limited) = (None, false, false, false);
        }
        match said {
            Owner::Said(owner) => {
                if self.owner.as_deref() != Some(owner) {
                    self.owner = Some(cut(owner).into());
                }
                (self.sure, self.shared, self.limited) = (true, false, limited);
            }
            Owner::Concerned(user) if self.owner.is_none() => {
                self.owner = Some(cut(user).into());
                self.limited = limited;
            }
            // A user who runs a workflow doesn't own other users' runs of it.
            Owner::Concerned(user)
                if matches!(kind, ThingKind::Workflow | ThingKind::Session) && !self.sure =>
            {
                self.shared |= self.owner.as_deref() != Some(cut(user));
            }
            Owner::Concerned(_) => {}
        }
    }
}

fn cut(owner: &str) -> &str {
    let mut end = owner.len().min(MAX_OWNER);
    while !owner.is_char_boundary(end) {
        end -= 1;
    }
    &owner[..end]
}

#[derive(Debug, Default)]
pub(super) struct Homes {
    /// The first ones.
    pub(super) known: SmallVec<[Arc<str>; 1]>,
    /// The number of further ones.
    pub(super) more: usize,
}

/// The things of one kind.
#[derive(Debug)]
pub(super) struct Pool {
    /// By thing.
    things: FairMap<Entry>,
    /// By id.
    homes: HashMap<Key, Homes>,
    /// Whether the accounts are projects, for unlimited producers; otherwise they are producers.
    of_projects: bool,
    /// Bytes of memory that the things hold beside their accounts.
    held: usize,
}

impl Pool {
    pub(super) fn new(max: usize, of_projects: bool) -> Self {
        Self {
            things: FairMap::new(max),
            homes: HashMap::new(),
            of_projects,
            held: 0,
        }
    }

    /// About how many bytes of memory it holds in all.
    pub(super) fn held(&self) -> usize {
        self.held + self.things.accounts_hold()
    }

    /// A thing, if it is known.
    pub(super) fn get(&self, project: Option<Key>, id: Key) -> Option<&Entry> {
        let entry = self.things.get(key_in(project, id))?;
        (!entry.moved).then_some(entry)
    }

    /// A thing to be marked; it counts as used.
    fn touch(&mut self, project: Option<Key>, id: Key) -> Option<&mut Entry> {
        let entry = self.things.touch(key_in(project, id))?;
        (!entry.moved).then_some(entry)
    }

    /// Teaches a thing its owner and session, if the thing is known; it counts as used.
    pub(super) fn teach(
        &mut self,
        (kind, project, id): (ThingKind, Option<Key>, Key),
        said: Said<'_>,
        limited: bool,
    ) -> bool {
        let shares = self.of_projects;
        let Some(entry) = self.touch(project, id) else {
            return false;
        };
        if said.owner.is_none() && said.session.is_none() {
            return true;
        }
        let before = entry.held(shares);
        if let Some(owner) = said.owner {
            entry.learn(kind, owner, limited);
        }
        entry.belong(said.session);
        let now = entry.held(shares);
        self.held = self.held + now - before;
        true
    }

    /// The projects in which an id is known.
    pub(super) fn homes(&self, id: Key) -> Option<&Homes> {
        self.homes.get(&id)
    }

    /// Whether a thing is known in this project.
    pub(super) fn has_project(&self, project: &str) -> bool {
        self.of_projects && self.things.has_account(project)
    }

    /// Adds a thing that isn't known yet, in the project of the key. Returns whether another thing was evicted for it.
    pub(super) fn insert(
        &mut self,
        account: &Arc<str>,
        project: Option<Key>,
        mut entry: Entry,
    ) -> bool {
        let key = key_in(project, entry.id);
        if let Some(known) = self.things.touch(key) {
            // The thing was moved to a project, and is now named without one again.
            let before = known.held(self.of_projects);
            *known = entry;
            self.held = self.held + known.held(self.of_projects) - before;
            return false;
        }
        if let Some(project) = entry.project.as_mut().filter(|project| *project == account) {
            // Its things share one copy of a project's name.
            *project = self.things.account(account);
        }
        if let Some(project) = &entry.project {
            let homes = self.homes.entry(entry.id).or_default();
            if homes.known.len() < MAX_HOMES {
                homes.known.push(project.clone());
            } else {
                homes.more += 1;
            }
        }
        self.held += entry.held(self.of_projects);
        let gone = self.things.insert(key, account, entry);
        gone.is_some_and(|gone| self.forget(&gone))
    }

    /// Evicts a thing to hold less memory; `None` if there is none. Returns whether it was known.
    pub(super) fn evict(&mut self) -> Option<bool> {
        let gone = self.things.evict()?;
        Some(self.forget(&gone))
    }

    /// Forgets an evicted thing. Returns whether it was known.
    fn forget(&mut self, gone: &Entry) -> bool {
        self.held -= gone.held(self.of_projects);
        if let Some(project) = &gone.project
            && let Some(homes) = self.homes.get_mut(&gone.id)
        {
            match homes.known.iter().position(|known| known == project) {
                Some(at) => drop(homes.known.remove(at)),
                None => homes.more = homes.more.saturating_sub(1),
            }
            if homes.known.is_empty() && homes.more == 0 {
                self.homes.remove(&gone.id);
            }
        }
        !gone.moved
    }

    /// Takes a thing without a project, to move it to one. Returns its entry.
    pub(super) fn take_homeless(&mut self, id: Key) -> Option<Entry> {
        let entry = self.touch(None, id)?;
        entry.moved = true;
        let entry = entry.clone();
        Some(Entry {
            moved: false,
            unsure: false,
            ..entry
        })
    }

    /// All things with their accounts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.things
            .iter()
            .map(|(_, account, entry)| (account, entry))
    }
}
