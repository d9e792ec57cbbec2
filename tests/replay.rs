//! Both real streams are published as they are, and every event is accounted for: delivered, coalesced into a named later
//! one, or refused with a code.

use std::collections::{HashMap, HashSet};

use kit::{Client, post_raw, server};
use serde_json::{Value, json};

const FILES: [&str; 2] = [
    "tests/data/marcus-events.jsonl",
    "tests/data/marcus-conversations.jsonl",
];

/// The updates that are coalesced together: those of the same event type and of the entity that their row of the table
/// names.
fn family(update: &Value) -> String {
    let data = &update["data"];
    // Not the project: an update says it also where its event doesn't.
    let entity = ["task_id", "agent_id", "worker_id"]
        .iter()
        .find_map(|key| data[key].as_str().or(update[key].as_str()))
        .unwrap_or("-");
    format!("{}/{entity}", update["source_type"].as_str().unwrap_or("-"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_both_files_is_accounted_for() {
    for file in FILES {
        let text = std::fs::read_to_string(file).expect(file);
        let lines: Vec<Value> = text
            .lines()
            .enumerate()
            .map(|(n, line)| {
                let mut event: Value = serde_json::from_str(line).expect("JSON");
                // Conversation lines have no id of their own; given one, each can be followed.
                if event.get("event_id").is_none() {
                    event["id"] = json!(format!("line-{n}"));
                }
                event
            })
            .collect();
        let server = server().await;
        let address = server.address();
        let (mut watcher, _) = Client::connect(address, json!({})).await;
        watcher.call("subscribe_conversations", json!({})).await;
        let body: String = lines.iter().map(|l| format!("{l}\n")).collect();
        let (status, answer) = post_raw(address, "application/x-ndjson", body).await;
        assert_eq!(status, 202);
        assert_eq!(answer["rejected"], json!([]), "{file}: every line is taken");
        assert_eq!(answer["accepted"].as_u64(), Some(lines.len() as u64));

        // Done when an update carries the cursor of the answer: it names all that was sent.
        let mut updates: Vec<(String, Value)> = Vec::new();
        loop {
            let (name, update) = watcher.next().await.expect("the connection holds");
            let done = update["cursor"] == answer["cursor"] && update["id"].as_str().is_some();
            updates.push((name, update));
            if done {
                break;
            }
        }
        account(file, &lines, &updates);
        server.shutdown().await;
    }
}

fn account(file: &str, lines: &[Value], updates: &[(String, Value)]) {
    let aggregate = [
        "conversation_summary",
        "system_metrics",
        "active_flows_update",
        "dashboard_update",
        "flow_update",
    ];
    let log = [
        "conversation_event",
        "assignment_event",
        "blocker_event",
        "worker_registration",
    ];
    let of_events: Vec<&(String, Value)> = updates
        .iter()
        .filter(|(name, u)| {
            u["source_type"].is_string()
                && !aggregate.contains(&name.as_str())
                && !log.contains(&name.as_str())
        })
        .collect();
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    for (name, update) in &of_events {
        let id = update["id"].as_str().expect("id");
        assert!(
            told.insert((name.as_str(), id)),
            "{file}: {name} {id} came twice"
        );
    }
    let delivered: HashSet<&str> = of_events
        .iter()
        .filter_map(|(_, u)| u["id"].as_str())
        .collect();
    // The families in which something was coalesced, and the last event that each such update names.
    let mut coalesced: HashMap<String, u64> = HashMap::new();
    for (_, update) in &of_events {
        *coalesced.entry(family(update)).or_default() += update["coalesced"].as_u64().unwrap_or(1);
    }
    let mut missing = 0;
    for line in lines {
        let id = line["event_id"]
            .as_str()
            .or(line["id"].as_str())
            .expect("id");
        if delivered.contains(id) {
            continue;
        }
        missing += 1;
        let as_update = json!({
            "source_type": line["event_type"].as_str().filter(|_| line.get("event").is_none()).or(line["type"].as_str()).or(line["event"].as_str()),
            "data": line.get("data").filter(|d| d.is_object() && line.get("event_type").is_some() && line.get("event").is_none()).unwrap_or(line),
        });
        let family = family(&as_update);
        assert!(
            coalesced.get(&family).is_some_and(|n| *n > 1),
            "{file}: {id} ({family}) is nowhere"
        );
    }
    let extra: u64 = {
        let mut per_event: HashMap<&str, u64> = HashMap::new();
        for (_, update) in &of_events {
            let id = update["id"].as_str().unwrap_or_default();
            let n = update["coalesced"].as_u64().unwrap_or(1) - 1;
            let most = per_event.entry(id).or_default();
            *most = n.max(*most);
        }
        per_event.values().sum()
    };
    assert_eq!(
        extra, missing,
        "{file}: each event not delivered is counted in a later one"
    );
    if file.contains("conversations") {
        let lines_told = updates
            .iter()
            .filter(|(name, _)| name == "conversation_event")
            .count();
        assert_eq!(lines_told, lines.len(), "the log shows every line");
    }
}
