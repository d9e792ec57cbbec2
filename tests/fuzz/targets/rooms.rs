//! Names of rooms: allowed or refused, and never allowed with what a name may not have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa::{
    access::{
        Identity,
        authz::{GENERAL, OBSERVERS, PRODUCERS, Permissions, Policy, check_room, room_name},
    },
    config::{Role, Rules},
    ledger::Ledger,
};

const OWN: [&str; 2] = ["own-socket", "own-client"];

/// Of somebody with projects of its own.
fn permissions() -> Permissions {
    let policy = Policy {
        rules: Rules::default(),
        ledger: Ledger::new(16).into(),
    };
    let projects = Some(vec!["p-*".into()]);
    Permissions::new(Some("u1".into()), None, projects, policy.into()).expect("patterns")
}

/// An id as it was before it was written into a name.
fn decoded(id: &str) -> String {
    percent_encoding::percent_decode_str(id)
        .decode_utf8()
        .expect("a name that is allowed is text")
        .into_owned()
}

fuzz_target!(|data: &[u8]| {
    let Ok(room) = std::str::from_utf8(data) else {
        return;
    };
    for &role in Role::ALL {
        let who = Identity {
            role,
            user: Some("u1".into()),
            permissions: permissions(),
            ..Identity::default()
        };
        match check_room(room, &who, ("lobby", &OWN[..]).into()) {
            Ok(()) => {
                let fixed = [GENERAL, OBSERVERS, PRODUCERS, "lobby"];
                let (kind, id) = room.split_once(':').unwrap_or_default();
                // A thing of one project: `task:p-1/t1`.
                let (home, id) = match id.split_once('/') {
                    Some((home, id)) if kind != "project" && kind != "user" => (Some(home), id),
                    _ => (None, id),
                };
                let home = home.map(decoded);
                let id = decoded(id);
                let plain = |b: u8| {
                    b.is_ascii_alphanumeric()
                        || matches!(b, b'_' | b'.' | b':' | b'-' | b'/' | b'%' | b'@' | b' ')
                };
                let fits =
                    |id: &str| id.chars().count() <= 136 && !id.chars().any(char::is_control);
                let named =
                    room.bytes().all(plain) && fits(&id) && home.as_deref().is_none_or(fits);
                assert!(
                    named || fixed.contains(&room) || OWN.contains(&room),
                    "{room:?} is no room"
                );
                let name = room_name::canonical(room);
                assert_eq!(name, room_name::canonical(&name), "a name has one name");
                assert!(
                    check_room(&name, &who, ("lobby", &OWN[..]).into()).is_ok(),
                    "{name:?} is the same"
                );
                assert_eq!(room_name::from_query(room), name);
                assert!(
                    !name.ends_with(":actions") || kind != "agent" || role.may_publish(),
                    "{room:?} is for producers"
                );
                assert!(kind != "user" || id == "u1", "{room:?} is another's");
                assert!(
                    kind != "project" || id.starts_with("p-"),
                    "{room:?} is not named"
                );
                let owned = ["execution", "workflow", "run", "job"];
                assert!(
                    !owned.contains(&kind) || home.is_some(),
                    "{room:?} has no known owner"
                );
                assert!(
                    home.as_deref().is_none_or(|home| home.starts_with("p-")),
                    "{room:?} is of a project that is not named"
                );
                assert!(room != PRODUCERS || role.may_publish());
            }
            Err(refusal) => {
                let message = refusal.to_string();
                assert!(
                    message.len() < 1_000,
                    "an answer is shorter than what it answers"
                );
                assert!(
                    !message.chars().any(char::is_control),
                    "{message:?} can be logged"
                );
            }
        }
    }
});
