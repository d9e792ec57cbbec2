//! Rooms and filters: what a client asks for and what reaches it.

use kit::{Client, get, post, server, until_folded};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_hello_and_what_a_newcomer_is_told() {
    let server = server().await;
    let address = server.address();
    let (_, answer) = post(
        address,
        &json!({ "type": "agent.registered", "data": { "agent_id": "a1" } }),
    )
    .await;
    until_folded(address, &answer["cursor"]).await;
    let (mut client, hello) = Client::connect(
        address,
        json!({ "name": "board", "rooms": ["project:p1"], "snapshot": true }),
    )
    .await;
    for key in [
        "client_id",
        "session_id",
        "connection_id",
        "server_time",
        "timestamp",
        "cursor",
    ] {
        assert!(hello[key].is_string(), "{key} in {hello}");
    }
    assert_eq!(
        hello["rooms"],
        json!(["general", "observers", "project:p1"])
    );
    assert_eq!(hello["server"]["name"], "stoa");
    let snapshot = client.event("snapshot").await;
    assert!(snapshot["agents"]["a1"].is_object(), "{snapshot}");
    for key in [
        "cursor",
        "server_time",
        "projects",
        "tasks",
        "runs",
        "health",
        "counts",
    ] {
        assert!(!snapshot[key].is_null(), "{key} in {snapshot}");
    }
    let summary = client.event("conversation_summary").await;
    assert!(summary["total_events"].is_u64(), "{summary}");
    let (_, over_http) = get(address, "/api/v1/state").await;
    assert_eq!(over_http["agents"], snapshot["agents"]);
    let state = client.call("get_state", json!({})).await;
    assert_eq!(
        (&state["status"], &state["agents"]),
        (&json!("ok"), &snapshot["agents"])
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_rooms_one_copy() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(
        address,
        json!({ "rooms": ["project:p1", "agent:a1", "task:t1"] }),
    )
    .await;
    post(address, &json!({ "type": "task.assigned", "project_id": "p1", "data": { "agent_id": "a1", "task_id": "t1" } })).await;
    client.event("task_assignment").await;
    let rest = client.so_far().await;
    assert!(
        rest.iter().all(|(name, _)| name != "task_assignment"),
        "{rest:?}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_joined_and_left_in_all_spellings() {
    let server = server().await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    for (event, argument) in [
        ("join_room", json!({ "room": "execution:e1" })),
        ("join", json!("execution:e2")),
        ("subscribe", json!({ "room_id": "execution:e3" })),
        ("subscribe", json!({ "rooms": ["execution:e4"] })),
        ("subscribe", json!({ "channels": ["execution:e5"] })),
        ("join_room", json!({ "room": hello["client_id"] })),
        ("join_room", json!({ "room": client.sid })),
    ] {
        assert_eq!(
            client.call(event, argument.clone()).await["status"],
            "ok",
            "{event} {argument}"
        );
    }
    let confirmed = client.event("subscription").await;
    assert_eq!(
        (
            &confirmed["type"],
            &confirmed["event"],
            &confirmed["room_id"]
        ),
        (
            &json!("subscription"),
            &json!("subscribed"),
            &json!("execution:e3")
        )
    );
    assert_eq!(client.event("room_joined").await["room"], "execution:e1");
    assert_eq!(client.call("leave", json!("general")).await["members"], 0);
    assert_eq!(
        client
            .call("leave_room", json!({ "room": "observers" }))
            .await["status"],
        "ok"
    );
    assert_eq!(client.event("room_left").await["room"], "general");
    // Out of `observers`, only its own rooms still count.
    post(
        address,
        &json!([
            { "type": "workflow.run.completed", "data": { "execution_id": "e9" } },
            { "type": "workflow.run.completed", "data": { "execution_id": "e3" } },
        ]),
    )
    .await;
    assert_eq!(
        client.event("execution_update").await["data"]["execution_id"],
        "e3"
    );
    let gone = client
        .call("unsubscribe", json!({ "room_id": "execution:e3" }))
        .await;
    assert_eq!(gone["rooms"], json!(["execution:e3"]));
    post(
        address,
        &json!([
            { "type": "workflow.run.failed", "data": { "execution_id": "e3" } },
            { "type": "workflow.run.failed", "data": { "execution_id": "e5" } },
        ]),
    )
    .await;
    assert_eq!(
        client.event("execution_update").await["data"]["execution_id"],
        "e5"
    );
    let (_, rooms) = get(address, "/api/v1/ws/rooms").await;
    assert_eq!(
        rooms["active_rooms"],
        json!([
            "execution:e1",
            "execution:e2",
            "execution:e4",
            "execution:e5"
        ])
    );
    assert_eq!(rooms["total_rooms"], 4);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters() {
    let server = server().await;
    let address = server.address();
    let (mut some, _) = Client::connect(address, json!({ "filters": { "types": ["task_*"], "exclude": ["task.created"], "agents": ["a1"] } })).await;
    let (mut urgent, _) =
        Client::connect(address, json!({ "filters": { "min_priority": "high" } })).await;
    let (mut later, _) = Client::connect(address, json!({})).await;
    let answer = later
        .call("subscribe", json!({ "filters": { "projects": ["p2"] } }))
        .await;
    assert_eq!(answer["status"], "ok");
    post(address, &json!([
        { "type": "agent.registered", "data": { "agent_id": "a1" } },
        { "type": "task.created", "data": { "agent_id": "a1", "task_id": "t0" } },
        { "type": "task.completed", "data": { "agent_id": "a2", "task_id": "t1" } },
        { "type": "task_completed", "data": { "agent_id": "a1", "task_id": "t2" }, "project_id": "p1" },
        { "type": "decision.logged", "data": { "what": "x" }, "project_id": "p2" },
        { "type": "task.blocked", "data": { "agent_id": "a1", "task_id": "t3" }, "project_id": "p2" },
    ]))
    .await;
    let ids = |updates: Vec<(String, Value)>| -> Vec<String> {
        updates
            .into_iter()
            .filter(|(name, _)| {
                name.starts_with("task_")
                    || name.starts_with("decision")
                    || name.starts_with("agent")
            })
            .map(|(name, u)| format!("{name}:{}", u["data"]["task_id"].as_str().unwrap_or("-")))
            .collect()
    };
    some.event_where("task_update", |u| u["data"]["task_id"] == "t2")
        .await;
    some.event_where("task_update", |u| u["data"]["task_id"] == "t3")
        .await;
    assert_eq!(ids(some.so_far().await), Vec::<String>::new());
    urgent
        .event_where("task_update", |u| u["data"]["task_id"] == "t1")
        .await;
    urgent
        .event_where("task_update", |u| u["data"]["task_id"] == "t2")
        .await;
    urgent
        .event_where("task_update", |u| u["data"]["task_id"] == "t3")
        .await;
    assert_eq!(ids(urgent.so_far().await), Vec::<String>::new());
    later.event("decision_event").await;
    later
        .event_where("task_update", |u| u["data"]["task_id"] == "t3")
        .await;
    assert_eq!(ids(later.so_far().await), Vec::<String>::new());
    server.shutdown().await;
}
