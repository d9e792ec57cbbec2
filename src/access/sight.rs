//! What one client may see. Every door asks here: joins, updates, history, state, streams and resumes.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{
    belongings::Belongings,
    rules::{Rule, Rules},
};
use crate::event::{Event, Kind};

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
    /// Compiled.
    set: GlobSet,
}

impl Names {
    fn new(mut written: Vec<String>) -> Result<Self, globset::Error> {
        written.sort_unstable();
        written.dedup();
        let mut set = GlobSetBuilder::new();
        for pattern in &written {
            set.add(Glob::new(pattern)?);
        }
        Ok(Self {
            written,
            set: set.build()?,
        })
    }
}

impl Sight {
    /// Sees everything: an admin, and everybody while authentication is off.
    pub fn everything() -> Self {
        Self(None)
    }

    /// Sees what these claims allow.
    ///
    /// # Errors
    /// A room or a project is not a pattern.
    pub fn new(
        user: Option<Arc<str>>,
        rooms: Option<Vec<String>>,
        projects: Option<Vec<String>>,
        house: Arc<House>,
    ) -> Result<Self, globset::Error> {
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

    /// Whether a client may see what an event gives. It may if it may see one of the things whose kind has a rule; what
    /// names none of these is for all whose token doesn't name its rooms one by one.
    pub fn may_see(&self, event: &Event) -> bool {
        let Some(scope) = &self.0 else { return true };
        let mut judgement = Judgement::default();
        event.things(&mut |kind, id| scope.judge(kind, id, &mut judgement));
        scope.verdict(&judgement)
    }

    /// The same for things that are named otherwise.
    pub fn may_see_things<'t>(&self, things: impl IntoIterator<Item = (Kind, &'t str)>) -> bool {
        let Some(scope) = &self.0 else { return true };
        let mut judgement = Judgement::default();
        for (kind, id) in things {
            scope.judge(kind, id, &mut judgement);
        }
        scope.verdict(&judgement)
    }

    /// Whether a client may be in the room of a thing.
    pub fn may_enter(&self, kind: Kind, id: &str) -> bool {
        let Some(scope) = &self.0 else { return true };
        scope.names_room(kind, id) || scope.granted(kind, id)
    }

    /// Whether a client may publish for a project: who has projects in its token, only for these.
    pub fn may_publish_for(&self, project: Option<&str>) -> bool {
        match (&self.0, project) {
            (Some(scope), Some(project)) => scope
                .projects
                .as_ref()
                .is_none_or(|projects| projects.set.is_match(project)),
            _ => true,
        }
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
    fn judge(&self, kind: Kind, id: &str, judgement: &mut Judgement) {
        judgement.any = true;
        if judgement.granted {
            return;
        }
        let named = self.names_room(kind, id);
        judgement.named |= named;
        if self.is_ruled(kind, id) {
            judgement.ruled = true;
            judgement.granted = named || self.granted(kind, id);
        }
    }

    fn verdict(&self, judgement: &Judgement) -> bool {
        if judgement.ruled {
            judgement.granted
        } else {
            !judgement.any || judgement.named || self.rooms.is_none()
        }
    }

    /// Whether the rules have anything to say of a thing.
    fn is_ruled(&self, kind: Kind, id: &str) -> bool {
        match self.house.rules.of(kind) {
            Rule::All => false,
            Rule::Project => self.house.belongings.of(kind, id).project.is_some(),
            Rule::Claim | Rule::Owner | Rule::User => true,
        }
    }

    fn granted(&self, kind: Kind, id: &str) -> bool {
        match self.house.rules.of(kind) {
            Rule::All => self.rooms.is_none(),
            Rule::Claim => kind == Kind::Project && self.names_project(id),
            Rule::User => self.user.as_deref() == Some(id),
            Rule::Project => match self.house.belongings.of(kind, id).project {
                Some(project) => self.may_see_project(&project),
                None => self.rooms.is_none(),
            },
            Rule::Owner => {
                let belonging = self.house.belongings.of(kind, id);
                match (belonging.owner, belonging.project) {
                    (Some(owner), _) => self.user == Some(owner),
                    (None, Some(project)) => self.may_see_project(&project),
                    (None, None) => false,
                }
            }
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
        self.projects.as_ref().is_some_and(|p| p.set.is_match(id))
    }

    fn names_room(&self, kind: Kind, id: &str) -> bool {
        self.rooms
            .as_ref()
            .is_some_and(|rooms| rooms.set.is_match(format!("{kind}:{id}")))
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
