//! Other requests of clients: batches, actions, history, duplicates, rules of their own.

use kit::{Client, get, post, server, server_with};
use serde_json::{Value, json};

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
    assert_eq!(nobody["error"]["code"], "unavailable");
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

    // Nobody in the agent's room: nobody is told, and the operator is, at once.
    let nobody = operator
        .call(
            "agent_action",
            json!({ "agent_id": "a2", "action": "stop" }),
        )
        .await;
    assert_eq!(nobody["error"]["code"], "unavailable");
    let silent = other.so_far().await;
    assert!(silent.iter().all(|(name, _)| name != "agent_action"));
    server.shutdown().await;
}

/// The ids of all events, ten at a time; `on` is what the place of the next page is called.
async fn pages(address: std::net::SocketAddr, query: &str, on: &str) -> Vec<String> {
    let (mut ids, mut from) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(address, &format!("/api/v1/events?limit=10&{query}{from}")).await;
        assert_eq!((status, &page["complete"]), (200, &json!(true)));
        let events = page["events"].as_array().unwrap().iter();
        ids.extend(events.map(|e| e["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => from = format!("&{on}={next}"),
            None => return ids,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_page_by_page() {
    let server = server().await;
    let address = server.address();
    let events: Vec<Value> = (0..25)
        .map(|n| json!({ "id": format!("e{n}"), "type": if n % 5 == 0 { "task.blocked" } else { "agent.moved" }, "data": { "agent_id": "a1" } }))
        .collect();
    post(address, &json!(events)).await;
    let all: Vec<String> = (0..25).map(|n| format!("e{n}")).collect();
    assert_eq!(pages(address, "order=asc", "after").await, all);
    let newest_first: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(pages(address, "order=desc", "before").await, newest_first);
    let empty = "before=&type=&agent_id=";
    assert_eq!(
        pages(address, empty, "after").await.len(),
        25,
        "nothing is asked for"
    );
    let (status, answer) = get(address, "/api/v1/events?order=up").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("bad_request"))
    );
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
    let last = json!({ "type": "agent.*", "limit": 2, "order": "desc" });
    let page = client.call("get_history", last).await;
    assert_eq!(page["events"][1]["id"], "e23");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_read_back_to_its_beginning() {
    let server = server().await;
    let address = server.address();
    let first = json!({ "id": "first", "type": "custom.first" });
    post(address, &first).await;
    let others = vec![json!({ "type": "custom.other" }); 750];
    for _ in 0..3 {
        assert_eq!(post(address, &json!(others)).await.0, 202);
    }
    let (_, page) = get(address, "/api/v1/events?order=desc&type=custom.first").await;
    assert_eq!(
        (&page["events"][0]["id"], &page["next"]),
        (&json!("first"), &Value::Null)
    );
    let (_, page) = get(address, "/api/v1/events?order=desc&limit=1000").await;
    let before = page["next"].as_str().expect("there is more");
    let rest = format!("/api/v1/events?order=desc&limit=1000&before={before}");
    let (_, rest) = get(address, &rest).await;
    let ids = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().expect("events").iter();
        events.map(|event| event["id"].to_string()).collect()
    };
    let together: std::collections::HashSet<String> =
        ids(&page).into_iter().chain(ids(&rest)).collect();
    assert_eq!(
        together.len(),
        2_000,
        "no event twice, none left out between the two"
    );
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
