//! Rules of the configuration, good and bad.

use std::collections::HashSet;

use serde_json::json;

use super::{TEXT_THROTTLE, THROTTLE, of, plan};
use crate::{
    channel::Listening,
    config::RuleConfig,
    update::{Destination, MAX_RULES_PER_EVENT, Planned, Rule, Table, Timing, TransformOptions},
};

fn rule(text: &str) -> RuleConfig {
    toml::from_str(text).expect("a rule")
}

fn with(rules: &[&str]) -> Table {
    Table::new(TransformOptions {
        throttle: THROTTLE,
        text_throttle: TEXT_THROTTLE,
        usage_throttle: TEXT_THROTTLE,
        rules: rules
            .iter()
            .map(|text| Rule::compile(&rule(text)).expect("compiles"))
            .collect(),
    })
}

const DEPLOY: &str = r#"
match = "deploy.*"
emit = "deploy_update"
rooms = ["project:{project_id}", "service:{data.service}"]
priority = "high"
coalesce_by = "{data.service}"
throttle_ms = 250
animation = "flash"
fields = { service = "{data.service}", line = "{data.service} is {data.state}", replicas = "{data.replicas}", kind = "{change_type}" }
"#;

#[test]
fn a_rule_makes_its_own_update() {
    let event = of(
        "deploy_started",
        json!({ "service": "api", "state": "up", "replicas": 3, "project_id": "p1" }),
    );
    let [(planned, update)] = &plan(&with(&[DEPLOY]), &event)[..] else {
        panic!("one update")
    };
    assert_eq!(update["type"], "deploy_update");
    assert_eq!(update["priority"], "high");
    assert_eq!(update["animation"], "flash");
    assert_eq!(
        (&update["service"], &update["line"]),
        (&json!("api"), &json!("api is up"))
    );
    assert_eq!(
        (&update["replicas"], &update["kind"]),
        (&json!(3), &json!("started"))
    );
    assert_eq!(
        planned.destination,
        Destination::Rooms(["project:p1".to_owned(), "service:api".into()].into())
    );
    let Timing::Coalesced { key, window, .. } = &planned.timing else {
        panic!("coalesced")
    };
    assert_eq!((window.as_millis(), key.0.contains("api")), (250, true));
}

#[test]
fn a_room_without_its_id_is_no_room_and_a_key_without_its_value_coalesces_nothing() {
    let event = of("deploy.started", json!({ "state": "up" }));
    let [(planned, _)] = &plan(&with(&[DEPLOY]), &event)[..] else {
        panic!("one update")
    };
    assert_eq!(planned.destination, Destination::Rooms([].into()));
    assert_eq!(planned.timing, Timing::Immediate);
}

