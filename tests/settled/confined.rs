//! The limits of a producer whose token names projects.

use serde_json::{Value, json};

use super::{history, post, producer_of};
use kit::{
    Client,
    guarded::{admin, guarded, observer, publish, request},
};

#[tokio::test(flavor = "multi_thread")]
async fn each_event_names_one_of_the_tokens_projects_and_no_other_one() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(
        address,
        &json!([
            { "type": "project.created", "project_id": "p2", "data": { "project_name": "Apollo" } },
            { "type": "agent.registered", "project_id": "p2", "data": { "agent_id": "theirs" } },
            { "type": "agent.registered", "data": { "agent_id": "shared" } },
            { "type": "task.created", "project_id": "p2", "data": { "task_id": "t2" } },
        ]),
    )
    .await;
    let narrow = producer_of("mallory", &["p1"]);
    for event in [
        // By another name.
        json!({ "type": "project.completed", "data": { "project_state": { "board_id": "p2" } } }),
        json!({ "type": "project.completed", "project_id": "p1", "data": { "project_state": { "board_id": "p2" } } }),
        json!({ "type": "project.updated", "data": { "project_name": "Apollo", "status": "cancelled by mallory" } }),
        json!({ "type": "project.updated", "data": { "projectId": "p2", "status": "cancelled" } }),
        json!({ "type": "task.updated", "project_id": "p1", "data": { "task": { "id": "t2", "project_id": "p2" } } }),
        // By none.
        json!({ "type": "agent.unregistered", "data": { "agent_id": "theirs" } }),
        json!({ "type": "agent.unregistered", "data": { "agent_id": "shared" } }),
        json!({ "type": "task.updated", "data": { "task_id": "t2" } }),
        json!({ "type": "system.health.changed", "data": { "severity": "critical" } }),
        json!({ "type": "user.notified", "data": { "user_id": "bob", "message": "your password expired" } }),
        json!({ "type": "team.notice" }),
    ] {
        let (status, answer) = post(address, &narrow, &event).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("forbidden")),
            "{event}: {answer}"
        );
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("project"), "it says what to do: {message}");
    }
    // In a list each stands for itself.
    let mixed = json!([
        { "type": "task.created", "project_id": "p1", "data": { "task_id": "a" } },
        { "type": "task.created", "project_id": "p2", "data": { "task_id": "b" } },
        { "nothing": 1 },
    ]);
    let (status, answer) = post(address, &narrow, &mixed).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    let indices: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["index"].clone())
        .collect();
    assert_eq!(indices, [1, 2]);
    let (_, state) = request("GET", address, "/api/v1/state", &admin(), None).await;
    assert_eq!(state["projects"]["p2"]["status"], "active", "{state}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_says_is_only_for_who_sees_the_project() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let narrow = producer_of("mallory", &["p1"]);
    let bobs_token = observer("bob", &["p2"]);
    let both_token = observer("bob", &["p1", "p2"]);
    let (mut bob, _) = Client::connect(address, json!({ "token": bobs_token })).await;
    let (mut both, _) = Client::connect(address, json!({ "token": both_token })).await;
    let said = json!([
        { "type": "user.notified", "project_id": "p1", "source": "bobsvc", "data": { "user_id": "bob", "message": "mallory was here" } },
        { "type": "agent.unregistered", "project_id": "p1", "data": { "agent_id": "theirs", "note": "mallory was here" } },
        { "type": "system.health.changed", "project_id": "p1", "data": { "severity": "critical", "message": "mallory was here" } },
        { "type": "agent.run.started", "project_id": "p1", "data": { "run_id": "r", "owner_id": "bob", "note": "mallory was here" } },
        { "type": "task.updated", "project_id": "p1", "data": { "task_id": "t", "note": "mallory was here" } },
    ]);
    let (status, answer) = post(address, &narrow, &said).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(5)), "{answer}");
    publish(
        address,
        &json!({ "type": "task.created", "project_id": "p2", "data": { "task_id": "last" } }),
    )
    .await;
    for client in [&mut bob, &mut both] {
        client
            .event_where("task_update", |u| u["data"]["task_id"] == "last")
            .await;
    }
    let heard = |client: &Client| format!("{:?}", client.events).contains("mallory was here");
    assert!(!heard(&bob), "{:?}", bob.events);
    assert!(heard(&both));
    assert_eq!(history(address, &bobs_token, "").await.len(), 1);
    assert_eq!(history(address, &both_token, "").await.len(), 6);
    let (_, state) = request("GET", address, "/api/v1/state", &bobs_token, None).await;
    assert!(!state.to_string().contains("mallory"), "{state}");
    // In the history its verified name stands beside what it calls itself.
    let all = history(address, &admin(), "&type=user.notified").await;
    assert_eq!(
        (&all[0]["producer"], &all[0]["source"]),
        (&json!("user:mallory"), &json!("bobsvc"))
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn naming_anothers_task_hides_nothing_from_its_project() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let task = |project: Option<&str>, note: &str| json!({ "type": "task.updated", "project_id": project, "data": { "task_id": "t", "note": note } });
    publish(address, &task(Some("p2"), "first")).await;
    let narrow = producer_of("mallory", &["p1"]);
    assert_eq!(
        post(address, &narrow, &task(Some("p1"), "mine")).await.0,
        202
    );
    publish(address, &task(None, "second")).await;
    let notes = async |token: &str| -> Vec<Value> {
        let events = history(address, token, "").await;
        events.iter().map(|e| e["data"]["note"].clone()).collect()
    };
    assert_eq!(notes(&observer("bob", &["p2"])).await, ["first", "second"]);
    assert_eq!(notes(&observer("mallory", &["p1"])).await, ["mine"]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_that_it_reports_is_its_projects_and_not_everybodys() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let health = |severity: &str, project: Option<&str>| {
        json!({ "type": "system.health.changed", "project_id": project,
                "data": { "severity": severity, "message": format!("{severity} by {}", project.unwrap_or("all")) } })
    };
    publish(address, &health("warning", None)).await;
    let (ann, bob) = (observer("ann", &["p1"]), observer("bob", &["p2"]));
    let (mut watching, _) = Client::connect(address, json!({ "token": bob })).await;
    let narrow = producer_of("mallory", &["p1"]);
    assert_eq!(
        post(address, &narrow, &health("critical", Some("p1")))
            .await
            .0,
        202
    );
    // A project's whole state, too, has a health in it, and so has the system's.
    for other in [
        json!({ "type": "project.state.refreshed", "project_id": "p1", "data": { "project_state": { "risk_level": "critical" } } }),
        json!({ "type": "system.state", "project_id": "p1", "data": { "active_workers": 99 } }),
    ] {
        assert_eq!(post(address, &narrow, &other).await.0, 202);
    }
    publish(
        address,
        &json!({ "type": "task.created", "project_id": "p2", "data": { "task_id": "last" } }),
    )
    .await;
    watching
        .event_where("task_update", |u| u["data"]["task_id"] == "last")
        .await;
    assert!(
        !watching.names().contains(&"health_update"),
        "{:?}",
        watching.events
    );

    let state = async |token: &str, query: &str| {
        let path = format!("/api/v1/state{query}");
        request("GET", address, &path, token, None).await.1["health"].take()
    };
    for (token, sees) in [(&admin(), true), (&ann, true), (&bob, false)] {
        let all = state(token, "").await;
        assert_eq!(all["severity"], "warning", "everybody's: {all}");
        assert_eq!(all["active_workers"], Value::Null, "{all}");
        assert_eq!(all["risk_level"], Value::Null, "{all}");
        let theirs = &all["projects"]["p1"];
        assert_eq!(theirs["severity"] == "critical", sees, "{all}");
        assert_eq!(theirs["active_workers"] == 99, sees, "{all}");
        let auth = json!({ "token": token, "snapshot": true });
        let (mut client, _) = Client::connect(address, auth).await;
        assert_eq!(client.event("snapshot").await["health"], all);
        let one = state(token, "?project_id=p1").await;
        assert_eq!(one["severity"] == "critical", sees, "{one}");
        assert!(sees || !one.to_string().contains("critical"), "{one}");
    }
    // Nor does Seneca's Health tab take it for the health of all.
    let (status, shown) = request("GET", address, "/api/health/current", &admin(), None).await;
    assert_eq!(
        (status, &shown["overall_health"]),
        (200, &json!("yellow")),
        "{shown}"
    );
    server.shutdown().await;
}
