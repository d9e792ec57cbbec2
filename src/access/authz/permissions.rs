//! The permissions of one client. Every door asks here: joins, updates, history, state, streams and resumes.

mod emitting;
mod judgement;
mod patterns;
mod public_emission;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    audience::{Audience, Context},
    reach::Policy,
    room_name,
};
use crate::{
    config::{FreeRooms, Rule},
    event::{Event, ThingKind},
    ledger::{Seat, Seats},
    pattern::BadPattern,
};

use patterns::Names;
use public_emission::is_public;

/// The permissions that a client has by its claims.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// The claims; none for a client that may see everything of the server's own.
    scope: Option<Arc<Scope>>,
    /// Whether the rooms of the application are closed, except for whom its service puts there.
    is_guest: bool,
}

/// The claims of a client that may not see everything.
struct Scope {
    /// The user, who may own things.
    user: Option<Arc<str>>,
    /// Rooms that the token names; without them, the rooms that the rules allow.
    rooms: Option<Names>,
    /// Projects that the token names.
    projects: Option<Names>,
    /// Whether the token limits the client to some projects, so that its events must be of one of them.
    limited: bool,
    /// The rules, which decide where the claims don't.
    policy: Arc<Policy>,
}

impl Permissions {
    /// Permissions to see everything: an admin's, and everybody's while authentication is off.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Permissions of a client without a token while the application's own service decides: to see everything but the
    /// rooms of the application.
    pub fn guest() -> Self {
        Self {
            scope: None,
            is_guest: true,
        }
    }

    /// The permissions that these claims give: to see everything, if they open every room and name no projects.
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
        let scope = Scope {
            user,
            limited: projects
                .as_deref()
                .is_some_and(|projects| !is_all(projects)),
            rooms: rooms.map(Names::of_rooms).transpose()?,
            projects: projects.map(Names::new).transpose()?,
            policy,
        };
        Ok(Self {
            scope: Some(Arc::new(scope)),
            is_guest: false,
        })
    }

    /// Whether nothing is hidden: only then may aggregates over all projects be shown.
    pub fn is_everything(&self) -> bool {
        self.scope.is_none()
    }

    /// The keys under which an event's reach finds these permissions ([`Policy::reach`]); `None` for permissions that
    /// must be asked about each event: they see everything, or have wildcards.
    pub fn keys(&self) -> Option<Vec<String>> {
        let scope = self.scope.as_ref()?;
        let mut keys = Vec::new();
        if let Some(rooms) = &scope.rooms {
            keys.extend(rooms.plain()?.map(str::to_owned));
        }
        if let Some(projects) = &scope.projects {
            let of_project = |project| room_name::bare(ThingKind::Project, None, project);
            keys.extend(projects.plain()?.map(of_project));
        }
        let of_user = |user: &Arc<str>| room_name::bare(ThingKind::User, None, user);
        keys.extend(scope.user.as_ref().map(of_user));
        keys.sort_unstable();
        keys.dedup();
        Some(keys)
    }

    /// The rules that these permissions are judged by; none if they see everything.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.scope.as_ref().map(|scope| &scope.policy)
    }

    /// Whether both are the same object in memory. Two different ones may see the same.
    pub fn is(&self, other: &Self) -> bool {
        self.address() == other.address()
    }

    /// A number that no other permissions have while these are held.
    pub fn address(&self) -> usize {
        let none = usize::from(self.is_guest);
        let scope = self.scope.as_ref();
        scope.map_or(none, |scope| Arc::as_ptr(scope).addr())
    }

    /// Whether the token names projects, so that the client publishes for these only.
    pub fn is_limited(&self) -> bool {
        self.limits().is_some()
    }

    /// The projects, or patterns of projects, that the client publishes for, in order; `None` when it publishes for
    /// all.
    pub fn limits(&self) -> Option<&[String]> {
        let scope = self.scope.as_ref().filter(|scope| scope.limited)?;
        scope
            .projects
            .as_ref()
            .map(|projects| &projects.written[..])
    }

    /// Whether the client may perform an agent's actions: in this project, or in any. A limited client may if one of
    /// its projects has the agent. It also may while the agent is unknown, since each action is checked by its project
    /// again.
    pub fn may_perform(&self, project: Option<&str>, agent: &str) -> bool {
        let Some(scope) = self.scope.as_ref().filter(|scope| scope.limited) else {
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
            .look(ThingKind::Agent, agent, |seats| match seats {
                Seats::These(seats) => seats.iter().any(names),
                Seats::None | Seats::Unknown => true,
            })
    }

    /// Whether the token names a project, or the client has no limits.
    pub fn speaks_for(&self, project: &str) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        !scope.limited || scope.names_project(project)
    }

    /// Whether the client may see an update of this event. It may if it may see one of the things whose kind has a
    /// rule. An event that names no such thing is for all clients whose token doesn't list rooms. An event of a
    /// producer with `projects` is only for clients that see the event's project.
    pub fn may_see(&self, event: &Event) -> bool {
        let Some(scope) = &self.scope else {
            let emission = event.emission.as_ref().filter(|_| self.is_guest);
            return emission.is_none_or(|emission| is_public(emission));
        };
        if let Some(emission) = &event.emission {
            return scope.hears(emission);
        }
        let context = Context::of(event);
        scope.sees(&context, &mut |visit| event.things(visit))
    }

    /// The same for what events of this audience said; `own` is the thing that it is about.
    pub fn may_see_audience(&self, audience: &Audience, own: Option<(ThingKind, &str)>) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        let context = audience.context();
        scope.sees(&context, &mut |visit| {
            audience
                .things()
                .chain(own)
                .for_each(|(kind, id)| visit(kind, id));
        })
    }

    /// Whether the client may be in the room of a thing: of the one in this project, or in any. In a room without a
    /// project it gets what it may see of all things of this id.
    pub fn may_enter(&self, kind: ThingKind, project: Option<&str>, id: &str) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
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

