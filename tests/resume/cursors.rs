//! With a cursor one gets what was missed, by one's rooms and filters; where that is gone, the state.

use serde_json::{Value, json};

use super::{decide, numbers};
use kit::{Client, post, server, server_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_brings_what_was_missed_and_then_the_present() {
    let server = server().await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    assert!(hello["cursor"].is_string());
    decide(address, 0..10).await;
    let (seen, cursor) = numbers(&mut client, 10).await;
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    client.close().await;
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    decide(address, 10..300).await;
    numbers(&mut watcher, 290).await;
    let (mut client, hello) = Client::connect(address, json!({ "cursor": cursor })).await;
    assert_eq!(
        hello["cursor"], cursor,
        "until it has caught up it must begin again there"
    );
    let (seen, last) = numbers(&mut client, 290).await;
    assert_eq!(seen, (10..300).collect::<Vec<_>>());
    let resumed = client.event("resumed").await;
    assert_eq!(
        (
            &resumed["from"],
            &resumed["to"],
            &resumed["replayed"],
            &resumed["complete"]
        ),
        (&json!(cursor), &json!(last), &json!(290), &json!(true))
    );
    decide(address, 300..305).await;
    assert_eq!(
        numbers(&mut client, 5).await.0,
        (300..305).collect::<Vec<_>>()
    );
    assert!(
        client
            .so_far()
            .await
            .iter()
            .all(|(name, _)| name != "snapshot")
    );

    // The same by event, from further back, with its answer.
    let answer = client.call("resume", json!({ "cursor": cursor })).await;
    assert_eq!(
        (&answer["status"], &answer["replayed"], &answer["complete"]),
        (&json!("ok"), &json!(295), &json!(true))
    );
    assert_eq!(
        numbers(&mut client, 295).await.0,
        (10..305).collect::<Vec<_>>()
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_filters_hold_for_what_was_missed() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, hello) = Client::connect(address, json!({})).await;
    let assigned = |n: u64, project: &str| json!({ "type": "task.assigned", "project_id": project, "data": { "agent_id": "a", "task_id": format!("t{n}"), "n": n } });
    let events: Vec<Value> = (0..40)
        .map(|n| assigned(n, if n % 4 == 0 { "p" } else { "q" }))
        .collect();
    post(address, &json!(events)).await;
    // Only what was sent to somebody can have been missed.
    for _ in 0..40 {
        watcher.event("task_assignment").await;
    }
    let auth = json!({ "cursor": hello["cursor"], "filters": { "projects": ["p"], "types": ["task_*"] }, "batch": true });
    let (mut client, _) = Client::connect(address, auth).await;
    let resumed = client.event("resumed").await;
    assert_eq!(resumed["replayed"], 10);
    let batch = client.event("batch").await;
    let updates = batch["updates"].as_array().expect("updates");
    let seen: Vec<u64> = updates
        .iter()
        .map(|u| u["payload"]["data"]["n"].as_u64().unwrap())
        .collect();
    assert_eq!(seen, (0..40).step_by(4).collect::<Vec<_>>());
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_with_the_same_filter_at_the_same_place_get_the_same() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, hello) = Client::connect(address, json!({})).await;
    let events: Vec<Value> = (0..20)
        .map(|n| json!({ "type": "agent.status.changed", "data": { "agent_id": format!("a{n}"), "old_status": "idle", "new_status": "active" } }))
        .collect();
    post(address, &json!(events)).await;
    // Only what was sent to somebody can have been missed.
    for name in ["agent_status_change", "agent_update"] {
        for _ in 0..20 {
            watcher.event(name).await;
        }
    }
    for types in ["agent_status_change", "agent_update"] {
        let auth = json!({ "cursor": hello["cursor"], "filters": { "types": [types] } });
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Client::connect(address, auth.clone()).await.0);
        }
        for client in &mut clients {
            let resumed = client.event("resumed").await;
            assert_eq!(resumed["replayed"], 20);
            let names: Vec<String> = client
                .so_far()
                .await
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            assert_eq!(
                names.iter().filter(|name| *name == types).count(),
                20,
                "{names:?}"
            );
        }
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_does_not_reach_back_brings_the_state() {
    let server = server_with(|c| c.journal.max_events.set(50).unwrap()).await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    decide(address, 0..200).await;
    numbers(&mut client, 200).await;
    let live = decide(address, 200..201).await;
    numbers(&mut client, 1).await;
    let foreign = format!("zzzzzz.{}", live.split('.').nth(1).expect("a place"));
    for cursor in [hello["cursor"].as_str().unwrap(), &foreign, "no cursor", ""] {
        let (mut late, _) = Client::connect(address, json!({ "cursor": cursor })).await;
        if cursor.is_empty() {
            continue;
        }
        let resumed = late.event("resumed").await;
        assert_eq!(
            (&resumed["complete"], &resumed["replayed"]),
            (&json!(false), &json!(0)),
            "{cursor}"
        );
        let snapshot = late.event("snapshot").await;
        assert_eq!(snapshot["counts"]["decisions"], 201);
        assert_eq!(snapshot["cursor"], resumed["to"]);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_at_the_end_of_all_numbers_is_refused_like_any_other() {
    let server = server().await;
    let address = server.address();
    for cursor in [
        "1.3w5e11264sgsf.AgEBAQ",
        "1.3w5e11264sgsf..AAAAAP__________AQEBAQ",
    ] {
        let (mut client, _) = Client::connect(address, json!({ "cursor": cursor })).await;
        let resumed = client.event("resumed").await;
        assert_eq!(resumed["complete"], false);
    }
    server.shutdown().await;
}
