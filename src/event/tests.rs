//! Every dialect, every refusal, and both real streams line by line.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::timestamp::Timestamp;

fn context() -> ParseContext<'static> {
    ParseContext {
        now: Timestamp::from_micros(1_000_000),
        producer: "tester",
        max_depth: 32,
    }
}

fn read(value: Value) -> Event {
    parse(value, &context()).unwrap()
}

fn refuse(value: Value) -> &'static str {
    parse(value, &context()).unwrap_err().code
}

#[test]
fn canonical_and_bus_events() {
    let event = read(json!({
        "event_id": "evt_1_17.5", "timestamp": "2026-05-23T14:00:03.500590+00:00", "event_type": "agent_status_changed",
        "source": "agent_backend_1", "data": { "agent_id": "agent_backend_1", "new_status": "idle" }, "metadata": {},
    }));
    assert_eq!(event.name.canonical(), "agent.status.changed");
    assert_eq!(event.name.raw(), "agent_status_changed");
    assert_eq!(event.timestamp.to_string(), "2026-05-23T14:00:03.500590Z");
    assert_eq!(
        (event.agent_id(), event.dialect),
        (Some("agent_backend_1"), Dialect::Canonical)
    );
    let bare = read(json!({ "type": "custom:thing" }));
    assert_eq!(
        (&*bare.source, bare.timestamp),
        ("tester", Timestamp::from_micros(1_000_000))
    );
    assert_eq!(
        uuid::Uuid::parse_str(&bare.id).unwrap().get_version_num(),
        7
    );
    let extra = read(
        json!({ "type": "a.b", "data": { "source": "x", "run": { "project_id": "p" } }, "trace": 7, "priority": "medium" }),
    );
    assert_eq!(
        (&*extra.source, extra.project_id.as_deref()),
        ("x", Some("p"))
    );
    assert_eq!(
        (&extra.metadata["trace"], extra.priority),
        (&json!(7), Some(Priority::Normal))
    );
}

#[test]
fn on_marcus_bus_the_source_of_a_report_is_the_agent() {
    let bus = |name: &str, source: &str, data: Value| {
        let event = json!({ "event_id": "e", "event_type": name, "source": source, "data": data });
        read(event).agent_id().map(str::to_owned)
    };
    let task = || json!({ "task_id": "t" });
    assert_eq!(
        bus("task_started", "agent_1", task()).as_deref(),
        Some("agent_1")
    );
    assert_eq!(
        bus("task_completed", "agent_1", json!({ "agent_id": "a2" })).as_deref(),
        Some("a2")
    );
    // The source of an event that is no report, of no agent or not of the bus is not taken for an agent.
    assert_eq!(bus("task_assigned", "agent_1", task()), None);
    assert_eq!(bus("task_started", "marcus", task()), None);
    assert_eq!(bus("task_started", "some one", task()), None);
    let plain = read(json!({ "type": "task.started", "source": "agent_1", "data": task() }));
    assert_eq!(plain.agent_id(), None);
    let unnamed = read(json!({ "event_id": "e", "event_type": "task_started", "data": task() }));
    assert_eq!(
        unnamed.agent_id(),
        None,
        "the producer's own name is no agent"
    );
}

#[test]
fn log_lines() {
    let line = read(
        json!({ "timestamp": "2026-05-23T14:00:05Z", "type": "task_assignment", "agent_id": "a", "task_id": "t", "priority": "urgent", "source": "marcus", "target": "a" }),
    );
    assert_eq!(
        (line.dialect, line.priority, &line.data["priority"]),
        (Dialect::RealtimeLog, None, &json!("urgent"))
    );
    assert_eq!(&*line.source, "marcus");
    let line = read(
        json!({ "event_type": "progress", "worker_id": "w", "task_id": "t", "progress": 30, "timestamp": "2026-05-23T14:00:23Z", "event": "progress_update", "logger": "worker", "level": "info" }),
    );
    assert_eq!(
        (line.name.canonical(), line.dialect),
        ("progress.update", Dialect::Conversation)
    );
    assert_eq!(
        (
            &line.data["event_type"],
            &line.metadata["logger"],
            &*line.source
        ),
        (&json!("progress"), &json!("worker"), "w")
    );
    let line = read(
        json!({ "event": "MCP tool create_task failure", "logger": "marcus", "tool_name": "x" }),
    );
    assert_eq!(
        (line.name.raw(), &*line.source),
        ("MCP_tool_create_task_failure", "marcus")
    );
}

