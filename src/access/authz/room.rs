//! Names of rooms, and the check whether a client may be in one.

use std::sync::Arc;

use super::{
    Permissions,
    room_name::{MAX_BYTES, MAX_ID, Misnamed, RoomName},
};
use crate::{access::Identity, error::Error, event::ThingKind};

/// The room that everybody is in unless `[rooms] default_room` names another.
pub const GENERAL: &str = "general";
/// The room of all clients that may observe.
pub const OBSERVERS: &str = "observers";
/// The room of all clients that may publish: actions go here when the agent has no room of its own.
pub const PRODUCERS: &str = "producers";

/// The room of all clients that may see figures. Nobody can ask for it, and no setting can name it.
pub const OPERATORS: &str = "(operators)";

/// The rooms that a client is in by its role without being told.
pub fn unlisted_rooms(who: &Identity) -> Option<Arc<str>> {
    who.role.may_see_stats().then(|| OPERATORS.into())
}

/// The refusal of a client that wants to be in too many rooms.
pub fn too_many_rooms(max: usize) -> Error {
    Error::bad_request(format!(
        "a client can be in {max} rooms by request ([rooms] max_rooms_per_client); leave some first"
    ))
}

/// Checks that `room` is a room's name and that `who` may be in it. `own` are the rooms that belong to the client alone.
///
/// # Errors
/// `bad_request` if `room` can't be a name, `unknown_room_type` if there is no such kind, `forbidden_room` if `who` may
/// not be in it.
pub fn check_room(
    room: &str,
    who: &Identity,
    default_room: &str,
    own: &[&str],
) -> Result<(), Error> {
    if room == default_room || room == GENERAL || room == OBSERVERS || own.contains(&room) {
        return Ok(());
    }
    if room == PRODUCERS {
        return if who.role.may_publish() {
            Ok(())
        } else {
            Err(forbidden(room, "only producers may be in it"))
        };
    }
    let name = match RoomName::read(room) {
        Ok(name) => name,
        Err(Misnamed::NoKind) => return Err(unknown(room)),
        Err(Misnamed::NoId) => return Err(no_id(room)),
    };
    let (kind, project, id) = (name.kind, name.project.as_deref(), &*name.id);
    if name.actions {
        let may = who.role.may_publish();
        let why = match () {
            () if !may => Some("only producers receive an agent's actions"),
            () if !who.performs_for(id) => Some("your token names other agents"),
            () if !who.permissions.may_perform(project, id) => {
                Some("the agent is of other projects than your token")
            }
            () => None,
        };
        if let Some(why) = why {
            return Err(forbidden(room, why));
        }
    }
    if who.permissions.may_enter(kind, project, id) {
        return Ok(());
    }
    Err(forbidden(
        room,
        match kind {
            ThingKind::User => "it belongs to another user",
            ThingKind::Project => "your token doesn't name the project",
            _ => "neither is it yours nor does your token name it",
        },
    ))
}

/// Whether a client may learn that a room exists, since its name tells of a thing. Everybody may know rooms of no
/// thing, except those of kinds that nobody can ask for.
pub fn may_know_room(permissions: &Permissions, room: &str) -> bool {
    match RoomName::read(room) {
        Ok(name) => permissions.may_enter(name.kind, name.project.as_deref(), &name.id),
        Err(_) => !room.contains(':') || permissions.is_everything(),
    }
}

fn no_id(room: &str) -> Error {
    Error::bad_request(format!(
        "a room's id has 1 to {MAX_ID} characters and at most {MAX_BYTES} bytes, is written with A-Z a-z 0-9 _ . : - \
         (for users also @ | + =) and has the rest percent-encoded, as in task:Write%20docs; project/id is what one project \
         calls so (got {:?})",
        shorten(room)
    ))
}

fn unknown(room: &str) -> Error {
    Error::new(
        "unknown_room_type",
        format!(
            "there is no room {:?}: use general, observers, producers or kind:id with a kind of {}",
            shorten(room),
            ThingKind::names()
        ),
    )
}

fn forbidden(room: &str, why: &str) -> Error {
    Error::new(
        "forbidden_room",
        format!("access to room {room} denied: {why}"),
    )
}

/// A name as it is quoted in an answer: cut off if it is long.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::authz::{Permissions, Policy};
    use crate::config::{Role, Rule, Rules};
    use crate::ledger::Ledger;

    fn permissions(user: Option<&str>) -> Permissions {
        let policy = Policy {
            rules: Rules {
                project: Rule::All,
                execution: Rule::All,
                workflow: Rule::All,
                run: Rule::All,
                job: Rule::All,
                ..Rules::default()
            },
            ledger: Ledger::new(10).into(),
        };
        Permissions::new(user.map(Into::into), None, None, policy.into()).unwrap()
    }

    fn check(room: &str, role: Role) -> Result<(), &'static str> {
        let who = Identity {
            role,
            user: Some("u1".into()),
            permissions: permissions(Some("u1")),
            ..Identity::default()
        };
        check_room(room, &who, "general", &["own-id"]).map_err(|r| r.code)
    }

    #[test]
    fn a_users_room_is_named_as_the_user_is() {
        for user in ["ann@example.org", "auth0|5f7c", "ann+ci=", "a:b"] {
            let who = Identity {
                user: Some(user.into()),
                permissions: permissions(Some(user)),
                ..Identity::default()
            };
            let check = |room: &str| check_room(room, &who, "general", &[]).map_err(|r| r.code);
            assert_eq!(check(&format!("user:{user}")), Ok(()), "{user}");
            assert_eq!(check("user:bob@example.org"), Err("forbidden_room"));
            assert_eq!(check("user:a b"), Err("bad_request"));
            assert_eq!(check("user:bob%40example.org"), Err("forbidden_room"));
            assert_eq!(check("task:a@b"), Err("bad_request"), "users only");
        }
    }

    #[test]
    fn names_and_roles() {
        for room in [
            "general",
            "observers",
            "own-id",
            "project:p-1",
            "agent:a.b:c",
            "user:u1",
            "job:7",
            "task:a%20b",
            "task:%C3%A9",
            "task:50%",
            "run:a%2Fb",
            "run:p/a%2Fb",
            "agent:a%3Aactions",
        ] {
            assert_eq!(check(room, Role::Observer), Ok(()), "{room}");
        }
        assert_eq!(check("producers", Role::Observer), Err("forbidden_room"));
        assert_eq!(check("producers", Role::Producer), Ok(()));
        assert_eq!(
            check("agent:a:actions", Role::Observer),
            Err("forbidden_room")
        );
        assert_eq!(
            check("agent:a%20b:actions", Role::Observer),
            Err("forbidden_room")
        );
        assert_eq!(check("agent:a:actions", Role::Admin), Ok(()));
        assert_eq!(check("user:u2", Role::Admin), Err("forbidden_room"));
        for room in ["", "lobby", "planet:earth", ":x", "other-id"] {
            assert_eq!(check(room, Role::Admin), Err("unknown_room_type"), "{room}");
        }
        for room in [
            "task:",
            "task:a b",
            "task:\u{7}",
            "task:é",
            "task:%07",
            "task:%FF",
        ] {
            assert_eq!(check(room, Role::Admin), Err("bad_request"), "{room}");
        }
        assert_eq!(
            check(&format!("task:{}", "x".repeat(10_000)), Role::Admin),
            Err("bad_request")
        );
    }
}
