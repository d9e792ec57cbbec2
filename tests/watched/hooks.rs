//! The door of Claude's hooks: always 204, soon and empty.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use kit::{
    counted_in, get,
    guarded::{self, request},
    server_with, wait_for,
};
use serde_json::{Value, json};
use stoa::{config::Switch, server::Running};

use super::{send, state_when};

const JSON: (&str, &str) = ("content-type", "application/json");
const PATH: &str = "/hooks/claude";

async fn hook(address: SocketAddr, body: &Value) {
    let (status, _, answer) = send(address, PATH, &[JSON], body.to_string()).await;
    assert_eq!((status, answer.len()), (204, 0));
}

/// A hook of one session.
fn of(name: &str, more: &Value) -> Value {
    let mut hook = json!({
        "hook_event_name": name, "session_id": "0b5f9c7e-1111-4222-8333-944455556666",
        "transcript_path": "/home/somebody/x.jsonl", "cwd": "/home/somebody/shop", "permission_mode": "default",
    });
    let fields = hook.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    hook
}

fn counts(server: &Running, outcome: &str) -> u64 {
    counted_in(
        server,
        &format!("stoa_hooks_total{{outcome=\"{outcome}\"}}"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_team_at_work() {
    let server = server_with(|_| {}).await;
    let address = server.address();
    let main = "claude:0b5f9c7e-1111-4222-8333-944455556666";
    let sub = "claude:0b5f9c7e-1111-4222-8333-944455556666:a1";
    let bash = json!({ "tool_name": "Bash", "tool_use_id": "t1", "tool_input": { "command": "make test" } });
    hook(
        address,
        &of(
            "UserPromptSubmit",
            &json!({ "prompt": "Mend the shop\nplease" }),
        ),
    )
    .await;
    hook(address, &of("PreToolUse", &bash)).await;
    let state = state_when(address, "a tool is in use", |state| {
        state["agents"][main]["tool"] == "Bash"
    })
    .await;
    assert_eq!(state["agents"][main]["name"], "Claude");
    assert_eq!(state["agents"][main]["status"], "working");
    let tasks = state["tasks"].as_object().expect("an object");
    assert_eq!(tasks.values().next().expect("one")["name"], "Mend the shop");
    assert_eq!(state["projects"]["shop"]["status"], "active");
    hook(address, &of("PermissionRequest", &bash)).await;
    state_when(address, "it waits", |state| {
        state["agents"][main]["status"] == "waiting"
    })
    .await;
    hook(address, &of("PostToolUse", &json!({
        "tool_name": "Bash", "tool_use_id": "t1", "tool_response": { "stdout": "ok" }, "duration_ms": 12,
    }))).await;
    let state = state_when(address, "it goes on", |state| {
        state["agents"][main]["status"] == "working"
    })
    .await;
    assert_eq!(state["agents"][main].get("tool"), None);
    let inside = json!({ "agent_id": "a1", "agent_type": "Explore" });
    hook(address, &of("SubagentStart", &inside)).await;
    let state = state_when(address, "a subagent works", |state| {
        state["agents"][sub]["status"] == "working"
    })
    .await;
    assert_eq!(state["agents"][main]["handed_to"], sub);
    assert_eq!(state["agents"][sub]["name"], "Explore");
    for (name, more) in [
        (
            "PreToolUse",
            json!({ "agent_id": "a1", "agent_type": "Explore", "tool_name": "Grep", "tool_use_id": "t2", "tool_input": {} }),
        ),
        (
            "PostToolUseFailure",
            json!({ "agent_id": "a1", "agent_type": "Explore", "tool_name": "Grep", "tool_use_id": "t2", "error": "no such file" }),
        ),
        (
            "SubagentStop",
            json!({ "agent_id": "a1", "agent_type": "Explore", "last_assistant_message": "Found it" }),
        ),
        (
            "TaskCreated",
            json!({ "task_id": "7", "task_subject": "Tidy up", "teammate_name": "bo" }),
        ),
        (
            "TaskCompleted",
            json!({ "task_id": "7", "task_subject": "Tidy up", "teammate_name": "bo" }),
        ),
        ("TeammateIdle", json!({ "teammate_name": "bo" })),
        (
            "Notification",
            json!({ "message": "Claude is waiting", "notification_type": "permission_prompt" }),
        ),
        ("PreCompact", json!({ "trigger": "auto" })),
        ("PostCompact", json!({ "trigger": "auto" })),
        ("SessionStart", json!({ "source": "startup" })),
        ("ConfigChange", json!({})),
        (
            "Stop",
            json!({ "stop_hook_active": false, "last_assistant_message": "All is well" }),
        ),
    ] {
        hook(address, &of(name, &more)).await;
    }
    let state = state_when(address, "all rests", |state| {
        state["agents"][main]["status"] == "idle"
    })
    .await;
    assert_eq!(state["agents"][sub]["status"], "idle");
    let tasks = state["tasks"].as_object().expect("an object");
    assert_eq!(tasks.len(), 3);
    assert!(
        tasks.values().all(|task| task["status"] == "done"),
        "{tasks:?}"
    );
    hook(address, &of("SessionEnd", &json!({ "reason": "exit" }))).await;
    let run = "0b5f9c7e-1111-4222-8333-944455556666";
    let state = state_when(address, "it is over", |state| {
        state["runs"][run]["status"] == "completed"
    })
    .await;
    assert_eq!(state["agents"][main]["status"], "offline");
    let history = get(address, "/api/v1/events?limit=200").await.1;
    let types: Vec<&str> = history["events"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    for (name, count) in [
        ("tool.started", 2),
        ("tool.completed", 1),
        ("tool.failed", 1),
        ("input.requested", 2),
        ("input.received", 2),
        ("agent.handoff", 1),
        ("agent.message.appended", 2),
        ("agent.registered", 3),
        ("workflow.run.started", 1),
        ("project.created", 1),
    ] {
        assert_eq!(
            types.iter().filter(|one| **one == name).count(),
            count,
            "{name} in {types:?}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_is_answered_with_nothing() {
    let server = guarded::guarded(|config| {
        config
            .server
            .max_http_buffer_size
            .set(10_000)
            .expect("a size");
        config.hooks.answer_within.set(0.2).expect("a time");
    })
    .await;
    let address = server.address();
    let producer = format!("Bearer {}", guarded::producer());
    let observer = format!("Bearer {}", guarded::observer("eve", &["a"]));
    let good = of("Stop", &json!({})).to_string();
    for (headers, body, outcome) in [
        (vec![JSON], good.clone(), "unauthorized"),
        (
            vec![JSON, ("authorization", "Bearer nonsense")],
            good.clone(),
            "unauthorized",
        ),
        (
            vec![JSON, ("authorization", observer.as_str())],
            good.clone(),
            "forbidden",
        ),
        (
            vec![("authorization", producer.as_str())],
            good.clone(),
            "published",
        ),
        (
            vec![("authorization", producer.as_str())],
            "no JSON".into(),
            "bad_request",
        ),
        (
            vec![("authorization", producer.as_str())],
            "[]".into(),
            "bad_request",
        ),
        (
            vec![("authorization", producer.as_str())],
            "{}".into(),
            "bad_request",
        ),
        (
            vec![("authorization", producer.as_str())],
            "x".repeat(20_000),
            "too_large",
        ),
    ] {
        let before = counts(&server, outcome);
        let (status, _, answer) = send(address, PATH, &headers, body).await;
        assert_eq!((status, answer.len()), (204, 0), "{outcome}");
        wait_for(outcome, async || counts(&server, outcome) == before + 1).await;
    }
    // A body that never comes does not hold the agent up.
    let asked = Instant::now();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a time");
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: {address}\r\nauthorization: {producer}\r\ncontent-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).expect("written");
        let mut answer = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut answer).expect("answered");
        answer
    });
    assert_eq!(&answer.await.expect("a thread"), b"HTTP/1.1 204");
    assert!(asked.elapsed() < Duration::from_secs(10));
    assert!(counts(&server, "answered_before") >= 1);
    server.shutdown().await;
}

/// One hook of a producer that is refused for its budget loses nothing but itself: the task that was open is open still,
/// and the next end ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_hook_loses_no_open_task() {
    let server = guarded::guarded(|config| {
        config.rate_limiting.enabled = Switch::On;
        config.rate_limiting.producer_events_per_second = 3;
    })
    .await;
    let address = server.address();
    let bearer = format!("Bearer {}", guarded::producer());
    let hook = async |name: &str, more: Value| {
        let headers = [JSON, ("authorization", bearer.as_str())];
        let (status, _, _) = send(address, PATH, &headers, of(name, &more).to_string()).await;
        assert_eq!(status, 204);
    };
    let all = |server: &Running| counts(server, "published") + counts(server, "rate_limited");
    // As often as its budget needs.
    let published = async |name: &str, more: Value| {
        let before = counts(&server, "published");
        wait_for(name, async || {
            let count = all(&server);
            hook(name, more.clone()).await;
            wait_for(name, async || all(&server) > count).await;
            counts(&server, "published") > before
        })
        .await;
    };
    published("SessionStart", json!({ "source": "startup" })).await;
    published("UserPromptSubmit", json!({ "prompt": "Mend the shop" })).await;
    // With its last words an end is four events, more than ever have room in the budget.
    hook("Stop", json!({ "last_assistant_message": "All is well" })).await;
    wait_for("refused", async || counts(&server, "too_large") == 1).await;
    published("Stop", json!({})).await;
    let history = request(
        "GET",
        address,
        "/api/v1/events?limit=50",
        &guarded::admin(),
        None,
    )
    .await;
    let of_type = |name: &str| -> Vec<Value> {
        let events = history.1["events"].as_array().expect("a list").iter();
        let of_type = events.filter(|event| event["type"] == name);
        of_type.map(|event| event["data"].clone()).collect()
    };
    let (begun, ended) = (of_type("task.assigned"), of_type("task.completed"));
    assert_eq!((begun.len(), ended.len()), (1, 1), "{history:?}");
    assert_eq!(begun[0]["task_id"], ended[0]["task_id"]);
    assert_eq!(of_type("agent.registered").len(), 1);
    server.shutdown().await;
}

/// A session that is forgotten for a newer one has an end; one that is over makes room first.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_forgotten_ends() {
    let server = server_with(|config| config.hooks.max_sessions.set(2).expect("a count")).await;
    let address = server.address();
    let of = |session: &str, name: &str| json!({ "hook_event_name": name, "session_id": session, "cwd": "/x/p", "prompt": session });
    for (session, name) in [
        ("old", "UserPromptSubmit"),
        ("over", "UserPromptSubmit"),
        ("over", "SessionEnd"),
        ("new", "UserPromptSubmit"),
    ] {
        hook(address, &of(session, name)).await;
    }
    let state = state_when(address, "three sessions", |state| {
        state["runs"]
            .as_object()
            .is_some_and(|runs| runs.len() == 3)
            && state["runs"]["over"]["status"] == "completed"
    })
    .await;
    assert_eq!(state["runs"]["old"]["status"], "running", "{state}");
    hook(address, &of("newest", "UserPromptSubmit")).await;
    let state = state_when(address, "the oldest is over", |state| {
        state["runs"]["old"]["status"] == "completed"
    })
    .await;
    assert_eq!(state["runs"]["old"]["reason"], "forgotten");
    assert_eq!(state["agents"]["claude:old"]["status"], "offline");
    let tasks = state["tasks"].as_object().expect("an object");
    let old = tasks.values().find(|task| task["name"] == "old");
    assert_eq!(old.expect("its task")["status"], "cancelled");
    assert_eq!(counted_in(&server, "stoa_hook_sessions_forgotten_total"), 1);
    // The session goes on all the same if it still speaks.
    hook(address, &of("old", "UserPromptSubmit")).await;
    state_when(address, "it is there again", |state| {
        state["agents"]["claude:old"]["status"] == "working"
    })
    .await;
    server.shutdown().await;
}

/// Bodies that never come take no place from hooks that do.
#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_keep_nobody_out() {
    let server = server_with(|_| {}).await;
    let address = server.address();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(head.as_bytes()).expect("written");
        slow.push(stream);
    }
    // All are under way: each is answered before its body is there.
    wait_for("answers", async || {
        counts(&server, "answered_before") == 300
    })
    .await;
    hook(address, &of("UserPromptSubmit", &json!({ "prompt": "Go" }))).await;
    wait_for("published", async || counts(&server, "published") == 1).await;
    assert_eq!(counts(&server, "overloaded"), 0);
    drop(slow);
    server.shutdown().await;
}