#[test]
fn services_visuals_and_pipelines() {
    let event = read(
        json!({ "type": "ingest.job.failed", "job": { "id": "j1", "project_id": "p1" }, "timestamp": "2026-05-23T14:00:00", "errorMessage": "no" }),
    );
    assert_eq!(
        (event.job_id(), event.project_id.as_deref(), event.dialect),
        (Some("j1"), Some("p1"), Dialect::Service)
    );
    let event = read(json!({ "type": "workflow.run.created", "run": { "id": "r1" } }));
    assert_eq!(
        (event.run_id(), event.execution_id()),
        (Some("r1"), Some("r1"))
    );
    for visual in [
        json!({ "update_id": "u1", "update_type": "node_update", "target_id": "n", "changes": { "x": 1 }, "priority": "medium", "timestamp": 1_700_000_000 }),
        json!({ "update_id": "u1", "type": "node_update", "target_id": "n", "changes": { "x": 1 }, "priority": "medium" }),
    ] {
        let event = read(visual);
        assert_eq!(
            (event.name.canonical(), event.name.raw(), &*event.id),
            ("visual.node.update", "node_update", "u1")
        );
        assert_eq!(
            (event.priority, &event.data["update_type"]),
            (Some(Priority::Normal), &json!("node_update"))
        );
    }
    let event = read(
        json!({ "type": "agent_update", "agent_id": "a", "update_type": "state_change", "data": { "mood": "calm", "agent_id": "?" }, "timestamp": 1_623_456_789.123 }),
    );
    assert_eq!(
        (event.name.canonical(), event.agent_id(), event.dialect),
        ("agent.state.change", Some("a"), Dialect::AgentUpdate)
    );
    assert_eq!(event.timestamp.to_string(), "2021-06-12T00:13:09.123Z");
}

#[test]
fn points_in_time() {
    for (given, expected) in [
        (json!("2026-05-23T14:00:00Z"), "2026-05-23T14:00:00.000Z"),
        (
            json!("2026-05-23T16:00:00.25+02:00"),
            "2026-05-23T14:00:00.250Z",
        ),
        (json!("2026-05-23T14:00:00"), "2026-05-23T14:00:00.000Z"),
        (
            json!("2026-05-23 14:00:00.123456"),
            "2026-05-23T14:00:00.123456Z",
        ),
        (json!(1_779_544_800), "2026-05-23T14:00:00.000Z"),
        (json!(1_779_544_800_123_u64), "2026-05-23T14:00:00.123Z"),
        (json!(1_779_544_800.5), "2026-05-23T14:00:00.500Z"),
        (
            json!(1_779_544_800_123_456_u64),
            "2026-05-23T14:00:00.123456Z",
        ),
        (
            json!(1_779_544_800_123_456_000_u64),
            "2026-05-23T14:00:00.123456Z",
        ),
        (json!("1779544800"), "2026-05-23T14:00:00.000Z"),
        (json!(" 1779544800.5 "), "2026-05-23T14:00:00.500Z"),
        (json!("1779544800123"), "2026-05-23T14:00:00.123Z"),
        (json!("20260523"), "2026-05-23T00:00:00.000Z"),
        (json!("9999-12-31T23:59:59Z"), "9999-12-31T23:59:59.000Z"),
        (json!("9999-12-31T23:59:59.999"), "9999-12-31T23:59:59.999Z"),
        (json!(253_402_300_799_000_u64), "9999-12-31T23:59:59.000Z"),
    ] {
        assert_eq!(
            read(json!({ "type": "a", "timestamp": given }))
                .timestamp
                .to_string(),
            expected
        );
    }
    for given in [
        json!("soon"),
        json!(""),
        json!(-1),
        json!(1e300),
        json!({}),
        json!(true),
        json!("0001-01-01T00:00:00Z"),
        json!("123456789"),
        json!("12345678901234567890"),
        json!("9999-12-32T00:00:00Z"),
    ] {
        assert_eq!(
            refuse(json!({ "type": "a", "timestamp": given })),
            "invalid_timestamp",
            "{given}"
        );
    }
}

