//! The window of one update is no affair of another's, and what is in it is not lost.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use kit::{Client, post, server, server_with, until_folded};

/// The number of frames that an observer gets for two hundred values of one key, published at once.
async fn frames(listener: bool) -> usize {
    let server = server().await;
    let address = server.address();
    let (mut observer, _) = Client::connect(address, json!({})).await;
    let (mut page, _) = Client::connect(address, json!({ "filters": { "types": ["none"] } })).await;
    if listener {
        page.call("subscribe_conversations", json!({})).await;
    }
    let events: Vec<Value> = (0..200)
        .map(|n| json!({ "type": "task.progress", "data": { "task_id": "t", "agent_id": "a", "progress": n } }))
        .collect();
    assert_eq!(post(address, &json!(events)).await.0, 202);
    let mut frames = 0;
    loop {
        let update = observer.event("progress_update").await;
        frames += 1;
        if update["progress"] == 199 {
            break;
        }
    }
    server.shutdown().await;
    frames
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_to_senecas_lines_changes_nothing_for_others() {
    let alone = frames(false).await;
    let listened = frames(true).await;
    assert!(listened <= alone * 3, "{alone} {listened}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_goes_at_once_does_not_end_the_window_of_another() {
    let rule = |emit: &str, by: Option<&str>| stoa::config::RuleConfig {
        matches: "task.progress".into(),
        emit: emit.into(),
        coalesce_by: by.map(Into::into),
        ..Default::default()
    };
    let server = server_with(|c| {
        c.transform.rules = vec![
            rule("coalesced", Some("{data.task_id}")),
            rule("each", None),
        ];
    })
    .await;
    let address = server.address();
    let (mut observer, _) = Client::connect(address, json!({})).await;
    let events: Vec<Value> = (0..200)
        .map(|n| json!({ "type": "task.progress", "data": { "task_id": "t", "agent_id": "a", "progress": n } }))
        .collect();
    assert_eq!(post(address, &json!(events)).await.0, 202);
    let mut coalesced = 0;
    loop {
        let update = observer.event("coalesced").await;
        coalesced += 1;
        if update["data"]["progress"] == 199 {
            break;
        }
    }
    assert!(coalesced < 10, "{coalesced}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_with_windows_of_their_own_lose_nothing_and_repeat_nothing_however_often_one_leaves()
{
    const ROUNDS: u64 = 500;
    let rules = r#"
        rules = [
          { match = "task.progress", emit = "each", priority = "high" },
          { match = "task.progress", emit = "by_task", coalesce_by = "{data.task_id}", throttle_ms = 20 },
          { match = "task.progress", emit = "by_agent", coalesce_by = "{data.agent_id}", throttle_ms = 150, priority = "low", rooms = ["agent:{data.agent_id}", "observers"] },
        ]
    "#;
    let server = server_with(|c| {
        let parsed: toml::Table = rules.parse().unwrap();
        c.transform.rules = parsed["rules"].clone().try_into().unwrap();
        c.server.max_client_buffer.set(64 * 1024).unwrap();
    })
    .await;
    let address = server.address();
    let (first, hello) = Client::connect(address, json!({})).await;
    first.close().await;
    let publishing = tokio::spawn(async move {
        let auth = json!({ "role": "producer", "filters": { "types": ["none"] } });
        let (mut producer, _) = Client::connect(address, auth).await;
        for n in 0..ROUNDS {
            let events = json!([
                { "type": "task.progress", "data": { "task_id": format!("t{}", n % 5), "agent_id": format!("a{}", n % 3), "progress": n } },
                { "type": "decision.logged", "data": { "what": "x" } },
                { "type": "agent.status.changed", "data": { "agent_id": format!("a{}", n % 3), "old_status": "x", "new_status": "y" } },
            ]);
            assert_eq!(producer.call("publish", events).await["accepted"], 3);
        }
    });
    let mut counts = BTreeMap::<String, u64>::new();
    let mut cursor = hello["cursor"].clone();
    let (mut visits, mut stay) = (0_u64, 1);
    let names = [
        "each",
        "by_task",
        "by_agent",
        "decision_event",
        "agent_status_change",
        "agent_update",
    ];
    while names
        .iter()
        .any(|name| counts.get(*name).copied().unwrap_or(0) < ROUNDS)
    {
        let auth = json!({ "cursor": cursor, "batch": visits % 3 == 2, "rooms": ["agent:a0"] });
        let (mut client, _) = Client::connect(address, auth).await;
        if visits % 4 == 1 {
            client.emit("subscribe_conversations", json!({})).await;
        }
        visits += 1;
        stay = stay * 7 % 61;
        for _ in 0..=stay {
            let Ok(Some((name, update))) =
                tokio::time::timeout(Duration::from_secs(1), client.next()).await
            else {
                break;
            };
            let all = match name.as_str() {
                "batch" => update["updates"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|u| {
                        (
                            u["event"].as_str().unwrap().to_owned(),
                            u["payload"].clone(),
                        )
                    })
                    .collect(),
                _ => vec![(name, update.clone())],
            };
            for (name, update) in all {
                *counts.entry(name).or_default() += update["coalesced"].as_u64().unwrap_or(1);
            }
            if update["cursor"].is_string() {
                cursor = update["cursor"].clone();
            }
        }
        assert!(visits < 3_000, "{counts:?}");
        drop(client);
    }
    publishing.await.unwrap();
    counts.retain(|name, _| names.contains(&name.as_str()));
    assert!(
        counts.values().all(|count| *count == ROUNDS),
        "{visits} {counts:?}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_misses_nothing_is_live_at_once_however_much_windows_hold() {
    // More than a cursor can name, and it stays so.
    const HELD: u64 = 3_000;
    let server = server_with(|c| c.transform.throttle_ms.set(3_600_000).unwrap()).await;
    let address = server.address();
    let mut last = Value::Null;
    for from in (0..HELD).step_by(50) {
        let progress = |n: u64, value: u64| json!({ "type": "task.progress", "data": { "task_id": format!("t{n}"), "progress": value } });
        let decision = json!({ "type": "decision.logged", "data": { "what": "x" } });
        let events: Vec<Value> = (from..from + 50)
            .flat_map(|n| [progress(n, 1), progress(n, 2), decision.clone()])
            .collect();
        last = post(address, &json!(events)).await.1["cursor"].clone();
    }
    until_folded(address, &last).await;
    let (mut client, _) = Client::connect(address, json!({ "cursor": last })).await;
    let resumed = client.event("resumed").await;
    assert_eq!(resumed["complete"], true);
    post(
        address,
        &json!({ "type": "decision.logged", "data": { "what": "y" } }),
    )
    .await;
    assert_eq!(client.event("decision_event").await["decision"], "y");
    // Nor does it take longer to get what was missed.
    let (mut late, _) = Client::connect(address, json!({ "cursor": last })).await;
    let missed = late.event("decision_event").await;
    assert_eq!(missed["decision"], "y");
    assert_eq!(late.event("resumed").await["complete"], true);
    // The place in it can be gone on from, though it can't name all that is held.
    let (mut again, _) = Client::connect(address, json!({ "cursor": missed["cursor"] })).await;
    assert_eq!(again.event("resumed").await["complete"], true);
    server.shutdown().await;
}
