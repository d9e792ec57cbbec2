//! A snapshot that is too large for one message.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::decide;
use kit::{Client, counted, get, post, server_with};

/// Bytes of a message that clients and proxies take without being told to.
const MESSAGE: usize = 600 * 1_024;

/// So many tasks of about a kilobyte each.
async fn fill(address: std::net::SocketAddr, tasks: usize) {
    fill_with(address, tasks, 900).await;
}

/// The same with texts of this length.
async fn fill_with(address: std::net::SocketAddr, tasks: usize, text: usize) {
    let text = "x".repeat(text);
    for first in (0..tasks).step_by(100) {
        let events: Vec<Value> = (first..first + 100)
            .map(|n| {
                json!({ "type": "task.created", "project_id": format!("p{}", n % 2),
                        "data": { "task_id": format!("t{n}"), "text": text, "n": n } })
            })
            .collect();
        let (status, answer) = post(address, &json!(events)).await;
        assert_eq!(status, 202, "{answer}");
    }
}

/// All parts of a snapshot as one.
async fn joined(client: &mut Client) -> Value {
    let mut whole = Map::new();
    let (mut next, mut parts) = (1, u64::MAX);
    while next <= parts {
        let part = client.event("snapshot").await;
        assert!(part.to_string().len() < MESSAGE, "a part is too long");
        assert_eq!(part["part"], next, "in order");
        parts = part["parts"].as_u64().expect("their number");
        assert!(parts > 1);
        assert_eq!(part["cursor"].is_string(), next == parts, "on the last one");
        for (key, value) in part.as_object().expect("an object") {
            let known = whole.entry(key.clone()).or_insert_with(|| value.clone());
            match (known, value) {
                (Value::Object(known), Value::Object(more)) => known.extend(more.clone()),
                (known, more) => *known = more.clone(),
            }
        }
        next += 1;
    }
    Value::Object(whole)
}

