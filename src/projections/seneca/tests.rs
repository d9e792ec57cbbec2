//! The dashboard over recorded streams and over small ones.

use serde_json::json;

use super::*;
use crate::{
    channel::Listening,
    update::seneca::{
        SenecaKind, health_fields, plan,
        testing::{at, event_at, stream},
    },
};

const CONVERSATIONS: &str = "marcus-conversations.jsonl";
const BUS: &str = "marcus-events.jsonl";

fn dashboard(events: &[Arc<Event>]) -> Dashboard {
    let mut dashboard = Dashboard::new();
    events.iter().for_each(|event| dashboard.observe(event));
    dashboard
}

fn changed(dashboard: &mut Dashboard) -> Vec<&'static str> {
    let now = at("2026-05-23T15:00:00Z");
    dashboard
        .take_changed(now)
        .iter()
        .map(|(name, _)| *name)
        .collect()
}

#[test]
fn the_recorded_conversation_adds_up_as_in_seneca() {
    let events = stream(CONVERSATIONS);
    let lines = events
        .iter()
        .filter(|event| plan(event, Listening::ALL).contains(&SenecaKind::ConversationEvent))
        .count();
    assert_eq!(lines, 859);
    let dashboard = dashboard(&events);
    let summary = dashboard.summary();
    for (key, expected) in [
        ("total_events", 859),
        ("active_workers", 6),
        ("decision_count", 54),
        ("blocker_count", 6),
        ("completion_count", 40),
        ("tasks_in_progress", 0),
    ] {
        assert_eq!(summary[key], expected, "{key}");
    }
    assert_eq!(summary["event_types"]["worker_message"], 335);
    let metrics = dashboard.metrics();
    for (key, expected) in [
        ("decisions_today", 54),
        ("total_tasks", 40),
        ("tasks_completed", 40),
        ("active_workers", 6),
    ] {
        assert_eq!(metrics[key], expected, "{key}");
    }
    let average = metrics["avg_confidence"].as_f64().unwrap();
    assert!((0.5..1.0).contains(&average), "{average}");
}

