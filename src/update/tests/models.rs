//! The rows for calls of models and for checks, and the sums that calls add to.

use serde_json::{Value, json};

use super::{
    of, plan,
    rows::{Row, row},
    table,
};
use crate::{
    event::Priority,
    update::{Coalescing, Timing, UpdateKind, rooms_hash, sum_entities},
};

fn call() -> Value {
    json!({ "call_id": "c1", "model": "small-1", "provider": "acme", "agent_id": "a1", "task_id": "t1", "run_id": "r1",
        "input_tokens": "412", "output_tokens": 20, "cached_tokens": 100, "reasoning_tokens": 5, "cost_usd": 0.002, "duration_ms": 900,
        "ttft_ms": "120.5", "finish_reason": "stop", "attempt": 1, "status_code": -3 })
}

pub(super) fn rows() -> Vec<Row> {
    use Priority::{High, Low};
    let started = json!({ "call_id": "c1", "model": "small-1", "agent_id": "a1", "task_id": "t1", "run_id": "r1" });
    let shown = json!({ "call_id": "c1", "model": "small-1", "agent_id": "a1", "task_id": "t1", "run_id": "r1", "status": "running",
        "input_tokens": null, "data": started, "hint": { "target": { "kind": "agent", "id": "a1" }, "motion": "think" } });
    let check = |name: &str, score: Value| {
        let data =
            json!({ "name": "No secrets", "agent_id": "a1", "score": score, "reason": "A key" });
        let shown = json!({ "name": "No secrets", "check": name.split('.').next(), "change_type": name.split('.').nth(1), "agent_id": "a1",
            "score": score, "reason": "A key", "data": data, "hint": { "target": { "kind": "agent", "id": "a1" } } });
        let is_alarm = name == "guardrail.triggered";
        row(
            name,
            data,
            &[("check_update", shown)],
            if is_alarm { High } else { Low },
            None,
            if is_alarm { "flash" } else { "none" },
        )
    };
    vec![
        row(
            "llm.started",
            started,
            &[("llm_update", shown)],
            Low,
            Some("llm/a1"),
            "none",
        ),
        check("guardrail.passed", json!(1)),
        check("guardrail.triggered", json!(0.25)),
        check("eval.scored", json!(-0.5)),
        check("memory.stored", Value::Null),
        check("retrieval.completed", Value::Null),
    ]
}

#[test]
fn the_end_of_a_call_adds_to_the_sums_of_its_agent_run_and_project() {
    let mut event = of("llm.completed", call());
    event.project_id = Some("p1".into());
    let planned = plan(&table(), &event);
    let names: Vec<_> = planned
        .iter()
        .map(|(planned, update)| {
            (
                planned.bit,
                update["type"].as_str(),
                &update["hint"]["target"],
            )
        })
        .collect();
    let target = |kind: &str, id: &str| json!({ "kind": kind, "id": id });
    assert_eq!(
        names,
        [
            (1, Some("llm_update"), &target("agent", "a1")),
            (2, Some("usage_update"), &target("agent", "a1")),
            (4, Some("usage_update"), &target("run", "r1")),
            (8, Some("usage_update"), &target("project", "p1")),
        ]
    );
    let update = &planned[0].1;
    for (key, value) in [
        ("input_tokens", json!(412)),
        ("cost_usd", json!(0.002)),
        ("ttft_ms", json!(120.5)),
        ("status_code", Value::Null),
        ("finish_reason", json!("stop")),
        ("status", json!("completed")),
    ] {
        assert_eq!(update[key], value, "{key} of {update}");
    }
    assert_eq!(update["data"]["input_tokens"], "412");
    let sums = json!({ "input_tokens": 412, "output_tokens": 20, "cached_tokens": 100, "reasoning_tokens": 5, "cost_usd": 0.002, "calls": 1 });
    for (planned, update) in &planned[1..] {
        assert_eq!(update["scope"], update["hint"]["target"]);
        for (key, value) in sums.as_object().unwrap() {
            assert_eq!(&update[key], value, "{key}");
        }
        assert_eq!(update["by_model"], json!({ "small-1": sums }));
        assert!(
            update.get("totals").is_none() && update.get("data").is_none(),
            "{update}"
        );
        assert_eq!(
            (planned.priority, update["project_id"].as_str()),
            (Priority::Low, Some("p1"))
        );
        let Timing::Coalesced { window, how, .. } = &planned.timing else {
            panic!("{planned:?}");
        };
        assert_eq!((window.as_millis(), *how), (1_000, Coalescing::Sums));
    }
}

