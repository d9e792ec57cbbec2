//! Points of the protocol that are easily overlooked, and that somebody's screen leans on: one test for each, over the wire.

use kit::{Client, get, post, server, until_folded};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_publishes_and_then_looks_sees_it() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(
        address,
        json!({ "role": "producer", "filters": { "types": ["none"] } }),
    )
    .await;
    for n in 0..100 {
        let agent = format!("a{n}");
        let event = json!({ "type": "agent.registered", "data": { "agent_id": agent } });
        if n % 2 == 0 {
            assert_eq!(client.call("publish", event).await["accepted"], 1);
            let state = client.call("get_state", json!({})).await;
            assert!(state["agents"][&agent].is_object(), "{n}: {state}");
        } else {
            assert_eq!(post(address, &event).await.0, 202);
            let (_, state) = get(address, "/api/v1/state").await;
            assert!(state["agents"][&agent].is_object(), "{n}: {state}");
        }
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_states_are_united_but_not_its_start_and_end() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    let state = |status: &str, step: u64| json!({ "type": "workflow.node_state.updated", "nodeState": { "node_id": "n", "status": status, "step": step } });
    let mut events: Vec<Value> = (0..10).map(|step| state("running", step)).collect();
    events.insert(
        0,
        json!({ "type": "workflow.node.started", "data": { "node_id": "n" } }),
    );
    events.push(state("completed", 10));
    post(server.address(), &json!(events)).await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(status, _)| status != "completed") {
        let update = client.event("node_update").await;
        let status = update["data"]["status"]
            .as_str()
            .expect("a status")
            .to_owned();
        seen.push((status, update["coalesced"].as_u64().unwrap_or(1)));
    }
    let running = || seen.iter().filter(|(status, _)| status == "running");
    assert_eq!(
        running().map(|(_, events)| events).sum::<u64>(),
        11,
        "{seen:?}"
    );
    assert!(running().count() < 11, "{seen:?}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_named_as_the_update_pipeline_names_it() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    let event = json!({ "type": "agent_update", "agent_id": "a", "update_type": "state_change", "data": { "mood": "calm" } });
    post(server.address(), &event).await;
    let update = client.event("agent_update").await;
    assert_eq!(
        (
            &update["update_type"],
            &update["data"]["change_type"],
            &update["data"]["mood"]
        ),
        (
            &json!("state_change"),
            &json!("state_change"),
            &json!("calm")
        )
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_tells_how_things_ended() {
    let server = server().await;
    let address = server.address();
    let about = |kind: &str, data: Value| json!({ "type": kind, "data": data });
    let ends = ["failed", "cancelled", "deleted"];
    let mut events = Vec::new();
    for end in ends {
        let (task, agent) = (format!("t-{end}"), format!("a-{end}"));
        events.push(about(
            "task.assigned",
            json!({ "task_id": task, "agent_id": agent }),
        ));
        events.push(about(
            &format!("task.{end}"),
            json!({ "task_id": task, "agent_id": agent }),
        ));
    }
    events.push(about(
        "agent.status.changed",
        json!({ "agent_id": "gone", "old_status": "idle", "new_status": "busy" }),
    ));
    events.push(about("agent.unregistered", json!({ "agent_id": "gone" })));
    events.push(about("execution.completed", json!({ "execution_id": "x" })));
    let (mut client, _) = Client::connect(address, json!({})).await;
    assert_eq!(post(address, &json!(events)).await.0, 202);
    let (_, state) = get(address, "/api/v1/state").await;
    for end in ends {
        assert_eq!(state["tasks"][format!("t-{end}")]["status"], end, "{state}");
        let agent = &state["agents"][format!("a-{end}")];
        assert_eq!(
            agent.get("task_id"),
            Some(&Value::Null),
            "it no longer works on it: {agent}"
        );
        assert_eq!(
            agent.get("status"),
            Some(&Value::Null),
            "nothing said one, and the key is there: {agent}"
        );
    }
    assert_eq!(state["agents"]["gone"]["status"], "offline");
    let done = client.event("execution_update").await;
    assert_eq!(
        done["data"]["progress_percentage"], 100,
        "though nobody counted: {done}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_until_it_goes_on() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    for (change, status) in [
        ("workflow.run.started", "running"),
        ("workflow.run.paused", "paused"),
        // News of it meanwhile does not let it go on.
        ("workflow.run.updated", "paused"),
        ("workflow.run.resumed", "running"),
        ("execution.paused", "paused"),
    ] {
        let event =
            json!({ "type": change, "data": { "execution_id": "r", "progress_percentage": 40 } });
        let (code, answer) = post(address, &event).await;
        assert_eq!(code, 202, "{answer}");
        let of_it = |update: &Value| update["source_type"] == change;
        let update = client.event_where("execution_update", of_it).await;
        let told = match change {
            // It says nothing of the status, so it changes none.
            "workflow.run.updated" => Value::Null,
            _ => json!(status),
        };
        assert_eq!(update["run_status"], told, "{change}: {update}");
        until_folded(address, &answer["cursor"]).await;
        let (_, state) = get(address, "/api/v1/state").await;
        assert_eq!(state["runs"]["r"]["status"], status, "{change}: {state}");
    }
    let auth = json!({ "snapshot": true });
    let (mut late, _) = Client::connect(address, auth).await;
    let snapshot = late.event("snapshot").await;
    assert_eq!(snapshot["runs"]["r"]["status"], "paused", "{snapshot}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_rooms_the_refused_one_is_named_and_all_spellings_count() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    client
        .emit("subscribe", json!({ "rooms": ["project:p1", "planet:*"] }))
        .await;
    let error = client.event("error").await;
    assert_eq!(
        (&error["code"], &error["room_id"]),
        (&json!("unknown_room_type"), &json!("planet:*"))
    );
    let rooms = json!({ "room_id": "project:p1", "rooms": ["task:t1", "project:p1"], "channels": ["agent:a1"] });
    let answer = client.call("subscribe", rooms).await;
    assert_eq!(
        answer["rooms"],
        json!(["project:p1", "task:t1", "agent:a1"])
    );
    for event in ["subscribe_flow", "unsubscribe_flow"] {
        client.emit(event, json!({ "flow_id": "f1" })).await;
        let confirmed = client.event("subscription_confirmed").await;
        assert_eq!(
            (&confirmed["type"], &confirmed["status"]),
            (&json!("flow"), &json!("active"))
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_is_an_error_with_a_receipt() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({ "role": "producer" })).await;
    for (event, code) in [
        (json!({ "data": {} }), "missing_type"),
        (json!({ "type": "a.b", "data": 5 }), "invalid_data"),
    ] {
        let answer = client.call("publish", event).await;
        assert_eq!(
            (&answer["status"], &answer["error"]["code"]),
            (&json!("error"), &json!(code))
        );
        assert_eq!(
            (&answer["accepted"], &answer["duplicates"]),
            (&json!(0), &json!(0)),
            "{answer}"
        );
        assert_eq!(answer["rejected"][0]["error"]["code"], code, "{answer}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_come_as_prometheus_reads_them() {
    let server = server().await;
    let url = format!("http://{}/metrics", server.address());
    let text = async |accept: &str| {
        let asked = kit::http_client().get(&url).header("accept", accept);
        let response = asked.send().await.expect("metrics");
        let kind = response.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        (kind, response.text().await.expect("text"))
    };
    let (kind, plain) = text("*/*").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    assert!(
        plain.contains("# TYPE stoa_events_total counter\n") && !plain.contains("# EOF"),
        "{plain}"
    );
    let (kind, open) = text("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(
        open.contains("# TYPE stoa_events counter\n") && open.ends_with("# EOF\n"),
        "{open}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_emitted_may_be_published_as_it_was() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    let emitted = [
        (
            "agent_status_change",
            json!({ "agent_id": "a", "old_status": "idle", "status": "active" }),
            "pulse",
        ),
        (
            "health_update",
            json!({ "severity": "critical", "message": "disk" }),
            "alert",
        ),
        (
            "node_update",
            json!({ "node_id": "n", "status": "failed" }),
            "flash",
        ),
        (
            "ingest_update",
            json!({ "job_id": "j", "progress": 4 }),
            "progress",
        ),
        (
            "message_appended",
            json!({ "run_id": "r", "message_id": "m", "content": "hi" }),
            "flow",
        ),
        (
            "execution_update",
            json!({ "execution_id": "e", "status": "running" }),
            "progress",
        ),
        (
            "project_update",
            json!({ "project_id": "p", "progress": 5 }),
            "progress",
        ),
    ];
    for (name, data, animation) in emitted {
        assert_eq!(
            post(server.address(), &json!({ "type": name, "data": data }))
                .await
                .0,
            202
        );
        let update = client.event(name).await;
        assert_eq!(
            (&update["type"], &update["animation"]),
            (&json!(name), &json!(animation)),
            "{update}"
        );
    }
    let changed =
        json!({ "type": "agent_update", "data": { "agent_id": "b", "change_type": "promoted" } });
    post(server.address(), &changed).await;
    let is_b = |update: &Value| update["agent_id"] == "b";
    let update = client.event_where("agent_update", is_b).await;
    assert_eq!(
        (&update["update_type"], &update["data"]["change_type"]),
        (&json!("promoted"), &json!("promoted"))
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_beside_the_data_says_what_an_event_is_about() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({ "rooms": ["task:t9"] })).await;
    client.call("leave_room", json!("observers")).await;
    let event = json!({ "type": "task.progress", "task_id": "t9", "agent_id": 7, "trace": "x", "data": { "progress": 60, "agent_id": "a" } });
    post(server.address(), &event).await;
    let update = client.event("progress_update").await;
    assert_eq!(
        (&update["task_id"], &update["agent_id"]),
        (&json!("t9"), &json!("a")),
        "what is in the data comes first"
    );
    assert!(
        update["data"].get("trace").is_none(),
        "only ids are taken for facts"
    );
    server.shutdown().await;
}
