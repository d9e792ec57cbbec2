//! One project's events leave Seneca's pages what they show of another's, however many there are.

use std::net::SocketAddr;

use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

use kit::{
    Client,
    guarded::{admin, grant, guarded, request, token},
    wait_for,
};

/// More than there are places for anything of which one of these events says something.
const FLOOD: usize = 10_500;
/// Things of each kind that the other project has.
const THEIRS: usize = 4;

fn producer(user: &str, project: &str) -> String {
    token(&Grant {
        user: Some(user.into()),
        projects: Some(vec![project.into()]),
        ..grant(Role::Producer)
    })
}

/// A line of a conversation about a blocked task, with an agent and a run.
fn said(project: &str, n: usize) -> Value {
    let of = |kind: &str| format!("{kind}-{project}-{n}");
    json!({ "type": "task.blocked", "project_id": project, "data": {
        "task_id": of("task"), "agent_id": of("agent"), "run_id": of("run"), "blocker": of("blocker"), "message": of("line") } })
}

/// Publishes and waits until all of it is folded.
async fn publish(address: SocketAddr, token: &str, events: Vec<Value>) {
    for part in events.chunks(500) {
        let events = json!(part);
        let (status, answer) =
            request("POST", address, "/api/v1/events", token, Some(&events)).await;
        assert_eq!((status, &answer["rejected"]), (202, &json!([])), "{answer}");
        wait_for("the state to come there", async || {
            state_cursor(address).await == answer["cursor"]
        })
        .await;
    }
}

async fn state_cursor(address: SocketAddr) -> Value {
    read(address, "/api/v1/state?project_id=none").await["cursor"].clone()
}

