//! Learns from settled events: names of projects, homes and owners of things.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Known, MAX_PROJECT,
    fair::Key,
    pool::{Entry, Said},
    things::Things,
};
use crate::event::{Candidates, Event, Kinds, Owned, Owner, Settled, ThingKind};

impl Known {
    /// Learns from a settled event. The same events in the same order always teach the same.
    pub(super) fn learn(&mut self, event: &Event, things: &Things, key: Option<Key>) {
        let (settled, limited) = (&event.settled, event.settled.confined);
        let project = event.project_id.as_ref();
        if project.is_some_and(|project| project.len() > MAX_PROJECT) {
            return;
        }
        if !limited
            && event.name.family() == "project"
            && let Some(project) = project
        {
            self.name(project, goes_by(event));
        }
        let is_open = settled.uncertain.contains(ThingKind::Project);
        for (kind, id) in &things.list {
            // If an event belongs to one of several projects, its agent isn't known to be shared by all.
            if is_open && *kind == ThingKind::Agent
                || settled.uncertain.contains(*kind)
                    && matches!(settled.candidates, Candidates::These(_))
            {
                continue;
            }
            let home = project.zip(key).filter(|_| !settled.shared.contains(*kind));
            let said = Said {
                owner: said_of(event, *kind),
                session: event.session_id().filter(|_| is_run(*kind)),
            };
            self.note((*kind, *id), home, said, settled);
        }
    }

    /// Notes the board and the name of a project.
    fn name(&mut self, project: &Arc<str>, goes_by: (Option<&str>, Option<&str>)) {
        let held = self.names.held();
        let lacks = self.forgotten.contains(ThingKind::Project);
        let forgotten = self
            .names
            .note(project, goes_by, self.bounds.names(), lacks);
        if let Some(reason) = forgotten {
            self.was_forgotten(ThingKind::Project, false, reason);
        }
        if self.names.held() > held {
            self.hold(false);
        }
    }

    /// Notes one thing.
    fn note(
        &mut self,
        (kind, id): (ThingKind, Key),
        home: Option<(&Arc<str>, Key)>,
        said: Said<'_>,
        settled: &Settled,
    ) {
        let (limited, at) = (settled.confined, kind as usize);
        let (home, project) = home.unzip();
        let thing = (kind, project, id);
        if self.vouched[at].teach(thing, said, limited) {
            // This very event may have brought it into the project, when it is learnt again.
            if !limited && settled.adopts(kind) {
                self.vouched[at].take_homeless(id);
            }
            return;
        }
        let pool = match limited {
            true => &mut self.claimed[at],
            false => &mut self.vouched[at],
        };
        if limited && pool.teach(thing, said, limited) {
            return;
        }
        let adopted = settled.adopts(kind).then(|| pool.take_homeless(id));
        let mut entry = adopted.flatten().unwrap_or_default();
        entry.id = id;
        entry.project = home.cloned();
        entry.unsure =
            settled.uncertain.contains(kind) || settled.uncertain.contains(ThingKind::Project);
        // A forgotten thing may have an owner, so no limited producer becomes its owner.
        let claimable = !limited || !self.forgotten.contains(kind);
        if let Some(owner) = said.owner.filter(|_| claimable) {
            entry.learn(kind, owner, limited);
        }
        entry.belong(said.session);
        let none = Arc::from("");
        let account = match limited {
            true => &settled.producer,
            false => home.unwrap_or(&none),
        };
        if pool.insert(account, project, entry) {
            self.was_forgotten(kind, limited, "count");
        }
        self.hold(limited);
    }

    /// Writes down the owners of the event's things.
    pub(super) fn own(&self, event: &mut Event, things: &Things, project: Option<Key>) {
        let mut owners: SmallVec<[Owned; 1]> = SmallVec::new();
        for (kind, id) in &things.list {
            let project = event.home(*kind).and(project);
            let entry = self.entry(*kind, project, *id);
            // A limited producer's word on an owner opens no event of others.
            let counts = |entry: &&Entry| !entry.limited || event.settled.confined;
            let Some(owner) = entry.filter(counts).and_then(Entry::owner) else {
                continue;
            };
            match owners.iter_mut().find(|owned| owned.owner == *owner) {
                Some(owned) => owned.kinds.insert(*kind),
                None => owners.push(Owned {
                    owner: owner.clone(),
                    kinds: Kinds::from_iter([*kind]),
                }),
            }
        }
        event.settled.owners = owners;
    }
}

/// The board and the name of the event's project.
pub(super) fn goes_by(event: &Event) -> (Option<&str>, Option<&str>) {
    (event.board_id(), event.project_name())
}

pub(super) fn has_run(event: &Event) -> bool {
    event.run_id().or(event.execution_id()).is_some()
}

/// Whether several users may have runs of one thing of this kind.
pub(super) fn is_of_many(kind: ThingKind) -> bool {
    matches!(kind, ThingKind::Workflow | ThingKind::Session)
}

fn is_run(kind: ThingKind) -> bool {
    matches!(kind, ThingKind::Run | ThingKind::Execution | ThingKind::Job)
}

/// The owner that the event names for its thing of this kind. The owner of a workflow's run is the run's.
fn said_of(event: &Event, kind: ThingKind) -> Option<Owner<'_>> {
    match event.owner()? {
        Owner::Said(owner) if is_of_many(kind) && has_run(event) => Some(Owner::Concerned(owner)),
        owner => Some(owner),
    }
}
