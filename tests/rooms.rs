//! Rooms, filters, roles, batches, actions: what a client asks for and what reaches it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use common::{Client, get, post, server, server_with, until_folded};
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

#[tokio::test(flavor = "multi_thread")]
async fn batches_for_those_who_ask() {
    let server = server().await;
    let address = server.address();
    let (mut batched, _) = Client::connect(address, json!({ "batch": true })).await;
    let (mut plain, _) = Client::connect(address, json!({})).await;
    let events: Vec<Value> = (0..120)
        .map(|n| json!({ "type": "decision.logged", "data": { "what": "x", "n": n } }))
        .chain([json!({ "update_type": "layout_update", "update_id": "u1", "target_id": "g", "changes": { "a": 1 } })])
        .collect();
    post(address, &json!(events)).await;
    let (mut seen, mut layout) = (Vec::new(), 0);
    while seen.len() < 121 {
        let batch = batched.event("batch").await;
        let updates = batch["updates"].as_array().unwrap();
        assert!((1..=50).contains(&updates.len()), "{}", updates.len());
        assert!(batch["batch_id"].is_string() && batch["timestamp"].is_string());
        let holds = updates.iter().any(|u| u["event"] == "visual_update");
        assert_eq!(batch["requires_layout_update"], json!(holds));
        layout += usize::from(holds);
        seen.extend(
            updates
                .iter()
                .map(|u| (u["event"].clone(), u["payload"]["data"]["n"].clone())),
        );
    }
    assert_eq!(layout, 1);
    let numbers: Vec<_> = seen.iter().filter_map(|(_, n)| n.as_u64()).collect();
    assert_eq!(numbers, (0..120).collect::<Vec<_>>());
    plain
        .event_where("decision_event", |u| u["data"]["n"] == 119)
        .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_go_to_the_agents_producers_and_their_answer_comes_back() {
    let server = server().await;
    let address = server.address();
    let (mut operator, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let nobody = operator
        .call(
            "agent_action",
            json!({ "agent_id": "a1", "action": "move" }),
        )
        .await;
    assert_eq!(nobody["status"], "ok");
    let result = operator.event("agent_action_result").await;
    assert_eq!(
        (&result["action_id"], &result["error"]["code"]),
        (&nobody["action_id"], &json!("unavailable"))
    );

    let (mut own, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let (mut other, _) = Client::connect(address, json!({ "role": "producer" })).await;
    own.call("join_room", json!({ "room": "agent:a1:actions" }))
        .await;
    let asked = operator
        .call(
            "agent_action",
            json!({ "agent_id": "a1", "action": "move", "params": { "location": "pool" } }),
        )
        .await;
    // The engine numbers what it wants acknowledged: answered as a client would.
    let packet = loop {
        if let Some(at) = own.other.iter().position(|t| t.contains("agent_action")) {
            break own.other.remove(at);
        }
        let text = own.text().await.unwrap();
        own.other.push(text);
    };
    let digits = packet[2..].find('[').unwrap();
    let (id, body) = (&packet[2..2 + digits], &packet[2 + digits..]);
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body[1]["params"]["location"], "pool");
    assert_eq!(body[1]["action_id"], asked["action_id"]);
    own.send_text(&format!("43{id}[{{\"done\":true}}]")).await;
    let result = operator.event("agent_action_result").await;
    assert_eq!(
        (&result["status"], &result["result"]["done"]),
        (&json!("ok"), &json!(true))
    );
    let silent = other.so_far().await;
    assert!(
        silent.iter().all(|(name, _)| name != "agent_action"),
        "it has a room of its own"
    );

    // Nobody in the agent's room: all producers are asked, none answers.
    operator
        .call(
            "agent_action",
            json!({ "agent_id": "a2", "action": "stop" }),
        )
        .await;
    let result = operator.event("agent_action_result").await;
    assert_eq!(result["error"]["code"], "timeout");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_page_by_page() {
    let server = server().await;
    let address = server.address();
    let events: Vec<Value> = (0..25)
        .map(|n| json!({ "id": format!("e{n}"), "type": if n % 5 == 0 { "task.blocked" } else { "agent.moved" }, "data": { "agent_id": "a1" } }))
        .collect();
    post(address, &json!(events)).await;
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(address, &format!("/api/v1/events?limit=10{after}")).await;
        assert_eq!((status, &page["complete"]), (200, &json!(true)));
        ids.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| e["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(ids, (0..25).map(|n| format!("e{n}")).collect::<Vec<_>>());
    let (mut client, _) = Client::connect(address, json!({})).await;
    let page = client
        .call(
            "get_history",
            json!({ "type": "task_blocked", "agent_id": "a1" }),
        )
        .await;
    assert_eq!(page["events"].as_array().unwrap().len(), 5, "{page}");
    let page = client
        .call("get_history", json!({ "type": "agent.*", "limit": 3 }))
        .await;
    assert_eq!(page["events"][2]["id"], "e3");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_are_answered_with_the_first_cursor() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let event = json!({ "id": "same", "type": "decision.logged", "data": { "what": "once" } });
    let (_, first) = post(address, &event).await;
    post(
        address,
        &json!({ "type": "decision.logged", "data": { "what": "between" } }),
    )
    .await;
    let (status, again) = post(address, &event).await;
    assert_eq!(
        (status, &again["duplicate"], &again["cursor"]),
        (202, &json!(true), &first["cursor"])
    );
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&json!(0), &json!(1))
    );
    watcher
        .event_where("decision_event", |u| u["decision"] == "between")
        .await;
    let rest = watcher.so_far().await;
    assert_eq!(
        rest.iter()
            .filter(|(name, _)| name == "decision_event")
            .count(),
        1,
        "the first"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_the_configuration_replaces_the_tables_row() {
    let server = server_with(|c| {
        let rules = r#"
            [[rules]]
            match = "deploy.*"
            emit = "deploy_update"
            rooms = ["project:{project_id}"]
            priority = "high"
            animation = "celebrate"
            fields = { what = "{data.service}", by = "{source}" }
        "#;
        let parsed: toml::Table = rules.parse().unwrap();
        c.transform.rules = parsed["rules"].clone().try_into().unwrap();
    })
    .await;
    let address = server.address();
    let (mut inside, _) = Client::connect(address, json!({ "rooms": ["project:p1"] })).await;
    let (mut outside, _) = Client::connect(address, json!({})).await;
    post(address, &json!({ "type": "deploy_done", "source": "ci", "project_id": "p1", "data": { "service": "api" } })).await;
    let update = inside.event("deploy_update").await;
    assert_eq!(
        (&update["what"], &update["by"]),
        (&json!("api"), &json!("ci"))
    );
    assert_eq!(
        (&update["priority"], &update["animation"]),
        (&json!("high"), &json!("celebrate"))
    );
    let rest = outside.so_far().await;
    assert!(
        rest.iter()
            .all(|(name, _)| !name.contains("deploy") && name != "generic_update"),
        "{rest:?}"
    );
    server.shutdown().await;
}
