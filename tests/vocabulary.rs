//! Tools of agents, and work that passes between them, over the wire: who gets the updates, the state and the history.

use kit::{
    Client, counted_in, get,
    guarded::{guarded, observer, publish, request},
    post, server_with, until_folded,
};
use serde_json::{Value, json};

/// An event of a tool's call.
fn call(kind: &str, project: &str, id: &str, more: &Value) -> Value {
    let mut data =
        json!({ "tool_call_id": id, "tool_name": "search", "agent_id": "ada", "task_id": "t1" });
    for (key, value) in more.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({ "type": kind, "project_id": project, "data": data })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_to_those_who_follow_its_agent_and_stays_in_its_project() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mine, theirs) = (observer("ann", &["mine"]), observer("bob", &["theirs"]));
    let (mut ann, _) = Client::connect(address, json!({ "token": mine })).await;
    let (mut bob, _) = Client::connect(address, json!({ "token": theirs })).await;
    // Ann follows nothing but the agent.
    ann.call("leave_room", json!({ "room": "observers" })).await;
    let joined = ann.call("join_room", json!({ "room": "agent:ada" })).await;
    assert_eq!(joined["status"], "ok", "{joined}");

    let secret = json!({ "args": { "query": "the secret plan" } });
    publish(
        address,
        &call("tool.started", "mine", "call-of-mine", &secret),
    )
    .await;
    let handoff = json!({ "type": "agent.handoff", "project_id": "mine",
        "data": { "from_agent_id": "ada", "to_agent_id": "eve", "reason": "the secret plan" } });
    publish(address, &handoff).await;
    publish(address, &call("tool.started", "theirs", "c2", &json!({}))).await;

    let update = ann.event("tool_update").await;
    assert_eq!(
        (
            &update["tool_name"],
            &update["status"],
            &update["hint"]["motion"]
        ),
        (&json!("search"), &json!("running"), &json!("reach"))
    );
    let passed = ann.event("agent_handoff").await;
    assert_eq!(
        (
            &passed["hint"]["from"],
            &passed["hint"]["to"],
            &passed["hint"]["motion"]
        ),
        (&json!("ada"), &json!("eve"), &json!("pass"))
    );
    // Bob's own comes after the others, and he got none of those.
    let own = bob.event("tool_update").await;
    assert_eq!(own["tool_call_id"], "c2", "{own}");
    assert!(!format!("{:?}", bob.so_far().await).contains("secret"));
    for (token, path) in [
        (&theirs, "/api/v1/state"),
        (&theirs, "/api/v1/events?limit=100"),
    ] {
        let (status, answer) = request("GET", address, path, token, None).await;
        let text = answer.to_string();
        assert!(
            status == 200 && !text.contains("secret") && !text.contains("call-of-mine"),
            "{path}: {text}"
        );
    }
    let (_, history) = request("GET", address, "/api/v1/events?type=tool.*", &mine, None).await;
    assert_eq!(
        history["events"][0]["data"]["args"]["query"], "the secret plan",
        "{history}"
    );
    let (_, state) = request("GET", address, "/api/v1/state", &mine, None).await;
    assert!(
        state["agents"].to_string().contains("\"tool\":\"search\""),
        "{state}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_of_calls_is_coalesced_and_open_calls_are_bounded_and_counted() {
    let server = server_with(|config| config.performance.max_tool_calls.set(2).unwrap()).await;
    let address = server.address();
    let (mut client, _) =
        Client::connect(address, json!({ "filters": { "types": ["tool_update"] } })).await;
    let mut events = vec![call("tool.started", "p", "c1", &json!({}))];
    events.extend((0..50).map(|n| call("tool.progress", "p", "c1", &json!({ "n": n }))));
    events.extend(["c2", "c3"].map(|id| call("tool.started", "p", id, &json!({}))));
    let (status, answer) = post(address, &Value::Array(events)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(53)), "{answer}");
    until_folded(address, &answer["cursor"]).await;
    let (_, state) = get(address, "/api/v1/state").await;
    let calls = state["agents"]["ada"]["tool_calls"].as_array().unwrap();
    let ids: Vec<_> = calls.iter().map(|call| &call["tool_call_id"]).collect();
    assert_eq!(ids, ["c2", "c3"]);
    let forgotten = counted_in(&server, "stoa_state_facts_dropped_total{reason=\"calls\"}");
    assert_eq!(forgotten, 1);

    // Its last word arrives, and with it all that was said before.
    let last = client
        .event_where("tool_update", |update| update["data"]["n"] == 49)
        .await;
    assert!(last["coalesced"].as_u64().unwrap() > 10, "{last}");
    assert_eq!(
        (&last["status"], &last["animation"]),
        (&json!("running"), &json!("none"))
    );
    let failed = call("tool.failed", "p", "c3", &json!({ "error": "No network" }));
    assert_eq!(post(address, &failed).await.0, 202);
    let failed = client
        .event_where("tool_update", |update| update["status"] == "failed")
        .await;
    assert_eq!(
        (&failed["priority"], &failed["animation"], &failed["error"]),
        (&json!("high"), &json!("flash"), &json!("No network"))
    );
    server.shutdown().await;
}