#[test]
fn refusals() {
    for (value, code) in [
        (json!(null), "unknown_shape"),
        (json!([]), "unknown_shape"),
        (json!({}), "missing_type"),
        (json!({ "type": null, "data": {} }), "missing_type"),
        (
            json!({ "update_type": "node_update", "target_id": "x" }),
            "unknown_shape",
        ),
        (
            json!({ "update_type": "unheard_of", "target_id": "x", "changes": {} }),
            "unknown_shape",
        ),
        (json!({ "type": "é" }), "invalid_type"),
        (json!({ "type": [] }), "invalid_type"),
        (json!({ "event": 5 }), "invalid_type"),
        (json!({ "type": "a", "data": 1 }), "invalid_data"),
        (
            json!({ "type": "a", "data": {}, "metadata": [] }),
            "bad_request",
        ),
        (
            json!({ "type": "a", "data": {}, "source": 1 }),
            "bad_request",
        ),
        (json!({ "type": "a", "data": {}, "id": "" }), "bad_request"),
        (
            json!({ "type": "a", "data": {}, "priority": ["urgent"] }),
            "bad_request",
        ),
        (
            json!({ "type": "agent_update", "agent_id": "a", "update_type": "a b" }),
            "invalid_type",
        ),
    ] {
        assert_eq!(refuse(value.clone()), code, "{value}");
    }
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(
        refuse(json!({ "type": "a", "data": { "x": deep } })),
        "too_deep"
    );
}

#[test]
fn every_line_of_the_real_streams_is_taken() {
    for (file, lines) in [("marcus-events", 1_424), ("marcus-conversations", 859)] {
        let text = std::fs::read_to_string(format!("tests/data/{file}.jsonl")).unwrap();
        assert_eq!(text.lines().count(), lines);
        for line in text.lines() {
            let event = read(serde_json::from_str(line).unwrap());
            assert_eq!(Event::from_stored(&event.to_stored()).unwrap(), event);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_.]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "type",
            "event_type",
            "event",
            "data",
            "timestamp",
            "id",
            "update_type",
            "target_id",
            "changes",
            "run",
            "metadata",
            "source"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn a_number_is_kept_to_its_last_digit() {
    let text = r#"{"type":"a.b","data":{"x":-5.108426295034248e-54}}"#;
    let event = parse(serde_json::from_str(text).unwrap(), &context()).unwrap();
    let kept = Event::from_stored(&event.to_stored()).unwrap();
    assert_eq!(kept.data["x"].as_f64(), Some(-5.108426295034248e-54));
}

proptest! {
    #[test]
    fn anything_is_taken_or_refused_and_what_is_taken_can_be_kept(value in any_json()) {
        if let Ok(event) = parse(value, &context()) {
            prop_assert_eq!(Event::from_stored(&event.to_stored()).unwrap(), event);
        }
    }
}

#[test]
fn an_id_is_the_same_as_a_number_and_wherever_it_stands() {
    let ids = |value: serde_json::Value| {
        let event = parse(value, &context()).unwrap();
        let project = event.project_id.as_deref().map(str::to_owned);
        (project, event.task_id().map(str::to_owned))
    };
    let wanted = (Some("42".to_owned()), Some("7".to_owned()));
    for value in [
        json!({ "type": "task.created", "project_id": 42, "data": { "task_id": 7 } }),
        json!({ "type": "task.created", "project_id": "", "data": { "task_id": "7", "project_id": 42 } }),
        json!({ "type": "task.created", "data": { "task": { "id": 7, "project_id": 42 } } }),
        json!({ "type": "task.created", "data": { "taskId": 7, "metadata": { "project_id": "42" } } }),
        json!({ "type": "task_created", "task_id": 7, "projectId": 42, "name": "n" }),
        json!({ "event": "task_assignment", "task_id": 7, "metadata": { "project_id": 42 } }),
    ] {
        assert_eq!(ids(value.clone()), wanted, "{value}");
    }
}

#[test]
fn an_event_without_its_data_is_settled_as_with_it() {
    let inner = json!({ "id": "i", "project_id": "p2", "projectId": "p3", "boardId": "b", "project_name": "n", "x": [1] });
    let mut data = json!({ "project_id": "p1", "project_name": "m", "worker_id": "w", "owner_id": "o", "l": [{ "": 0 }] });
    let places = [
        "job",
        "run",
        "execution",
        "step",
        "nodeState",
        "node",
        "task",
        "message",
        "task_details",
        "metadata",
        "data",
        "project_state",
        "other",
    ];
    for place in places {
        data[place] = inner.clone();
    }
    let Value::Object(data) = data else {
        panic!("it is an object")
    };
    let whole = Event::new(EventName::new("project.updated"), data);
    let mut kept = whole.clone();
    kept.keep_what_settles();
    let projects = |event: &Event| {
        let mut projects = Vec::new();
        event.each_project(&mut |project| projects.push(project.to_owned()));
        projects
    };
    assert_eq!(projects(&kept), projects(&whole));
    assert!(projects(&whole).len() > 10);
    assert_eq!((&kept.ids, kept.project_name()), (&whole.ids, Some("n")));
    assert_eq!(Ids::find(&kept.data, "project"), whole.ids);
    assert!(!kept.data.contains_key("l") && !kept.data.contains_key("other"));
    assert!(kept.metadata.is_empty());
}