#[test]
fn a_failure_goes_at_once_and_a_total_is_kept_beside_the_sums() {
    let failed = plan(
        &table(),
        &of(
            "llm.failed",
            json!({ "call_id": "c", "agent_id": "a", "error": "Too many", "status_code": 429, "will_retry": true, "retry_in_ms": 500 }),
        ),
    );
    let (planned, update) = &failed[0];
    assert_eq!(
        (planned.priority, &planned.timing, &update["animation"]),
        (Priority::High, &Timing::Immediate, &json!("flash"))
    );
    assert_eq!(
        (
            &update["status_code"],
            &update["will_retry"],
            &update["retry_in_ms"]
        ),
        (&json!(429), &json!(true), &json!(500))
    );
    let totals = plan(
        &table(),
        &of(
            "llm.completed",
            json!({ "agent_id": "a", "model": "m", "input_tokens": 7, "total": true }),
        ),
    );
    assert_eq!(totals[0].0.timing, Timing::Immediate);
    let sums = &totals[1].1;
    assert_eq!(
        (
            &sums["calls"],
            &sums["input_tokens"],
            &sums["by_model"],
            &sums["totals"]["input_tokens"]
        ),
        (&json!(0), &json!(0), &json!({}), &json!(7))
    );
}

#[test]
fn only_calls_that_the_same_clients_see_are_added_up() {
    let sum = |data: Value, bit| {
        let mut event = of("llm.completed", data);
        event.project_id = Some("p1".into());
        let planned = table().plan(&event, crate::channel::Listening::NONE);
        let found = planned.into_iter().find(|planned| planned.bit == bit);
        let found = found.expect("a sum");
        assert!(matches!(found.kind, UpdateKind::Usage));
        found.event.expect("an event of its own")
    };
    let project = |data: Value| rooms_hash(&sum(data, 8));
    let one = project(json!({ "agent_id": "a1", "task_id": "t1", "run_id": "r1" }));
    let other = project(json!({ "agent_id": "a2", "task_id": "t2", "run_id": "r2" }));
    assert_eq!(one, other, "other agents, tasks and runs decide nothing");
    for data in [
        json!({ "agent_id": "a1", "task_id": "t1" }),
        json!({ "agent_id": "a1", "task_id": "t1", "run_id": "r1", "user_id": "u1" }),
    ] {
        assert_ne!(one, project(data));
    }
    let run = |id: &str| sum(json!({ "agent_id": "a1", "run_id": id }), 4);
    assert_ne!(rooms_hash(&run("r1")), rooms_hash(&run("r2")));
    let mut rooms = Vec::new();
    crate::update::event_rooms(&run("r1"), &mut |room| rooms.push(room.to_owned()));
    assert!(rooms.contains(&"run:r1".to_owned()) && rooms.contains(&"project:p1".to_owned()));
    assert!(!rooms.contains(&"agent:a1".to_owned()), "{rooms:?}");
    // A sum waits for nothing; only one of a run that may yet be brought into a project goes before that.
    assert!(sum_entities(&run("r1")).is_empty());
    let alone = of("llm.completed", json!({ "run_id": "r1" }));
    let alone = table().plan(&alone, crate::channel::Listening::NONE);
    let alone = alone[1].event.clone().expect("an event");
    assert!(!sum_entities(&alone).is_empty());
}

#[test]
fn other_events_of_these_families_are_generic() {
    for name in [
        "llm.call.finished",
        "llm.listed",
        "guardrail.added",
        "eval.started",
        "memory",
    ] {
        let planned = plan(
            &table(),
            &of(name, json!({ "agent_id": "a1", "model": "m" })),
        );
        assert_eq!(
            (planned.len(), &planned[0].1["type"]),
            (1, &json!("generic_update")),
            "{name}"
        );
    }
}
