//! What one client may see. Every door asks here: joins, updates, history, state, streams and resumes.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    audience::{Audience, Context},
    reach::{Needs, Policy},
    room_name::{self, has_project},
};
use crate::{
    config::Rule,
    event::{Candidates, Event, Kind},
    ledger::{Seat, Seats},
    pattern::{BadPattern, Patterns},
};

/// What a client may see, by its claims.
#[derive(Debug, Clone, Default)]
pub struct Permissions(Option<Arc<Scope>>);

/// The claims of a client that may not see everything.
struct Scope {
    /// Who it is: owns things.
    user: Option<Arc<str>>,
    /// Rooms that its token names; without them, those that the rules let it into.
    rooms: Option<Names>,
    /// Projects that its token names.
    projects: Option<Names>,
    /// These are not all projects: what it publishes is of one of them.
    limited: bool,
    /// What the rules say of the rest.
    policy: Arc<Policy>,
}

/// A list of patterns.
#[derive(Debug, Clone)]
struct Names {
    /// In order: equal lists see the same.
    written: Vec<String>,
    /// Ready to be used.
    set: Patterns,
}

impl Names {
    /// Patterns of rooms, which may be spelt in several ways.
    fn of_rooms(mut written: Vec<String>) -> Result<Self, BadPattern> {
        for pattern in &mut written {
            *pattern = room_name::bare_pattern(pattern);
        }
        Self::new(written)
    }

    fn new(mut written: Vec<String>) -> Result<Self, BadPattern> {
        written.sort_unstable();
        written.dedup();
        let set = Patterns::new(written.iter().map(String::as_str));
        let set = set.map_err(|(_, bad)| bad)?;
        Ok(Self { written, set })
    }

    /// The names, when each stands for itself; `None` when there is a wildcard among them.
    fn plain(&self) -> Option<impl Iterator<Item = &str>> {
        (self.set.wild() == 0).then(|| self.set.plain())
    }
}

impl Permissions {
    /// Sees everything: an admin, and everybody while authentication is off.
    pub fn everything() -> Self {
        Self(None)
    }

    /// Sees what these claims allow: everything, if they open every room and keep to no projects.
    ///
    /// # Errors
    /// A room or a project is not a pattern.
    pub fn new(
        user: Option<Arc<str>>,
        rooms: Option<Vec<String>>,
        projects: Option<Vec<String>>,
        policy: Arc<Policy>,
    ) -> Result<Self, BadPattern> {
        let is_all = |names: &[String]| names.iter().any(|name| name == "*" || name == "**");
        if rooms.as_deref().is_some_and(is_all) && projects.as_deref().is_none_or(is_all) {
            return Ok(Self::everything());
        }
        Ok(Self(Some(Arc::new(Scope {
            user,
            limited: projects
                .as_deref()
                .is_some_and(|projects| !is_all(projects)),
            rooms: rooms.map(Names::of_rooms).transpose()?,
            projects: projects.map(Names::new).transpose()?,
            policy,
        }))))
    }

    /// Whether nothing is hidden: then even what is gathered from all projects may be shown.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// The names under which it is found for an event ([`Policy::reach`]); `None` for one that has to be asked about each: it
    /// sees everything, or has claims with wildcards.
    pub fn keys(&self) -> Option<Vec<String>> {
        let scope = self.0.as_ref()?;
        let mut keys = Vec::new();
        if let Some(rooms) = &scope.rooms {
            keys.extend(rooms.plain()?.map(str::to_owned));
        }
        if let Some(projects) = &scope.projects {
            let of_project = |project| room_name::bare(Kind::Project, None, project);
            keys.extend(projects.plain()?.map(of_project));
        }
        let of_user = |user: &Arc<str>| room_name::bare(Kind::User, None, user);
        keys.extend(scope.user.as_ref().map(of_user));
        keys.sort_unstable();
        keys.dedup();
        Some(keys)
    }

