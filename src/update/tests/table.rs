//! The table, compared with its rows.

use serde_json::{Value, json};

use super::{TEXT_THROTTLE, THROTTLE, of, plan, rows::rows, table};
use crate::{
    channel::Namespace,
    event::Priority,
    update::{Coalescing, Timing, UpdateShape, entities, event_rooms, render},
};

/// Whether `whole` has everything that `part` has.
fn has(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(k, v)| whole.get(k).is_some_and(|w| has(w, v))),
        _ => whole == part,
    }
}

#[test]
fn every_row_gives_its_updates() {
    let table = table();
    for row in rows() {
        let what = row.event.name.raw().to_owned();
        let planned = plan(&table, &row.event);
        let names: Vec<_> = planned.iter().map(|(p, _)| p.kind.name()).collect();
        let expected: Vec<_> = row.updates.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected, "{what}");
        for ((planned, update), (name, fields)) in planned.iter().zip(&row.updates) {
            assert!(
                has(update, fields),
                "{what}: {update:#}\nlacks something of {fields:#}"
            );
            assert_eq!(update["type"], *name, "{what}");
            assert_eq!(update["priority"], row.priority.as_str(), "{what}");
            assert_eq!(update["animation"], row.animation, "{what}");
            assert_eq!(update["id"], *row.event.id, "{what}");
            assert_eq!(update["source_type"], *what, "{what}");
            assert_eq!(update["cursor"], "c", "{what}");
            assert!(update.get("coalesced").is_none(), "{what}");
            assert!(
                update["hint"]["target"]["kind"].is_string()
                    && update["hint"]["target"]["id"].is_string(),
                "{what}: {update}"
            );
            let intensity = update["hint"]["intensity"].as_f64().expect("a number");
            assert!(
                (0.0..=1.0).contains(&intensity) && update["hint"]["duration_ms"].is_u64(),
                "{what}"
            );
            assert_eq!(planned.kind.namespace(), Namespace::Root);
            match &planned.timing {
                Timing::Immediate => assert_eq!(row.key, None, "{what}"),
                Timing::Coalesced { key, window, how } => {
                    // A row's second update has a key of its own.
                    assert_eq!(row.key, Some(&*key.0.replace("#1", "")), "{what}");
                    assert_eq!(
                        *window,
                        if *how == Coalescing::Text {
                            TEXT_THROTTLE
                        } else {
                            THROTTLE
                        },
                        "{what}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_agent_update_has_a_status_only_if_the_event_states_one() {
    let status = |data: Value| {
        let planned = plan(&table(), &of("agent.registered", data));
        planned[0].1["data"].get("status").cloned()
    };
    assert_eq!(status(json!({ "agent_id": "a1" })), None);
    assert_eq!(status(json!({ "agent_id": "a1", "status": null })), None);
    assert_eq!(
        status(json!({ "status": null, "new_status": "idle" })),
        Some(json!("idle"))
    );
    assert_eq!(status(json!({ "status": "busy" })), Some(json!("busy")));
}

#[test]
fn critical_is_never_coalesced_whatever_the_row_says() {
    for row in rows() {
        let mut event = row.event;
        event.priority = Some(Priority::Critical);
        for (planned, update) in plan(&table(), &event) {
            assert_eq!(planned.timing, Timing::Immediate);
            assert_eq!(update["priority"], "critical");
        }
    }
}

#[test]
fn no_update_has_a_key_twice() {
    // Parsing into a map would hide a double key; a visitor that counts finds it.
    fn check(text: &str) {
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            value.to_string().len(),
            text.len(),
            "a key is written twice in {text}"
        );
    }
    let table = table();
    for row in rows() {
        let mut event = row.event;
        // A producer's own keys may have the names of ours.
        for key in [
            "type",
            "timestamp",
            "id",
            "cursor",
            "priority",
            "animation",
            "hint",
            "coalesced",
            "change_type",
            "source",
            "data",
        ] {
            event.data.entry(key).or_insert(json!("theirs"));
        }
        for planned in table.plan(&event, crate::channel::Listening::ALL) {
            let envelope = crate::update::Envelope {
                cursor: "c",
                coalesced: 3,
                data: None,
                since: None,
            };
            for shape in [UpdateShape::Full, UpdateShape::Lean] {
                check(&render(&planned, &event, &envelope, shape));
            }
        }
    }
}

#[test]
fn rooms_are_those_of_each_id_that_the_event_names() {
    let event = of(
        "workflow.run.started",
        json!({ "project_id": "p", "agent_id": "a", "task_id": "t", "execution_id": "x", "workflow_id": "w", "run_id": "r", "job_id": "j", "user_id": "u" }),
    );
    let mut rooms = Vec::new();
    event_rooms(&event, &mut |room| rooms.push(room.to_owned()));
    rooms.sort();
    let expected = [
        "agent:a",
        "agent:p/a",
        "execution:p/x",
        "execution:x",
        "job:j",
        "job:p/j",
        "observers",
        "project:p",
        "run:p/r",
        "run:r",
        "task:p/t",
        "task:t",
        "user:u",
        "workflow:p/w",
        "workflow:w",
    ];
    assert_eq!(rooms, expected);
}

#[test]
fn namesakes_of_two_projects_do_not_wait_for_each_other() {
    let of_project = |project: &str, confined: bool, name: &str| {
        let mut event = of(
            name,
            json!({ "project_id": project, "node_id": "n", "message_id": "m", "target_id": "t", "agent_id": "a", "task_id": "t",
                "execution_id": "x", "run_id": "r", "job_id": "j", "user_id": "u", "workflow_id": "w", "project_state": {} }),
        );
        event.settled.confined = confined;
        entities(&event)
    };
    let shared = |one: &[u64], other: &[u64]| one.iter().filter(|e| other.contains(e)).count();
    for name in [
        "workflow.node.started",
        "agent.message.delta",
        "visual.node.update",
        "system.health.changed",
        "project.updated",
        "team.talk",
    ] {
        let theirs = of_project("theirs", true, name);
        assert!(!theirs.is_empty(), "{name}");
        for confined in [true, false] {
            let others = of_project("others", confined, name);
            assert_eq!(shared(&theirs, &others), 0, "{name}");
            // Within one project the order holds, whoever speaks.
            let same = of_project("theirs", confined, name);
            let own_health = matches!(name, "system.health.changed" | "project.updated");
            let expected = theirs.len() - usize::from(own_health && !confined);
            assert_eq!(shared(&theirs, &same), expected, "{name}");
        }
    }
    // Unlimited producers report one health, whichever project they name.
    let name = "system.health.changed";
    let reports = ["theirs", "others"].map(|project| of_project(project, false, name));
    assert_eq!(shared(&reports[0], &reports[1]), 1);
}
