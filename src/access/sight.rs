//! What one client may see. Every door asks here: joins, updates, history, state, streams and resumes.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use smallvec::SmallVec;

use super::{
    belongings::{Belongings, Projects},
    rules::{Rule, Rules},
};
use crate::{
    event::{Event, Kind, Owner},
    journal::Seq,
    pattern::{BadPattern, Patterns},
};

/// The rules and what they look at: the same for all.
#[derive(Debug)]
pub struct House {
    /// Who may see what.
    pub rules: Rules,
    /// Whose things are.
    pub belongings: Arc<Belongings>,
}

/// What a client may see, by its claims.
#[derive(Debug, Clone, Default)]
pub struct Sight(Option<Arc<Scope>>);

/// The claims of a client that may not see everything.
struct Scope {
    /// Who it is: owns things.
    user: Option<Arc<str>>,
    /// Rooms that its token names; without them, those that the rules let it into.
    rooms: Option<Names>,
    /// Projects that its token names.
    projects: Option<Names>,
    /// What the rules say of the rest.
    house: Arc<House>,
}

/// A list of patterns.
#[derive(Debug, Clone)]
struct Names {
    /// As they were written: equal lists see the same.
    written: Vec<String>,
    /// Ready to be used.
    set: Patterns,
}

impl Names {
    fn new(mut written: Vec<String>) -> Result<Self, BadPattern> {
        written.sort_unstable();
        written.dedup();
        let set = Patterns::new(written.iter().map(String::as_str));
        let set = set.map_err(|(_, bad)| bad)?;
        Ok(Self { written, set })
    }
}

