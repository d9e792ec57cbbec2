//! The rules on one event as data: the claim that each of its things demands of a client, and so the clients that it
//! can reach.
//!
//! [`Needs`] is the one reading of the rules. `Permissions` holds its claims against it, and [`Reach`] turns it into the names of
//! rooms under which the hub finds those who may have such claims (`Permissions::keys`), so that nobody else is asked.

use std::sync::Arc;

use super::{
    audience::Context,
    room_name::{bare, has_project},
};
use crate::{
    config::{Rule, Rules},
    event::{Candidates, Event, ThingKind},
    ledger::Ledger,
};

/// The rules and the ledger, shared by all permissions.
#[derive(Debug)]
pub struct Policy {
    /// The rules on things.
    pub rules: Rules,
    /// The present owners of things, for rooms.
    pub ledger: Arc<Ledger>,
}

/// The claim that a rule demands of a client that wants to see a thing.
#[derive(Debug)]
pub(super) enum Needs<'e> {
    /// The token names this project.
    Claim(&'e str),
    /// The client is this user.
    User(&'e str),
    /// The client may see this project.
    Project(&'e str),
    /// The client may see each project to which the thing may belong.
    EachOf(&'e Candidates),
    /// No claim is enough: only clients that see everything may see the thing.
    TooMuch,
}

impl<'e> Needs<'e> {
    /// The claim that the rules demand for a thing of an event; `None` when they say nothing of it. The event's project
    /// counts, else the thing's own.
    pub(super) fn of(
        rules: &Rules,
        kind: ThingKind,
        id: &'e str,
        context: &'e Context<'_>,
    ) -> Option<Self> {
        // A session only has a room: its runs decide who sees what they do.
        if kind == ThingKind::Session {
            return None;
        }
        let by_project = || match context.project.or(context.home(kind)) {
            Some(project) => Some(Self::Project(project)),
            None if context.uncertain.contains(kind) || context.is_of_some_project() => {
                Some(Self::EachOf(context.candidates))
            }
            None => None,
        };
        match rules.of(kind) {
            Rule::All => None,
            Rule::Claim if kind == ThingKind::Project => Some(Self::Claim(id)),
            Rule::Claim => Some(Self::TooMuch),
            Rule::User => Some(Self::User(id)),
            Rule::Project => by_project(),
            Rule::Owner => Some(match context.owner(kind) {
                Some(owner) => Self::User(owner),
                None => by_project().unwrap_or(Self::TooMuch),
            }),
        }
    }
}

impl<'e> Needs<'e> {
    /// The claim that the rules demand for an event of one of several projects; `None` when no rule is about projects.
    pub(super) fn of_some_project(rules: &Rules, context: &'e Context<'_>) -> Option<Self> {
        let ruled = context.is_of_some_project() && rules.project != Rule::All;
        ruled.then_some(Self::EachOf(context.candidates))
    }
}

/// The clients that an event can reach, beside those that must be asked about each event (`Permissions::keys`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Perhaps everybody.
    Everybody,
    /// Only clients with one of these keys.
    Keys(Vec<String>),
}

/// The reach, collected thing by thing.
struct Found<'h> {
    rules: &'h Rules,
    everybody: bool,
    keys: Vec<String>,
}

impl Found<'_> {
    fn add(&mut self, kind: ThingKind, project: Option<&str>, id: &str) {
        let key = bare(kind, project, id);
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    fn add_those_who_see(&mut self, project: &str) {
        match self.rules.project {
            Rule::All => self.everybody = true,
            _ => self.add(ThingKind::Project, None, project),
        }
    }

    fn add_those_who_meet(&mut self, needs: &Needs<'_>) {
        match needs {
            Needs::Claim(project) => self.add(ThingKind::Project, None, project),
            Needs::User(user) => self.add(ThingKind::User, None, user),
            Needs::Project(project) => self.add_those_who_see(project),
            // A client that sees all of them sees the first.
            Needs::EachOf(Candidates::These(projects)) => match projects.first() {
                Some(first) => self.add_those_who_see(first),
                None => self.everybody = true,
            },
            Needs::EachOf(Candidates::None) => self.everybody = true,
            Needs::EachOf(Candidates::Unknown) | Needs::TooMuch => {}
        }
    }
}

impl Policy {
    /// The clients that an event can reach under the rules. It may name too many, but never leaves out one that may see
    /// the event.
    pub fn reach(&self, event: &Event) -> Reach {
        let context = Context::of(event);
        let mut found = Found {
            rules: &self.rules,
            everybody: false,
            keys: Vec::new(),
        };
        if context.confined && context.project.is_none() {
            return Reach::Keys(Vec::new());
        }
        let mut is_ruled = false;
        event.things(&mut |kind, id| {
            let in_project = match context.confined {
                true => context.project,
                false => context.home(kind),
            };
            let needs = Needs::of(&self.rules, kind, id, &context);
            // A token that names a session's room sees what its runs do.
            let is_session = kind == ThingKind::Session;
            if needs.is_none() && !context.confined && !is_session {
                return;
            }
            if let Some(project) = in_project.filter(|_| has_project(kind)) {
                found.add(kind, Some(project), id);
            }
            if !context.confined {
                found.add(kind, None, id);
            }
            if let Some(needs) = needs {
                is_ruled = true;
                found.add_those_who_meet(&needs);
            }
        });
        if let Some(needs) = Needs::of_some_project(&self.rules, &context) {
            is_ruled = true;
            found.add_those_who_meet(&needs);
        }
        found.everybody |= !is_ruled;
        if let Some(project) = context.project.filter(|_| context.confined)
            && found.everybody
        {
            found.everybody = false;
            found.add_those_who_see(project);
        }
        match found.everybody {
            true => Reach::Everybody,
            false => Reach::Keys(found.keys),
        }
    }
}