    /// The rules by which it is judged; none for one that sees everything.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.0.as_ref().map(|scope| &scope.policy)
    }

    /// Whether the two are one, held in one place. Others may see the same.
    pub fn is(&self, other: &Self) -> bool {
        self.address() == other.address()
    }

    /// A number that no other one has while this one is held.
    pub fn address(&self) -> usize {
        let scope = self.0.as_ref();
        scope.map_or(0, |scope| Arc::as_ptr(scope).addr())
    }

    /// Whether its token names projects, so that it publishes for these only.
    pub fn is_limited(&self) -> bool {
        self.limits().is_some()
    }

    /// The projects, or patterns of projects, that it publishes for, in order; `None` when it publishes for all.
    pub fn limits(&self) -> Option<&[String]> {
        let scope = self.0.as_ref().filter(|scope| scope.limited)?;
        scope
            .projects
            .as_ref()
            .map(|projects| &projects.written[..])
    }

    /// Whether it may wait for the actions of an agent, in whatever project or in this one: with limits, if a project of its
    /// is one of the agent's. Of an agent that is not known yet it may; what it is asked then goes by the project again.
    pub fn may_perform(&self, project: Option<&str>, agent: &str) -> bool {
        let Some(scope) = self.0.as_ref().filter(|scope| scope.limited) else {
            return true;
        };
        if let Some(project) = project {
            return scope.names_project(project);
        }
        let names = |seat: &Seat<'_>| {
            seat.project
                .is_some_and(|project| scope.names_project(project))
        };
        scope
            .policy
            .ledger
            .look(Kind::Agent, agent, |seats| match seats {
                Seats::These(seats) => seats.iter().any(names),
                Seats::None | Seats::Unknown => true,
            })
    }

    /// Whether its token names a project, or it has no limits.
    pub fn speaks_for(&self, project: &str) -> bool {
        let Some(scope) = &self.0 else { return true };
        !scope.limited || scope.names_project(project)
    }

    /// Whether a client may see what an event gives. It may if it may see one of the things whose kind has a rule; what
    /// names none of these is for all whose token doesn't name its rooms one by one. What a producer says whose token names
    /// projects is only for those who see the event's project.
    pub fn may_see(&self, event: &Event) -> bool {
        let Some(scope) = &self.0 else { return true };
        let context = Context::of(event);
        scope.sees(&context, &mut |visit| event.things(visit))
    }

    /// The same for what was said by events of this audience; `own` is what it is about.
    pub fn may_see_audience(&self, audience: &Audience, own: Option<(Kind, &str)>) -> bool {
        let Some(scope) = &self.0 else { return true };
        let context = audience.context();
        scope.sees(&context, &mut |visit| {
            audience
                .things()
                .chain(own)
                .for_each(|(kind, id)| visit(kind, id));
        })
    }

    /// Whether a client may be in the room of a thing, in whatever project or in this one. In the first it gets what it may
    /// see of all things of this id.
    pub fn may_enter(&self, kind: Kind, project: Option<&str>, id: &str) -> bool {
        let Some(scope) = &self.0 else { return true };
        if scope.names_room(kind, project, id) {
            return true;
        }
        let entered = match project {
            Some(project) => scope.enters_in(project, kind, id),
            None => scope.enters(kind, id),
        };
        entered.unwrap_or(scope.rooms.is_none())
    }
}

/// What was found of the things that an event names.
#[derive(Debug, Default)]
struct Judgement {
    /// It names a thing at all.
    any: bool,
    /// It names a thing whose kind has a rule.
    ruled: bool,
    /// One of these may be seen.
    granted: bool,
    /// The token names the room of one of the things.
    named: bool,
}

type Visit<'v, 't> = &'v mut dyn FnMut(&mut dyn FnMut(Kind, &'t str));

