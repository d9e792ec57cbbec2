//! Names of rooms, and the check whether a client may be in one.

use std::sync::Arc;

use super::{
    Permissions,
    room_kind::{GENERAL, OBSERVERS, OPERATORS, PRODUCERS, RoomKind},
    room_name::{MAX_BYTES, MAX_ID, Misnamed, RoomName},
};
use crate::{access::Identity, error::Error, event::ThingKind};

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

/// The rooms that need no right, and the namespace on which one is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Fixed<'a> {
    /// The room in which everybody is.
    pub default_room: &'a str,
    /// The rooms that belong to the client alone.
    pub own: &'a [&'a str],
    /// Whether the namespace is an application's own.
    pub is_app: bool,
}

impl<'a> From<(&'a str, &'a [&'a str])> for Fixed<'a> {
    fn from((default_room, own): (&'a str, &'a [&'a str])) -> Self {
        Self {
            default_room,
            own,
            is_app: false,
        }
    }
}

impl<'a, const N: usize> From<(&'a str, &'a [&'a str; N])> for Fixed<'a> {
    fn from((default_room, own): (&'a str, &'a [&'a str; N])) -> Self {
        (default_room, &own[..]).into()
    }
}

/// Checks that `room` is a room's name and that `who` may be in it.
///
/// # Errors
/// `bad_request` if `room` can't be a name, `unknown_room_type` if there is no such kind, `forbidden_room` if `who` may
/// not be in it.
pub fn check_room(room: &str, who: &Identity, fixed: Fixed<'_>) -> Result<(), Error> {
    if fixed.own.contains(&room) || !fixed.is_app && room == fixed.default_room {
        return Ok(());
    }
    match RoomKind::on(fixed.is_app, room) {
        RoomKind::Standing if room == GENERAL || room == OBSERVERS => Ok(()),
        RoomKind::Standing if room == PRODUCERS && who.role.may_publish() => Ok(()),
        RoomKind::Standing if room == PRODUCERS => {
            Err(forbidden(room, "only producers may be in it"))
        }
        RoomKind::Standing | RoomKind::Unknown => Err(unknown(room)),
        RoomKind::Own => Err(forbidden(room, "it belongs to one client alone")),
        RoomKind::Free if who.permissions.may_enter_free(room) => Ok(()),
        RoomKind::Free if who.is_guest => Err(forbidden(
            room,
            "without a token only the application's service puts you there ([backend] url); [access] free_rooms = \"all\" \
             opens such rooms to all",
        )),
        RoomKind::Free => Err(forbidden(
            room,
            "your token's claim rooms doesn't name it, and rooms of any name are not open to all ([access] free_rooms)",
        )),
        RoomKind::Thing => check_thing(room, who),
    }
}

/// The same for the room of a thing.
fn check_thing(room: &str, who: &Identity) -> Result<(), Error> {
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
    // Without a token nobody can be told from anybody.
    let is_unproven = who.token.is_none() && who.user.as_deref() != Some(id);
    if kind == ThingKind::User && is_unproven {
        let why = "it belongs to a user, and you showed no token of that user";
        return Err(forbidden(room, why));
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
    match RoomKind::of(room) {
        RoomKind::Standing => true,
        RoomKind::Own => false,
        RoomKind::Free => permissions.may_enter_free(room),
        RoomKind::Thing | RoomKind::Unknown => match RoomName::read(room) {
            Ok(name) => permissions.may_enter(name.kind, name.project.as_deref(), &name.id),
            Err(_) => permissions.is_everything(),
        },
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
            "there is no room {:?}: use general, observers, producers, kind:id with a kind of {}, or a name of your own of 1 \
             to 128 of A-Z a-z 0-9 _ . : @ / - and spaces",
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
    use crate::config::{FreeRooms, Role, Rule, Rules};
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
        check_room(room, &who, ("general", &["own-id"][..]).into()).map_err(|r| r.code)
    }

    const OTHERS: &str = "01a219d0-7c1f-7b3a-9d5e-0f1a2b3c4d5e";

    #[test]
    fn free_rooms_take_a_right_where_there_are_tokens() {
        let who = |rooms: Option<&[&str]>, free_rooms| {
            let policy = Policy {
                rules: Rules {
                    free_rooms,
                    ..Rules::default()
                },
                ledger: Ledger::new(10).into(),
            };
            let rooms = rooms.map(|rooms| rooms.iter().map(|room| (*room).to_owned()).collect());
            Identity {
                token: Some("t".into()),
                permissions: Permissions::new(None, rooms, None, policy.into()).unwrap(),
                ..Identity::default()
            }
        };
        let check = |room: &str, who: &Identity, is_app| {
            let fixed = Fixed {
                default_room: "general",
                own: &[],
                is_app,
            };
            check_room(room, who, fixed).map_err(|r| r.code)
        };
        let nobody = who(None, FreeRooms::Claim);
        assert_eq!(check("lobby", &nobody, false), Err("forbidden_room"));
        assert_eq!(check("general", &nobody, false), Ok(()));
        // On an application's namespace no name is special.
        assert_eq!(check("general", &nobody, true), Err("forbidden_room"));
        let named = who(Some(&["chat/*", "lobby"]), FreeRooms::Claim);
        for room in ["lobby", "chat/a b", "chat/x:y"] {
            assert_eq!(check(room, &named, true), Ok(()), "{room}");
        }
        assert_eq!(check("other", &named, true), Err("forbidden_room"));
        let open = who(Some(&["task:1"]), FreeRooms::All);
        assert_eq!(check("lobby", &open, false), Ok(()));
        assert_eq!(check(OTHERS, &open, false), Err("forbidden_room"));
        assert_eq!(check("user:ann", &open, false), Err("forbidden_room"));
    }

    #[test]
    fn without_tokens_nobody_is_in_anothers_rooms() {
        let who = Identity::default();
        let check =
            |room: &str| check_room(room, &who, ("general", &[][..]).into()).map_err(|r| r.code);
        for room in ["lobby", "planet:earth", "a b/c@d.e:f-g_h", "users:ann"] {
            assert_eq!(check(room), Ok(()), "{room}");
        }
        for room in ["user:ann", "user:ann%40x", OTHERS] {
            assert_eq!(check(room), Err("forbidden_room"), "{room}");
        }
        for room in ["", OPERATORS, "flow:f1", "caf\u{e9}", "a%20b", "tab\t"] {
            assert_eq!(check(room), Err("unknown_room_type"), "{room}");
        }
        let long = "x".repeat(129);
        assert_eq!(check(&long), Err("unknown_room_type"));
        assert_eq!(check(&long[1..]), Ok(()));
    }

    #[test]
    fn a_users_room_is_named_as_the_user_is() {
        for user in ["ann@example.org", "auth0|5f7c", "ann+ci=", "a:b"] {
            let who = Identity {
                user: Some(user.into()),
                permissions: permissions(Some(user)),
                ..Identity::default()
            };
            let check = |room: &str| {
                check_room(room, &who, ("general", &[][..]).into()).map_err(|r| r.code)
            };
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
        for room in ["lobby", "planet:earth", ":x", "other-id"] {
            assert_eq!(check(room, Role::Admin), Err("forbidden_room"), "{room}");
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