/// Free rooms.
impl Permissions {
    /// Whether the client may be in a room that is of no thing and belongs to nobody.
    pub fn may_enter_free(&self, room: &str) -> bool {
        let Some(scope) = &self.scope else {
            return !self.is_guest;
        };
        let rooms = scope.rooms.as_ref();
        scope.policy.rules.free_rooms == FreeRooms::All
            || rooms.is_some_and(|rooms| rooms.set.matches(room))
    }
}

impl Scope {
    /// The rules' verdict on the room of all things of an id.
    fn enters(&self, kind: ThingKind, id: &str) -> Option<bool> {
        let ledger = &self.policy.ledger;
        match self.policy.rules.of(kind) {
            Rule::All => None,
            Rule::Claim => Some(kind == ThingKind::Project && self.names_project(id)),
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
    fn enters_in(&self, project: &str, kind: ThingKind, id: &str) -> Option<bool> {
        match self.policy.rules.of(kind) {
            Rule::All => (!self.may_see_project(project)).then_some(false),
            Rule::Owner => Some(self.policy.ledger.look_in(project, kind, id, |seat| {
                seat.map_or_else(|| self.may_see_project(project), |seat| self.sits(&seat))
            })),
            Rule::Claim | Rule::User | Rule::Project => Some(self.may_see_project(project)),
        }
    }

    /// Whether the client owns a thing, or sees its project while it has no owner.
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
        self.names_room(ThingKind::Project, None, project)
            || match self.policy.rules.project {
                Rule::Claim => self.names_project(project),
                Rule::All => self.rooms.is_none(),
                _ => false,
            }
    }

    fn names_project(&self, id: &str) -> bool {
        self.projects.as_ref().is_some_and(|p| p.set.matches(id))
    }

    fn names_room(&self, kind: ThingKind, project: Option<&str>, id: &str) -> bool {
        self.rooms
            .as_ref()
            .is_some_and(|rooms| rooms.set.matches(&room_name::bare(kind, project, id)))
    }

    /// The claims that decide whether two scopes see the same.
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
        match (&self.scope, &other.scope) {
            (None, None) => self.is_guest == other.is_guest,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.key() == b.key(),
            _ => false,
        }
    }
}

impl Eq for Permissions {}

impl Hash for Permissions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scope.as_ref().map(|scope| scope.key()).hash(state);
        self.is_guest.hash(state);
    }
}
