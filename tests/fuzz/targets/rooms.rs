//! Names of rooms: allowed or refused, and never allowed with what a name may not have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa::{
    access::{GENERAL, House, Identity, OBSERVERS, PRODUCERS, Role, Rules, Sight, check_room},
    ledger::Ledger,
};

const OWN: [&str; 2] = ["own-socket", "own-client"];

/// Of somebody with projects of its own.
fn sight() -> Sight {
    let house = House {
        rules: Rules::default(),
        ledger: Ledger::new(16).into(),
    };
    let projects = Some(vec!["p-*".into()]);
    Sight::new(Some("u1".into()), None, projects, house.into()).expect("patterns")
}

fuzz_target!(|data: &[u8]| {
    let Ok(room) = std::str::from_utf8(data) else {
        return;
    };
    for role in Role::ALL {
        let who = Identity {
            role,
            user: Some("u1".into()),
            sight: sight(),
            ..Identity::default()
        };
        match check_room(room, &who, "lobby", &OWN) {
            Ok(()) => {
                let fixed = [GENERAL, OBSERVERS, PRODUCERS, "lobby"];
                let (kind, id) = room.split_once(':').unwrap_or_default();
                let plain =
                    |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
                // A thing of one project: `task:p-1/t1`.
                let (home, id) = match id.split_once('/') {
                    Some((home, id)) if kind != "project" && kind != "user" => (Some(home), id),
                    _ => (None, id),
                };
                let fits = |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(plain);
                let named = !kind.is_empty()
                    && kind.bytes().all(plain)
                    && fits(id)
                    && home.is_none_or(fits);
                assert!(
                    named || fixed.contains(&room) || OWN.contains(&room),
                    "{room:?} is no room"
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
                    home.is_none_or(|home| home.starts_with("p-")),
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