#[test]
fn the_recorded_bus_adds_up_and_its_project_completes() {
    let dashboard = dashboard(&stream(BUS));
    let summary = dashboard.summary();
    for (key, expected) in [
        ("total_events", 1424),
        ("active_workers", 6),
        ("decision_count", 18),
        ("blocker_count", 6),
        ("completion_count", 40),
    ] {
        assert_eq!(summary[key], expected, "{key}");
    }
    assert_eq!(dashboard.metrics()["active_workers"], 0, "all went offline");
    let dashboard = dashboard.dashboard(at("2026-05-23T15:00:00Z"));
    assert_eq!(dashboard["active_flows"].as_array().unwrap().len(), 1);
    let flow = &dashboard["active_flows"][0];
    assert_eq!(flow["flow_id"], "ce517e104762ce7ff5c06a0f8ffda938");
    assert_eq!(flow["progress_percentage"], 100.0);
    assert_eq!(
        (&flow["events_completed"], &flow["events_total_estimated"]),
        (&json!(40), &json!(40))
    );
    assert_eq!(flow["current_stage"], "task_completion");
    let metrics = &dashboard["system_metrics"];
    assert_eq!(
        (&metrics["active_flows"], &metrics["flows_per_hour"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(metrics["success_rate"], 100.0);
    assert!(metrics["avg_completion_time"].as_f64().unwrap() > 10.0);
}

#[test]
fn half_way_the_project_is_under_way() {
    let events = stream(BUS);
    let dashboard = dashboard(&events[..events.len() / 2]);
    let flow = &dashboard.dashboard(at("2026-05-23T15:00:00Z"))["active_flows"][0];
    let progress = flow["progress_percentage"].as_f64().unwrap();
    assert!((20.0..80.0).contains(&progress), "{progress}");
    assert!(flow["eta"].is_string());
    assert!(flow["health_status"]["status"].is_string());
    let listed = &dashboard.active_flows()["flows"][0];
    assert_eq!(listed["project_name"], "Depot Inventory Tracker");
    assert!(dashboard.metrics()["tasks_in_progress"].as_u64().unwrap() > 0);
}

#[test]
fn only_what_changed_is_given_and_only_once() {
    let mut dashboard = Dashboard::new();
    assert!(changed(&mut dashboard).is_empty());
    let ping = event_at("2026-05-23T14:00:00Z", "ping_request", json!({"echo": "x"}));
    dashboard.observe(&ping);
    assert_eq!(
        changed(&mut dashboard).len(),
        5,
        "the first time all are news"
    );
    assert!(changed(&mut dashboard).is_empty());
    dashboard.observe(&ping);
    assert_eq!(changed(&mut dashboard), ["conversation_summary"]);
    dashboard.observe(&event_at(
        "2026-05-23T14:00:01Z",
        "project_created",
        json!({"project_id": "p", "total_tasks": 4}),
    ));
    let names = changed(&mut dashboard);
    for name in ["system_metrics", "active_flows_update", "dashboard_update"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(!names.contains(&"agents_update"));
    assert_eq!(dashboard.flows_changed().len(), 1);
    assert!(dashboard.flows_changed().is_empty());
}

#[test]
fn runs_and_pipeline_flows_are_flows() {
    let mut dashboard = Dashboard::new();
    for (name, data) in [
        (
            "workflow.run.started",
            json!({"run": {"id": "r1", "total_nodes": 4, "completed_nodes": 1}}),
        ),
        (
            "workflow.node.failed",
            json!({"execution_id": "r1", "node_id": "n"}),
        ),
        (
            "tasks_generated",
            json!({"flow_id": "f1", "stage": "task_generation"}),
        ),
    ] {
        dashboard.observe(&event_at("2026-05-23T14:00:00Z", name, data));
    }
    let changed: BTreeMap<_, _> = dashboard.flows_changed().into_iter().collect();
    assert_eq!(changed["r1"]["progress_percentage"], 25.0);
    assert_eq!(changed["r1"]["health_status"]["status"], "warning");
    assert_eq!(changed["f1"]["current_stage"], "task_generation");
    assert_eq!(changed["f1"]["progress_percentage"], 37.5);
    dashboard.observe(&event_at(
        "2026-05-23T14:00:09Z",
        "workflow.run.failed",
        json!({"run": {"id": "r1"}}),
    ));
    let dashboard = dashboard.dashboard(at("2026-05-23T14:00:10Z"));
    assert_eq!(dashboard["health_summary"]["critical"], 1);
    assert_eq!(dashboard["alerts"][0]["flow_id"], "r1");
    assert_eq!(dashboard["system_metrics"]["success_rate"], 0.0);
}

#[test]
fn health_is_unknown_at_first_and_then_whole() {
    let mut dashboard = Dashboard::new();
    assert!(dashboard.health_current().is_none());
    dashboard.observe(&event_at(
        "2026-05-23T14:00:00Z",
        "system.health.changed",
        json!({"severity": "critical", "message": "Disk full"}),
    ));
    let red = dashboard.health_current().unwrap();
    assert_eq!(red["overall_health"], "red");
    assert_eq!(red["message"], "Disk full");
    assert_eq!(
        red["timeline_prediction"]["estimated_completion"],
        "unknown"
    );
    assert!(red["timeline_prediction"]["confidence"].is_number());
    for key in ["risk_factors", "recommendations", "resource_optimization"] {
        assert!(red[key].is_array(), "{key}");
    }
    assert!(dashboard.health_changed().is_none());
    dashboard.observe(&event_at(
        "2026-05-23T14:00:05Z",
        "task_blocked",
        json!({"task_id": "t", "blocker": "No key", "suggested_resolution": "Add it"}),
    ));
    let state = json!({"project_state": {"board_id": "b", "risk_level": "medium", "progress_percent": 40.0, "blocked_tasks": 1}});
    dashboard.observe(&event_at(
        "2026-05-23T14:01:00Z",
        "project_state_refreshed",
        state,
    ));
    let yellow = dashboard.health_current().unwrap();
    assert_eq!(yellow["overall_health"], "yellow");
    assert_eq!(yellow["timeline_prediction"]["on_track"], false);
    assert_eq!(yellow["trends"]["health_direction"], "improving");
    assert_eq!(yellow["trends"]["risk_change"], "increasing");
    assert_eq!(yellow["risk_factors"][0]["description"], "No key");
    assert_eq!(yellow["recommendations"][0]["action"], "Add it");
    let history = dashboard.health_history(1, at("2026-05-23T14:30:00Z"))();
    assert_eq!(
        (&history["count"], &history["hours"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        dashboard.health_history(1, at("2026-05-24T14:30:00Z"))()["count"],
        0
    );
}

#[test]
fn a_producers_own_analysis_is_made_fit_to_be_shown() {
    let mut dashboard = Dashboard::new();
    let report = event_at(
        "2026-05-23T14:00:00Z",
        "system.health.changed",
        json!({"severity": "warning", "timeline_prediction": {"confidence": 0.5}, "risk_factors": [null, "disk"], "recommendations": [{}]}),
    );
    dashboard.observe(&report);
    let shown = dashboard.health_current().unwrap();
    assert_eq!(shown["overall_health"], "yellow");
    assert_eq!(
        shown["timeline_prediction"],
        json!({"on_track": true, "confidence": 0.5, "estimated_completion": "unknown", "critical_path_risks": []})
    );
    assert_eq!(shown["risk_factors"][0]["description"], "disk");
    assert_eq!(shown["risk_factors"].as_array().unwrap().len(), 1);
    assert_eq!(shown["recommendations"], json!([]));
    // The object that all clients are sent at once is the same.
    let told = health_fields(&report, &report.data);
    assert_eq!(told, shown);
    // A report without a word on how well things go leaves it as it was.
    dashboard.observe(&event_at(
        "2026-05-23T14:00:05Z",
        "system.health.changed",
        json!({"message": "Still looking"}),
    ));
    assert_eq!(
        dashboard.health_current().unwrap()["overall_health"],
        "yellow"
    );
    dashboard.observe(&event_at(
        "2026-05-23T14:00:06Z",
        "system.health.changed",
        json!({"severity": "peculiar"}),
    ));
    assert_eq!(
        dashboard.health_current().unwrap()["overall_health"],
        "unknown"
    );
}

#[test]
fn recent_lines_come_newest_first_by_page_agent_and_time() {
    let dashboard = dashboard(&stream(CONVERSATIONS));
    let now = at("2026-05-23T14:10:30Z");
    let all = dashboard.recent_conversations(50, 0, Some(60), None, now)();
    assert_eq!(all["total"], 859);
    assert_eq!(all["conversations"].as_array().unwrap().len(), 50);
    assert_eq!(all["conversations"][0]["id"], "line-858");
    assert_eq!(all["statistics"]["unique_agents"], 6);
    let next = dashboard.recent_conversations(50, 50, Some(60), None, now)();
    assert_eq!(next["conversations"][0]["id"], "line-808");
    let one = dashboard.recent_conversations(1000, 0, None, Some("agent_backend_1".into()), now)();
    assert!(one["total"].as_u64().unwrap() < 859);
    let short = dashboard.recent_conversations(1000, 0, Some(1), None, now)();
    assert!(short["total"].as_u64().unwrap() < all["total"].as_u64().unwrap());
    // Months later the recording is still there to look at.
    let later = dashboard.recent_conversations(50, 0, Some(60), None, at("2026-11-23T14:10:30Z"))();
    assert_eq!(later["total"], 859);
}

#[test]
fn history_and_kinds_are_bounded() {
    let mut dashboard = Dashboard::new();
    for n in 0..1_500 {
        dashboard.observe(&event_at(
            "2026-05-23T14:00:00Z",
            &format!("kind_{n}"),
            json!({"run_id": format!("r{n}"), "task_id": format!("t{n}")}),
        ));
    }
    let now = at("2026-05-23T14:00:00Z");
    assert_eq!(
        dashboard.recent_conversations(1, 0, None, None, now)()["total"],
        1_000
    );
    let summary = dashboard.summary();
    assert_eq!(summary["total_events"], 1_500);
    assert!(summary["event_types"].as_object().unwrap().len() <= 201);
    assert!(dashboard.active_flows()["flows"].as_array().unwrap().len() <= 50);
}

/// The flows that are shown are chosen by their projects, and ordered by their start.
#[test]
fn the_flows_shown_are_of_all_projects_the_latest_first() {
    let mut dashboard = Dashboard::new();
    for n in 0..400 {
        let project = match n {
            0..5 => "quiet",
            5..12 => "other",
            _ => "busy",
        };
        let mut event = Event::clone(&event_at(
            &format!("2026-05-23T14:{:02}:{:02}Z", n / 60, n % 60),
            "workflow.run.started",
            json!({"run_id": format!("{project}-{n:03}")}),
        ));
        event.project_id = Some(project.into());
        dashboard.observe(&event.into());
    }
    let flows = dashboard.active_flows()["flows"].clone();
    let flows = flows.as_array().unwrap();
    let runs: Vec<&str> = flows.iter().map(|f| f["id"].as_str().unwrap()).collect();
    assert_eq!(runs.len(), 50);
    let of = |project: &str| runs.iter().filter(|id| id.starts_with(project)).count();
    // The projects themselves are among them.
    assert_eq!((of("quiet"), of("other")), (6, 8));
    let started: Vec<&str> = flows
        .iter()
        .map(|f| f["started_at"].as_str().unwrap())
        .collect();
    assert!(started.iter().rev().is_sorted(), "{started:?}");
    assert_eq!(runs[0], "busy-399");
}

/// A board that the ledger knows as a project of its own gives its flow to no other project of its name.
#[test]
fn two_projects_of_one_name_are_two_flows() {
    let mut dashboard = Dashboard::new();
    let state = json!({ "board_id": "b2", "project_name": "Website" });
    let of_board = json!({ "project_id": "b2", "project_state": state });
    for (name, data) in [
        (
            "project_created",
            json!({ "project_id": "a1", "project_name": "Website" }),
        ),
        (
            "project_created",
            json!({ "project_id": "b2", "project_name": "Website" }),
        ),
        ("project_state_refreshed", of_board),
    ] {
        let mut event = Event::clone(&event_at("2026-05-23T14:00:00Z", name, data.clone()));
        event.project_id = data["project_id"].as_str().map(Into::into);
        dashboard.observe(&event.into());
    }
    let flows = dashboard.active_flows()["flows"].clone();
    let events = |id: &str| {
        let flows = flows.as_array().unwrap().iter();
        flows
            .filter(|flow| flow["id"] == id)
            .map(|flow| flow["event_count"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (events("a1"), events("b2")),
        (vec![json!(1)], vec![json!(2)])
    );
}
