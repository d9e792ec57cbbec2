//! Settles an event: its project, the homes of its things, their owners.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Known, Ledger, MAX_PROJECT, Speaker,
    fair::Key,
    learn::{goes_by, has_run, is_of_many},
    names::Means,
    pool::{Entry, Pool, key_of},
    things::Things,
};
use crate::{
    error::Error,
    event::{Candidates, Event, Settled, ThingKind},
};

/// The things by which an event without a project is given one, the surest first.
const TELLING: [ThingKind; 5] = [
    ThingKind::Run,
    ThingKind::Execution,
    ThingKind::Job,
    ThingKind::Task,
    ThingKind::Workflow,
];

/// A thing's kind, whether the projects are all in which its id is known, and the projects.
type Found<'l> = (ThingKind, bool, &'l [Arc<str>]);

impl Ledger {
    /// Settles an event of `speaker`, and learns from it.
    ///
    /// # Errors
    /// `forbidden` when the speaker may not say that; then nothing was learnt.
    pub fn settle(&self, event: &mut Event, speaker: Speaker<'_>) -> Result<(), Error> {
        let things = Things::of(event);
        self.settle_read(event, &things, speaker)
    }

    /// Settles an event whose things are found already.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub fn settle_read(
        &self,
        event: &mut Event,
        things: &Things,
        speaker: Speaker<'_>,
    ) -> Result<(), Error> {
        let named = event.project_id.is_some();
        event.settled = Settled {
            producer: speaker.producer.clone(),
            confined: speaker.projects.is_some(),
            ..Settled::default()
        };
        // An emission is of no project and names no thing: its rooms were checked before.
        if event.emission.is_some() {
            return Ok(());
        }
        if let Some(may) = speaker.projects {
            confine(event, may)?;
        }
        // An event without a project is given one by its board, its project's name or its things.
        let project = |event: &Event| match named {
            true => things.project,
            false => event.project_id.as_deref().map(key_of),
        };
        if speaker.projects.is_some() {
            let project = project(event);
            let mut known = self.lock();
            known.check_owner(event, things, project)?;
            known.recall(event, things, project);
            known.keep(event, things, project);
        } else {
            let mut known = self.lock();
            known.find(event, things);
            let project = project(event);
            known.place(event, things, project);
            known.recall(event, things, project);
            known.keep(event, things, project);
        }
        Ok(())
    }

    /// Learns from an event that was settled before, in the journal's order.
    pub fn learn(&self, event: &Event) {
        if event.emission.is_some() {
            return;
        }
        let things = Things::of(event);
        self.lock().learn(event, &things, things.project);
    }
}

/// A producer whose token names projects speaks for one of them in each event, and names no other.
fn confine(event: &mut Event, may: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let named = event.project_id.as_deref().or(event.board_id());
    let Some(project) = named else {
        return Err(Error::forbidden(
            "your token names projects, so each event must name one of them: add \"project_id\"",
        ));
    };
    if project.len() > MAX_PROJECT {
        return Err(Error::forbidden(format!(
            "project_id has {} bytes; use one of at most {MAX_PROJECT}",
            project.len()
        )));
    }
    let mut foreign = (!may(project)).then_some(project);
    event.each_project(&mut |project| {
        if foreign.is_none() && !may(project) {
            foreign = Some(project);
        }
    });
    if let Some(foreign) = foreign {
        return Err(Error::forbidden(format!(
            "your token doesn't name project {:?}: publish for one of its projects only",
            foreign.chars().take(64).collect::<String>()
        )));
    }
    let project: Arc<str> = project.into();
    event.project_id = Some(project);
    Ok(())
}

impl Known {
    /// Refuses a limited producer's owner for a thing that has another owner.
    fn check_owner(
        &self,
        event: &Event,
        things: &Things,
        project: Option<Key>,
    ) -> Result<(), Error> {
        let Some(new) = event.owner_id() else {
            return Ok(());
        };
        let taken = things.list.iter().any(|(kind, id)| {
            // The owner of a workflow's run is the run's.
            let of_run = is_of_many(*kind) && has_run(event);
            let homeless = self.vouched[*kind as usize].get(None, *id);
            let known = [self.entry(*kind, project, *id), homeless];
            let mut owners = known.into_iter().flatten().filter_map(Entry::owner);
            !of_run && owners.any(|owner| **owner != *new)
        });
        if taken {
            return Err(Error::forbidden(
                "what the event names has another owner_id in this project; leave owner_id out, or use an id of your own",
            ));
        }
        Ok(())
    }

    pub(super) fn entry(&self, kind: ThingKind, project: Option<Key>, id: Key) -> Option<&Entry> {
        let at = kind as usize;
        self.vouched[at]
            .get(project, id)
            .or_else(|| self.claimed[at].get(project, id))
    }