fn same(state: &Value, other: &Value) {
    for key in ["projects", "agents", "tasks", "runs", "health"] {
        assert!(state[key] == other[key], "{key} differs");
    }
    assert_eq!(state["counts"]["tasks"], other["counts"]["tasks"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_snapshot_comes_in_parts_and_what_follows_follows() {
    let server = server_with(|c| c.journal.max_events.set(5_000).unwrap()).await;
    let address = server.address();
    let old = decide(address, 0..1).await;
    fill(address, 3_000).await;
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(state["counts"]["tasks"], 3_000);

    let (mut late, _) = Client::connect(address, json!({ "snapshot": true })).await;
    // While it is given the parts the stream goes on.
    let publishing = tokio::spawn(async move {
        for n in 0..50 {
            let moved = json!({ "type": "task.progress", "project_id": "p0", "data": { "task_id": "t0", "progress": n } });
            post(address, &moved).await;
        }
        decide(address, 1..2).await
    });
    let mut known = joined(&mut late).await;
    let last = publishing.await.expect("published");
    let mut decisions = 0;
    // The updates of different things may overtake each other.
    while decisions == 0 || known["tasks"]["t0"]["progress"] != 49 {
        let (name, update) = late.next().await.expect("the connection holds");
        match name.as_str() {
            "progress_update" => {
                let task = update["task_id"].as_str().expect("a task");
                known["tasks"][task]["progress"] = update["progress"].clone();
            }
            "decision_event" => {
                assert_eq!(update["data"]["n"], 1, "nothing of before the snapshot");
                decisions += 1;
            }
            "system_notification" => panic!("it was neither parked nor behind: {update}"),
            _ => {}
        }
    }
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(state["cursor"], last.as_str());
    assert_eq!(
        known["tasks"]["t0"]["progress"],
        state["tasks"]["t0"]["progress"]
    );
    assert_eq!(state["tasks"]["t0"]["progress"], 49);

    // The same for one whose cursor the journal no longer reaches.
    fill(address, 3_000).await;
    let (_, state) = get(address, "/api/v1/state").await;
    // A snapshot serves those who come within a second: they catch up from its cursor. So the first ones are given an older one.
    let mut away = loop {
        let (mut away, _) = Client::connect(address, json!({ "cursor": old })).await;
        assert_eq!(away.event("resumed").await["complete"], false);
        let snapshot = joined(&mut away).await;
        if snapshot["cursor"] == state["cursor"] {
            same(&snapshot, &state);
            break away;
        }
    };
    let (_, one) = get(address, "/api/v1/state?project_id=p1").await;

    // An answer is no longer than a part: of a larger state it says that parts follow.
    let answer = away.call("get_state", json!({ "project_id": "p1" })).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    assert!(
        answer["parts"].as_u64() > Some(1) && answer["tasks"].is_null(),
        "{answer}"
    );
    assert_eq!(answer["counts"]["tasks"], 1_500);
    same(&joined(&mut away).await, &one);
    // And it is live again.
    decide(address, 2..3).await;
    assert_eq!(away.event("decision_event").await["data"]["n"], 2);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_their_snapshots_cost_no_copies() {
    let server = server_with(|c| {
        c.server.ping_interval.set(600.0).unwrap();
        c.server.stall_timeout.set(600.0).unwrap();
    })
    .await;
    let address = server.address();
    fill(address, 2_000).await;
    // Nobody reads, and all of them get it when they do, as it was when they came or later.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(
            Client::connect(address, json!({ "snapshot": true }))
                .await
                .0,
        );
    }
    // Meanwhile the stream goes on for the others.
    let (mut good, _) = Client::connect(address, json!({})).await;
    decide(address, 0..1).await;
    assert_eq!(good.event("decision_event").await["data"]["n"], 0);
    let mut counts = BTreeMap::new();
    for client in &mut clients {
        let state = joined(client).await;
        *counts
            .entry(state["tasks"].as_object().expect("tasks").len())
            .or_insert(0) += 1;
        let heard = client.event("decision_event").await;
        assert_eq!(heard["data"]["n"], 0);
    }
    assert_eq!(counts, BTreeMap::from([(2_000, 20)]));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_its_snapshot_slowly_gets_all_of_it() {
    let server = server_with(|c| {
        c.server.ping_interval.set(600.0).unwrap();
        c.server.stall_timeout.set(600.0).unwrap();
        // Small parts, of which the network holds only some.
        c.server.max_client_buffer.set(128 * 1_024).unwrap();
    })
    .await;
    let address = server.address();
    fill_with(address, 1_600, 7_500).await;
    let (mut slow, _) = Client::connect(address, json!({ "snapshot": true })).await;
    // Longer than a snapshot serves those who come: from then on it is this client's alone.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let state = joined(&mut slow).await;
    assert_eq!(state["tasks"].as_object().expect("tasks").len(), 1_600);
    decide(address, 0..1).await;
    assert_eq!(slow.event("decision_event").await["data"]["n"], 0);
    server.shutdown().await;
}

/// Small parts, of which the network holds only some; a state of this many bytes at the most.
async fn slow_server(max_state_bytes: usize) -> stoa::server::Running {
    server_with(|c| {
        c.server.ping_interval.set(600.0).unwrap();
        c.server.stall_timeout.set(600.0).unwrap();
        c.server.max_client_buffer.set(128 * 1_024).unwrap();
        c.performance
            .max_state_bytes
            .set(max_state_bytes as u64)
            .unwrap();
    })
    .await
}

/// Changes every task: what the state held of it before is replaced.
async fn change_all(address: std::net::SocketAddr, tasks: usize, round: u64) {
    for first in (0..tasks).step_by(200) {
        let events: Vec<Value> = (first..first + 200)
            .map(|n| {
                json!({ "type": "task.updated", "project_id": format!("p{}", n % 2),
                        "data": { "task_id": format!("t{n}"), "round": round } })
            })
            .collect();
        let (status, answer) = post(address, &json!(events)).await;
        assert_eq!(status, 202, "{answer}");
    }
}

/// The parts from the first one on, while all of the state is replaced again and again; then what came after.
async fn take_while_it_changes(
    client: &mut Client,
    address: std::net::SocketAddr,
    tasks: usize,
    mut round: u64,
) {
    let mut known: BTreeMap<String, u64> = BTreeMap::new();
    let (mut next, mut parts) = (1, u64::MAX);
    while next <= parts {
        let part = client.event("snapshot").await;
        assert_eq!(part["part"], next, "it goes on where it was");
        parts = part["parts"].as_u64().expect("their number");
        for (id, task) in part["tasks"].as_object().expect("tasks") {
            let round = task["round"].as_u64().unwrap_or(0);
            assert!(known.insert(id.clone(), round).is_none(), "{id} came twice");
        }
        if next % 40 == 1 {
            round += 1;
            change_all(address, tasks, round).await;
        }
        next += 1;
    }
    assert_eq!(known.len(), tasks);
    let first = known["t0"];
    assert!(first < round, "it changed meanwhile");
    assert!(known.values().all(|known| *known == first), "of one moment");
    // An id is taken once.
    decide(address, round..round + 1).await;
    loop {
        let (name, update) = client.next().await.expect("the connection holds");
        match name.as_str() {
            "task_update" => {
                let id = update["data"]["task_id"].as_str().expect("a task");
                let said = update["data"]["round"].as_u64().expect("a round");
                let before = known.insert(id.to_owned(), said).expect("a known task");
                assert!(said > before, "{id}: {said} after {before}");
            }
            "decision_event" => break,
            "snapshot" => panic!("it was given the state again"),
            _ => {}
        }
    }
    assert!(known.values().all(|known| *known == round), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_begun_is_finished_however_fast_the_state_changes() {
    const TASKS: usize = 1_600;
    // The state is replaced more than once before the client has taken it, and one such moment is all that may be kept.
    let server = slow_server(20 << 20).await;
    let address = server.address();
    fill_with(address, TASKS, 7_500).await;
    let (mut slow, _) = Client::connect(address, json!({ "snapshot": true })).await;
    take_while_it_changes(&mut slow, address, TASKS, 10).await;

    // One that comes while another is being given an older moment is given that one, and what came after it.
    let (mut other, _) = Client::connect(address, json!({ "snapshot": true })).await;
    assert_eq!(other.event("snapshot").await["part"], 1);
    change_all(address, TASKS, 50).await;
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(
        state["tasks"]["t9"]["round"], 50,
        "who asks is told what is"
    );
    let (mut late, _) = Client::connect(address, json!({})).await;
    let answer = late.call("get_state", json!({})).await;
    assert!(answer["parts"].as_u64() > Some(1), "{answer}");
    take_while_it_changes(&mut late, address, TASKS, 60).await;
    assert!(counted(address, "stoa_state_moments_refused_total").await > 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_read_slowly_does_not_break_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = slow_server(20 << 20).await;
    let address = server.address();
    fill_with(address, 1_600, 7_500).await;
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/v1/state HTTP/1.0\r\nHost: {address}\r\n\r\n");
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1_024];
    slow.read_exact(&mut answer).await.unwrap();
    for round in 1..4 {
        change_all(address, 1_600, round).await;
    }
    slow.read_to_end(&mut answer).await.unwrap();
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let state: Value = serde_json::from_slice(&answer[head + 4..]).expect("all of it");
    let tasks = state["tasks"].as_object().unwrap();
    assert_eq!(tasks.len(), 1_600);
    let round = &state["tasks"]["t0"]["round"];
    assert!(
        tasks.values().all(|task| task["round"] == *round),
        "of one moment"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_for_the_same_at_the_same_place_share_its_text() {
    let server = server_with(|_| {}).await;
    let address = server.address();
    fill(address, 1_000).await;
    let chunks = async |outcome: &str| {
        let name = format!("stoa_state_chunks_total{{outcome=\"{outcome}\"}}");
        counted(address, &name).await
    };
    let (_, first) = get(address, "/api/v1/state").await;
    let written = chunks("written").await;
    assert!(written > 10, "{written}");
    // On a slow machine the second, for which it is kept, is over in the midst of a round.
    let mut rounds = 0..20;
    let is_shared = async || {
        let before = (chunks("written").await, chunks("shared").await);
        let again = (0..8).map(|_| get(address, "/api/v1/state"));
        let again = futures_util::future::join_all(again).await;
        let is_first = |state: &Value| state["cursor"] == first["cursor"];
        assert!(again.iter().all(|(_, state)| is_first(state)));
        let more = chunks("written").await - before.0;
        more <= written && chunks("shared").await >= before.1 + 7 * written
    };
    while !is_shared().await {
        assert!(rounds.next().is_some(), "each writes it anew");
    }
    let more = chunks("written").await;
    // Another place is another text.
    decide(address, 0..1).await;
    let (_, later) = get(address, "/api/v1/state").await;
    assert_ne!(later["cursor"], first["cursor"]);
    assert!(chunks("written").await > more);
    server.shutdown().await;
}