impl Sight {
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
        house: Arc<House>,
    ) -> Result<Self, BadPattern> {
        let is_all = |names: &[String]| names.iter().any(|name| name == "*" || name == "**");
        if rooms.as_deref().is_some_and(is_all) && projects.as_deref().is_none_or(is_all) {
            return Ok(Self::everything());
        }
        Ok(Self(Some(Arc::new(Scope {
            user,
            rooms: rooms.map(Names::new).transpose()?,
            projects: projects.map(Names::new).transpose()?,
            house,
        }))))
    }

    /// Whether nothing is hidden: then even what is gathered from all projects may be shown.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Up to which event it is known who may see what; `None` for one that sees everything anyway.
    pub fn knows_to(&self) -> Option<Seq> {
        let scope = self.0.as_ref()?;
        Some(scope.house.belongings.learnt_to())
    }

    /// Whether a client may see what an event gives. It may if it may see one of the things whose kind has a rule; what
    /// names none of these is for all whose token doesn't name its rooms one by one.
    pub fn may_see(&self, event: &Event) -> bool {
        let Some(scope) = &self.0 else { return true };
        let mut judgement = Judgement::default();
        let home = event.project_id.as_deref();
        event.things(&mut |kind, id| scope.judge(kind, id, home, &mut judgement));
        scope.verdict(&judgement)
    }

    /// The same for things that are named otherwise.
    pub fn may_see_things<'t>(&self, things: impl IntoIterator<Item = (Kind, &'t str)>) -> bool {
        let Some(scope) = &self.0 else { return true };
        let mut judgement = Judgement::default();
        let things: SmallVec<[_; 4]> = things.into_iter().collect();
        let project = things.iter().find(|(kind, _)| *kind == Kind::Project);
        let home = project.map(|(_, id)| *id);
        for (kind, id) in things {
            scope.judge(kind, id, home, &mut judgement);
        }
        scope.verdict(&judgement)
    }

    /// Whether a client may be in the room of a thing.
    pub fn may_enter(&self, kind: Kind, id: &str) -> bool {
        let Some(scope) = &self.0 else { return true };
        scope.names_room(kind, id)
            || scope
                .rule_on(kind, id, None)
                .unwrap_or(scope.rooms.is_none())
    }

    /// Whether a client may publish an event: who has projects in its token, only for these. It can't speak of another
    /// project's things by leaving the project out, nor give to somebody else what has an owner: who may see a thing is
    /// learnt from what is published.
    pub fn may_publish(&self, event: &Event) -> bool {
        let Some(scope) = &self.0 else { return true };
        let Some(projects) = &scope.projects else {
            return true;
        };
        let home = event.project_id.as_deref();
        let mut may = home.is_none_or(|project| projects.set.matches(project));
        let new_owner = match event.owner() {
            Some(Owner::Said(owner)) => Some(owner),
            _ => None,
        };
        event.things(&mut |kind, id| {
            if matches!(kind, Kind::Project | Kind::Agent | Kind::User) {
                return;
            }
            may &= scope
                .house
                .belongings
                .look(kind, id, |owner, known| match (owner, new_owner) {
                    (Some(owner), Some(new)) if owner != new => false,
                    // Tasks of two projects may have the same id; what runs has one of its own.
                    _ => match known {
                        Projects::These(known) if home.is_none() || kind != Kind::Task => {
                            known.iter().any(|project| projects.set.matches(project))
                        }
                        _ => true,
                    },
                });
        });
        may
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

impl Scope {
    fn judge(&self, kind: Kind, id: &str, home: Option<&str>, judgement: &mut Judgement) {
        judgement.any = true;
        if judgement.granted {
            return;
        }
        let named = self.names_room(kind, id);
        judgement.named |= named;
        if let Some(granted) = self.rule_on(kind, id, home) {
            judgement.ruled = true;
            judgement.granted = named || granted;
        }
    }

    fn verdict(&self, judgement: &Judgement) -> bool {
        if judgement.ruled {
            judgement.granted
        } else {
            !judgement.any || judgement.named || self.rooms.is_none()
        }
    }

    /// What the rules say of a thing; `None` when they say nothing. `home` is the project that is named beside it, and that
    /// counts then: other projects may have a thing of the same id, or come to have it later.
    fn rule_on(&self, kind: Kind, id: &str, home: Option<&str>) -> Option<bool> {
        let belongings = &self.house.belongings;
        match self.house.rules.of(kind) {
            Rule::All => None,
            Rule::Claim => Some(kind == Kind::Project && self.names_project(id)),
            Rule::User => Some(self.user.as_deref() == Some(id)),
            Rule::Project => match home {
                Some(home) => Some(self.may_see_project(home)),
                None => belongings.look(kind, id, |_, projects| self.may_see_all(&projects)),
            },
            Rule::Owner => Some(
                belongings.look(kind, id, |owner, projects| match (owner, home) {
                    (Some(owner), _) => self.user.as_deref() == Some(owner),
                    (None, Some(home)) => self.may_see_project(home),
                    (None, None) => self.may_see_all(&projects) == Some(true),
                }),
            ),
        }
    }

    /// Whether all of a thing's projects may be seen: what doesn't say which it is about may be about any. `None` when it has
    /// none.
    fn may_see_all(&self, projects: &Projects<'_>) -> Option<bool> {
        match projects {
            Projects::None => None,
            Projects::Forgotten | Projects::TooMany => Some(false),
            Projects::These(projects) => Some(projects.iter().all(|p| self.may_see_project(p))),
        }
    }

    fn may_see_project(&self, project: &str) -> bool {
        self.names_room(Kind::Project, project)
            || match self.house.rules.project {
                Rule::Claim => self.names_project(project),
                Rule::All => self.rooms.is_none(),
                _ => false,
            }
    }

    fn names_project(&self, id: &str) -> bool {
        self.projects.as_ref().is_some_and(|p| p.set.matches(id))
    }

    fn names_room(&self, kind: Kind, id: &str) -> bool {
        self.rooms
            .as_ref()
            .is_some_and(|rooms| rooms.set.matches(&format!("{kind}:{id}")))
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

impl PartialEq for Sight {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.key() == b.key(),
            _ => false,
        }
    }
}

impl Eq for Sight {}

impl Hash for Sight {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ref().map(|scope| scope.key()).hash(state);
    }
}