    /// Finds the session of the event's run, if an earlier event named it and this one names none.
    fn recall(&self, event: &mut Event, things: &Things, project: Option<Key>) {
        if event.session_id().is_some() {
            return;
        }
        let session = things.list.iter().find_map(|(kind, id)| {
            let home = event.home(*kind).and(project);
            self.entry(*kind, home, *id)?.session.clone()
        });
        event.settled.session = session;
    }

    /// Learns from a settled event, and writes down the owners of its things.
    fn keep(&mut self, event: &mut Event, things: &Things, project: Option<Key>) {
        self.learn(event, things, project);
        self.own(event, things, project);
    }

    /// Finds the project of an unlimited producer's event: by its board and name, else by its things.
    fn find(&self, event: &mut Event, things: &Things) {
        if event.project_id.is_some() {
            return;
        }
        let lacks = self.forgotten.contains(ThingKind::Project);
        let known = |id: &str| self.vouched.iter().any(|pool| pool.has_project(id));
        let means = (event.name.family() == "project")
            .then(|| self.names.find(goes_by(event), known, lacks));
        match means.flatten() {
            Some(Means::One(project)) => event.project_id = Some(project),
            Some(Means::Among(all, projects)) => self.search(event, things, Some((all, &projects))),
            None => self.search(event, things, None),
        }
    }

    /// Finds the homes of the things of an unlimited producer's event, whose project is known.
    fn place(&self, event: &mut Event, things: &Things, project: Option<Key>) {
        let settled = &mut event.settled;
        for (kind, id) in &things.list {
            let pool = &self.vouched[*kind as usize];
            let homeless = pool.get(None, *id);
            match (project, *kind) {
                (Some(_), kind) if homeless.is_some() && pool.get(project, *id).is_none() => {
                    match kind {
                        ThingKind::Agent => settled.shared.insert(kind),
                        kind => settled.adopted.insert(kind),
                    }
                }
                // An event about a project's agent that names no project may be about any project's.
                (None, ThingKind::Agent) => match (homeless, known_homes(pool, *id)) {
                    (Some(entry), _) if !entry.unsure => {}
                    (None, Some((all, homes))) => uncertain(settled, ThingKind::Agent, all, homes),
                    (None, None) if !self.forgotten.contains(ThingKind::Agent) => {}
                    _ => uncertain(settled, ThingKind::Agent, false, &[]),
                },
                _ => {}
            }
        }
    }

    /// Finds the one project in which the things are known, among those of the event's name.
    fn search(&self, event: &mut Event, things: &Things, named: Option<(bool, &[Arc<str>])>) {
        let mut single: Option<&Arc<str>> = None;
        let mut agree = true;
        let mut several = SmallVec::<[Found<'_>; 4]>::new();
        several.extend(named.map(|(all, projects)| (ThingKind::Project, all, projects)));
        for telling in TELLING {
            let Some((kind, id)) = things.list.iter().find(|(kind, _)| *kind == telling) else {
                continue;
            };
            let pool = &self.vouched[*kind as usize];
            if let Some(entry) = pool.get(None, *id) {
                if entry.unsure {
                    several.push((*kind, false, &[]));
                }
                continue;
            }
            match known_homes(pool, *id) {
                Some((true, [home])) => {
                    agree &= single.is_none_or(|single| single == home);
                    single = single.or(Some(home));
                    several.push((*kind, true, std::slice::from_ref(home)));
                }
                Some((all, homes)) => several.push((*kind, all, homes)),
                None if self.forgotten.contains(*kind) => several.push((*kind, false, &[])),
                None => {}
            }
        }
        let fits = |project: &Arc<str>| {
            several
                .iter()
                .all(|(_, all, homes)| !all || homes.contains(project))
        };
        if let Some(project) = single.filter(|project| agree && fits(project)) {
            event.project_id = Some(project.clone());
            return;
        }
        for (kind, all, homes) in several {
            uncertain(&mut event.settled, kind, all, homes);
        }
    }
}

/// The projects in which an id is known, and whether they are all.
fn known_homes(pool: &Pool, id: Key) -> Option<(bool, &[Arc<str>])> {
    pool.homes(id)
        .map(|homes| (homes.more == 0, &homes.known[..]))
}

/// Notes that the thing of this kind may be in one of these projects.
fn uncertain(settled: &mut Settled, kind: ThingKind, all: bool, homes: &[Arc<str>]) {
    settled.uncertain.insert(kind);
    let known = std::mem::take(&mut settled.candidates);
    settled.candidates = match known {
        _ if !all => Candidates::Unknown,
        Candidates::Unknown => Candidates::Unknown,
        Candidates::None => Candidates::These(homes.into()),
        Candidates::These(known) => {
            let mut known = known.into_vec();
            for home in homes {
                if !known.contains(home) {
                    known.push(home.clone());
                }
            }
            Candidates::These(known.into())
        }
    };
}