impl Scope {
    fn sees<'t>(&self, context: &Context<'_>, things: Visit<'_, 't>) -> bool {
        let mut judgement = Judgement::default();
        if context.confined && !context.project.is_some_and(|p| self.may_see_project(p)) {
            // Only whose token names the room of this project's thing.
            things(&mut |kind, id| {
                let project = context.project.filter(|_| has_project(kind));
                judgement.granted |= project.is_some_and(|p| self.names_room(kind, Some(p), id));
            });
            return judgement.granted;
        }
        things(&mut |kind, id| self.judge(kind, id, context, &mut judgement));
        judgement.any |= context.is_of_some_project();
        if let Some(needs) = Needs::of_some_project(&self.policy.rules, context) {
            judgement.ruled = true;
            judgement.granted |= self.meets(&needs);
        }
        self.verdict(&judgement)
    }

    fn judge(&self, kind: Kind, id: &str, context: &Context<'_>, judgement: &mut Judgement) {
        judgement.any = true;
        if judgement.granted {
            return;
        }
        let home = context.home(kind);
        let named = (!context.confined && self.names_room(kind, None, id))
            || home
                .filter(|_| has_project(kind))
                .is_some_and(|home| self.names_room(kind, Some(home), id));
        judgement.named |= named;
        if let Some(needs) = Needs::of(&self.policy.rules, kind, id, context) {
            judgement.ruled = true;
            judgement.granted = named || self.meets(&needs);
        }
    }

    fn verdict(&self, judgement: &Judgement) -> bool {
        if judgement.ruled {
            judgement.granted
        } else {
            !judgement.any || judgement.named || self.rooms.is_none()
        }
    }

    /// Whether its claims are enough for what a rule asks.
    fn meets(&self, needs: &Needs<'_>) -> bool {
        match needs {
            Needs::Claim(project) => self.names_project(project),
            Needs::User(user) => self.user.as_deref() == Some(user),
            Needs::Project(project) => self.may_see_project(project),
            Needs::EachOf(candidates) => self.sees_all(candidates),
            Needs::TooMuch => false,
        }
    }

    /// Whether all projects may be seen to which something may belong.
    fn sees_all(&self, candidates: &Candidates) -> bool {
        match candidates {
            Candidates::None => true,
            Candidates::These(projects) => projects.iter().all(|p| self.may_see_project(p)),
            Candidates::Unknown => false,
        }
    }

    /// The rules' verdict on the room of all things of an id.
    fn enters(&self, kind: Kind, id: &str) -> Option<bool> {
        let ledger = &self.policy.ledger;
        match self.policy.rules.of(kind) {
            Rule::All => None,
            Rule::Claim => Some(kind == Kind::Project && self.names_project(id)),
            Rule::User => Some(self.user.as_deref() == Some(id)),
            Rule::Project => ledger.look(kind, id, |seats| match seats {
                Seats::None => None,
                Seats::Unknown => Some(false),
                Seats::These(seats) => Some(seats.iter().any(|seat| {
                    seat.project
                        .is_none_or(|project| self.may_see_project(project))
                })),
            }),
            Rule::Owner => Some(ledger.look(kind, id, |seats| match seats {
                Seats::None | Seats::Unknown => false,
                Seats::These(seats) => seats.iter().any(|seat| self.sits(seat)),
            })),
        }
    }

    /// The same for the thing of one project.
    fn enters_in(&self, project: &str, kind: Kind, id: &str) -> Option<bool> {
        match self.policy.rules.of(kind) {
            Rule::All => (!self.may_see_project(project)).then_some(false),
            Rule::Owner => Some(self.policy.ledger.look_in(project, kind, id, |seat| {
                seat.map_or_else(|| self.may_see_project(project), |seat| self.sits(&seat))
            })),
            Rule::Claim | Rule::User | Rule::Project => Some(self.may_see_project(project)),
        }
    }

    /// Whether a thing is one's own, or of one's project while it has no owner.
    fn sits(&self, seat: &Seat<'_>) -> bool {
        let sees = || {
            seat.project
                .is_some_and(|project| self.may_see_project(project))
        };
        match seat.owner {
            Some(owner) => self.user.as_deref() == Some(owner) && (!seat.limited || sees()),
            None => sees(),
        }
    }

    fn may_see_project(&self, project: &str) -> bool {
        self.names_room(Kind::Project, None, project)
            || match self.policy.rules.project {
                Rule::Claim => self.names_project(project),
                Rule::All => self.rooms.is_none(),
                _ => false,
            }
    }

    fn names_project(&self, id: &str) -> bool {
        self.projects.as_ref().is_some_and(|p| p.set.matches(id))
    }

    fn names_room(&self, kind: Kind, project: Option<&str>, id: &str) -> bool {
        self.rooms
            .as_ref()
            .is_some_and(|rooms| rooms.set.matches(&room_name::bare(kind, project, id)))
    }

    /// What makes two scopes see the same.
    fn key(&self) -> (Option<&str>, Option<&[String]>, Option<&[String]>) {
        (
            self.user.as_deref(),
            self.rooms.as_ref().map(|rooms| &rooms.written[..]),
            self.projects.as_ref().map(|projects| &projects.written[..]),
        )
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.key()).finish()
    }
}

impl PartialEq for Permissions {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.key() == b.key(),
            _ => false,
        }
    }
}

impl Eq for Permissions {}

impl Hash for Permissions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ref().map(|scope| scope.key()).hash(state);
    }
}