async fn read(address: SocketAddr, path: &str) -> Value {
    let (status, answer) = request("GET", address, path, &admin(), None).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// The number of things of a kind in a text that are the other project's.
fn theirs(text: &Value, kind: &str) -> usize {
    let text = text.to_string();
    let is_there = |n: &usize| text.contains(&format!("{kind}-p2-{n}\""));
    (0..2 * THEIRS).filter(is_there).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_project_leaves_what_is_shown_of_another() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mallory, victim) = (producer("mallory", "p1"), producer("victim", "p2"));
    let health = json!({ "type": "system.health.changed", "data": { "severity": "warning" } });
    publish(address, &admin(), vec![health]).await;
    publish(
        address,
        &victim,
        (0..THEIRS).map(|n| said("p2", n)).collect(),
    )
    .await;
    let flood = (0..FLOOD).map(|n| said("p1", n)).collect();
    publish(address, &mallory, flood).await;
    // Later events of it are taken, too.
    let later = (THEIRS..2 * THEIRS).map(|n| said("p2", n)).collect();
    publish(address, &victim, later).await;

    let dashboard = read(address, "/api/pipeline/monitor/dashboard").await;
    assert_eq!(dashboard["active_flows"].as_array().map(Vec::len), Some(50));
    assert_eq!(theirs(&dashboard, "run"), 2 * THEIRS, "flows");
    let recent = read(address, "/api/conversations/recent?limit=1000").await;
    assert_eq!(recent["total"], 1_000);
    assert_eq!(theirs(&recent, "line"), 2 * THEIRS, "lines");
    let health = read(address, "/api/health/current").await;
    assert_eq!(theirs(&health, "blocker"), 2 * THEIRS, "blockers");
    let auth = json!({ "token": admin() });
    let mut page = Client::open(address, "/conversations", auth.clone())
        .await
        .expect("connects");
    let agents = page.event("agents_update").await;
    assert_eq!(theirs(&agents, "agent"), 2 * THEIRS, "agents");
    // Their tasks are known, so what happens to them is counted.
    let resolved = |n| json!({ "type": "blocker.resolved", "project_id": "p2", "data": { "task_id": format!("task-p2-{n}") } });
    publish(address, &victim, (0..2 * THEIRS).map(resolved).collect()).await;
    let (mut page, _) = Client::connect(address, auth).await;
    let summary = page.event("conversation_summary").await;
    assert_eq!(summary["tasks_in_progress"], 2 * THEIRS, "tasks");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_project_says_of_an_id_changes_nothing_of_another_that_has_it() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mallory, victim) = (producer("mallory", "p1"), producer("victim", "p2"));
    let health = json!({ "type": "system.health.changed", "data": { "severity": "warning" } });
    publish(address, &admin(), vec![health]).await;
    let event = |project: &str, name: &str, data: Value| json!({ "type": name, "project_id": project, "data": data });
    // Mallory claims early the names that the other's things would get.
    let early = ["p2/r1", "p2/t1", "p2/agent-1", "p2"].map(|id| {
        event(
            "p1",
            "task.blocked",
            json!({ "run_id": id, "task_id": id, "agent_id": id, "blocker": "Mine" }),
        )
    });
    publish(address, &mallory, early.to_vec()).await;
    let theirs = vec![
        event("p2", "project.created", json!({ "project_name": "Porch" })),
        event(
            "p2",
            "agent.registered",
            json!({ "agent_id": "agent-1", "name": "Ada" }),
        ),
        event(
            "p2",
            "task.blocked",
            json!({ "task_id": "t1", "agent_id": "agent-1", "run_id": "r1", "blocker": "No key" }),
        ),
        event(
            "p2",
            "task.started",
            json!({ "task_id": "t2", "agent_id": "agent-1", "run_id": "r1" }),
        ),
    ];
    publish(address, &victim, theirs).await;
    let of_victim = async || {
        let dashboard = read(address, "/api/pipeline/monitor/dashboard").await;
        let flows = dashboard["active_flows"].as_array().expect("flows").iter();
        let flows: Vec<_> = flows
            .filter(|flow| ["r1", "p2"].contains(&flow["flow_id"].as_str().unwrap_or_default()))
            .cloned()
            .collect();
        let health = read(address, "/api/health/current").await;
        let auth = json!({ "token": admin() });
        let mut page = Client::open(address, "/conversations", auth.clone())
            .await
            .expect("connects");
        let agents = page.event("agents_update").await["agents"].clone();
        let agents = agents.as_array().expect("agents").clone();
        let ada = agents.into_iter().find(|agent| agent["id"] == "agent-1");
        let (mut page, _) = Client::connect(address, auth).await;
        let summary = page.event("conversation_summary").await;
        let blocked = health.to_string().matches("No key").count();
        (flows, blocked, ada, summary["tasks_in_progress"].clone())
    };
    let before = of_victim().await;
    assert_eq!(
        (before.0.len(), before.1 > 0, &before.3),
        (2, true, &json!(1)),
        "{before:?}"
    );
    let hostile = vec![
        event(
            "p1",
            "agent.registered",
            json!({ "agent_id": "agent-1", "name": "Mallory" }),
        ),
        event("p1", "agent.unregistered", json!({ "agent_id": "agent-1" })),
        event(
            "p1",
            "task.completed",
            json!({ "task_id": "t1", "run_id": "r1" }),
        ),
        event(
            "p1",
            "task.failed",
            json!({ "task_id": "t2", "run_id": "r1", "error": "It broke" }),
        ),
        event(
            "p1",
            "agent.run.failed",
            json!({ "run_id": "p2", "error": "It broke" }),
        ),
        // By the name, and by a board that is another's.
        event(
            "p1",
            "project.completed",
            json!({ "board_id": "p1", "project_name": "Porch" }),
        ),
        event(
            "p1",
            "decision.logged",
            json!({ "board_id": "p1", "project_state": { "board_id": "p2", "project_name": "Mine" } }),
        ),
    ];
    publish(address, &mallory, hostile).await;
    assert_eq!(of_victim().await, before);
    server.shutdown().await;
}
