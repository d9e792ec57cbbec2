//! The page on the protocol lists the ids as the table has them.

use super::*;

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// All things that an event can name, in the order of the page.
const ALL: [Named; COUNT] = [
    Project, Agent, Task, Run, Execution, Workflow, Node, Job, Session, Message, User, Owner, Board,
];

/// The usual key of such an id.
fn key_of(what: Named) -> &'static str {
    what.into()
}

/// The row of the page for one of them; the page mentions spellings in camel case once for all.
fn row(what: Named) -> String {
    let is_snake = |key: &str| !key.contains(char::is_uppercase);
    let spellings = SPELLINGS.iter().filter(|(_, named)| *named == what);
    let mut keys: Vec<String> = spellings
        .filter(|(key, _)| is_snake(key))
        .map(|(key, _)| format!("`{key}`"))
        .collect();
    for place in &PLACES {
        if place.own == Some(what) {
            keys.push(format!("`{}.id`", place.key));
        }
        if place.holds.contains(&what) {
            keys.push(format!("`{}.{}`", place.key, key_of(what)));
        }
    }
    let more = match what {
        Execution => "; for `workflow.*` and `execution.*` also the run's",
        Board => "; only of `project.*`, which goes by it when no project is named",
        _ => "",
    };
    let name = key_of(what).trim_end_matches("_id");
    format!("| {name} | {}{more} |", keys.join(", "))
}

#[test]
fn the_page_has_the_table() {
    let rows = ALL.map(row).join("\n");
    let table = format!("| id | where |\n|---|---|\n{rows}\n\n");
    assert!(PAGE.contains(&table), "docs/protocol.md needs:\n{table}");
}

#[test]
fn each_spelling_is_found_in_each_of_its_places() {
    for what in ALL {
        let find = |data: Value| {
            let data = data.as_object().cloned().unwrap_or_default();
            let family = if what == Board { "project" } else { "task" };
            Ids::find(&data, family).get(what).map(str::to_owned)
        };
        for (key, _) in SPELLINGS.iter().filter(|(_, named)| *named == what) {
            assert_eq!(find(serde_json::json!({ *key: "x" })).as_deref(), Some("x"));
            for place in PLACES.iter().filter(|place| place.holds.contains(&what)) {
                let found = find(serde_json::json!({ place.key: { *key: "x" } }));
                assert_eq!(found.as_deref(), Some("x"), "{}.{key}", place.key);
            }
        }
    }
}