#[test]
fn rules_replace_a_row_and_several_may_match() {
    let table = with(&[
        "match = \"task:*\"\nemit = \"mine\"",
        "match = \"*.completed\"\nemit = \"done\"",
    ]);
    let names = |event| {
        plan(&table, &event)
            .iter()
            .map(|(p, _)| p.kind.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(of("task_completed", json!({ "task_id": "t" }))),
        ["mine", "done"]
    );
    assert_eq!(
        names(of("task.started", json!({ "task_id": "t" }))),
        ["mine"]
    );
    assert_eq!(names(of("project.completed", json!({}))), ["done"]);
    assert_eq!(
        names(of("agent.registered", json!({ "agent_id": "a" }))),
        ["agent_update"]
    );
}

#[test]
fn a_bad_rule_says_which_key_and_what_is_allowed() {
    let good = "match = \"a.*\"\nemit = \"a\"\n";
    for (text, key, says) in [
        ("match = \"\"\nemit = \"a\"".to_owned(), "match", "empty"),
        (
            "match = \"a.[\"\nemit = \"a\"".to_owned(),
            "match",
            "no pattern",
        ),
        (
            "match = \"a\"\nemit = \"\"".to_owned(),
            "emit",
            "event's name",
        ),
        (
            "match = \"a\"\nemit = \"disconnect\"".to_owned(),
            "emit",
            "disconnect",
        ),
        (
            format!("{good}priority = \"urgent\""),
            "priority",
            "critical, high, normal or low",
        ),
        (
            format!("{good}throttle_ms = 86400001"),
            "throttle_ms",
            "a day",
        ),
        (
            format!("{good}animation = \"wiggle\""),
            "animation",
            "celebrate",
        ),
        (
            format!("{good}coalesce_by = \"{{data.x\""),
            "coalesce_by",
            "without",
        ),
        (
            format!("{good}coalesce_by = \"{{nothing}}\""),
            "coalesce_by",
            "no place",
        ),
        (
            format!("{good}rooms = [\"project:{{}}\"]"),
            "rooms",
            "no place",
        ),
        (
            format!("{good}fields = {{ cursor = \"x\" }}"),
            "fields",
            "every update",
        ),
        (
            format!("{good}fields = {{ x = \"{{data..y}}\" }}"),
            "fields",
            "no place",
        ),
    ] {
        let mut config = rule(&text);
        config.place = "config.toml:7".into();
        let error = Rule::compile(&config).expect_err(&text);
        assert_eq!(error.key, key, "{text}");
        let message = error.to_string();
        assert!(
            message.starts_with("config.toml:7: ")
                && message.contains(says)
                && message.lines().count() == 1,
            "{message}"
        );
    }
}

#[test]
fn no_more_rules_fit_an_event_than_its_updates_can_be_told_apart() {
    let rules = |count: usize, pattern: &str| -> Vec<RuleConfig> {
        let text = format!(
            "match = \"{pattern}\"\nemit = \"deploy_update\"\ncoalesce_by = \"{{data.service}}\""
        );
        vec![rule(&text); count]
    };
    let most = Rule::compile_all(&rules(MAX_RULES_PER_EVENT, "deploy.*")).expect("as many as may");
    let mut all = rules(MAX_RULES_PER_EVENT, "deploy.*");
    all.extend(rules(MAX_RULES_PER_EVENT, "build.*"));
    Rule::compile_all(&all).expect("they are for different events");
    all.extend(rules(1, "deploy.done"));
    let refused = Rule::compile_all(&all)
        .expect_err("one too many")
        .to_string();
    assert!(refused.contains("at most 24 may"), "{refused}");

    let table = Table::new(TransformOptions {
        rules: most,
        ..TransformOptions::default()
    });
    let event = of("deploy.done", json!({ "service": "api" }));
    let planned = table.plan(&event, Listening::ALL);
    let bits = planned.iter().fold(0_u32, |bits, update| bits | update.bit);
    assert_eq!(
        bits.count_ones() as usize,
        planned.len(),
        "each has its own"
    );
    let key = |update: &Planned| match &update.timing {
        Timing::Coalesced { key, .. } => Some(key.0.clone()),
        Timing::Immediate => None,
    };
    let keys: HashSet<_> = planned.iter().filter_map(key).collect();
    assert_eq!(
        keys.len(),
        MAX_RULES_PER_EVENT,
        "rules that look alike are not coalesced"
    );
}

#[test]
fn rooms_that_nobody_can_be_in_are_refused() {
    let checked = |room: &str| {
        let rule = RuleConfig {
            matches: "a.*".into(),
            emit: "x".into(),
            rooms: Some(vec!["observers".into(), room.into()]),
            place: "c.toml:3".into(),
            ..RuleConfig::default()
        };
        Rule::check_rooms(&[rule], "lobby").map_err(|error| error.to_string())
    };
    for room in [
        "lobby",
        "general",
        "producers",
        "project:{data.project}",
        "task:{data.id}",
        "run:x",
        "{data.room}",
        "team",
        "chat/{data.x}",
        "Project:x",
    ] {
        assert_eq!(checked(room), Ok(()), "{room}");
    }
    for room in [
        "task:",
        "project:a b",
        "agent:a/b/c:{data.x}",
        "flow:{data.x}",
        "caf\u{e9}",
        "(operators)",
        "0190a5f8-0000-7000-8000-000000000000",
        "",
    ] {
        let message = checked(room).expect_err(room);
        assert!(
            message.starts_with("c.toml:3: [[transform.rules]] rooms: nobody can be in")
                && message.contains("lobby")
                && message.contains("project"),
            "{message}"
        );
    }
}

#[test]
fn a_rule_whose_rooms_are_none_or_hold_objects_is_refused() {
    for (rooms, says) in [
        ("[]", "nobody would see"),
        ("[\"task:{data}\"]", "one of its fields"),
        ("[\"{metadata}\"]", "one of its fields"),
    ] {
        let text = format!("match = \"a.*\"\nemit = \"x\"\nrooms = {rooms}");
        let error = Rule::check_rooms(&[rule(&text)], "lobby").expect_err(rooms);
        assert!(
            error.key == "rooms" && error.message.contains(says),
            "{error}"
        );
    }
    Rule::check_rooms(&[rule("match = \"a.*\"\nemit = \"x\"")], "lobby").expect("its own rooms");
}
