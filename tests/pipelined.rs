//! Calls of `publish` that are sent without waiting for the answers: their order, their answers, and the requests between
//! them.

use std::{collections::HashSet, net::SocketAddr, path::Path};

use kit::{
    Client, counted, get,
    process::{Process, serve},
    server, server_with, wait_for,
};
use serde_json::{Value, json};

/// Calls that one client sends without reading an answer.
const CALLS: usize = 5_000;

fn decision(n: usize) -> Value {
    json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": n.to_string() } })
}

/// The ids of all kept events, in the journal's order.
async fn kept(address: SocketAddr) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(address, &format!("/api/v1/events?limit=1000{after}")).await;
        let events = page["events"].as_array().expect("events");
        ids.extend(
            events
                .iter()
                .map(|event| event["id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            return ids;
        };
        after = format!("&after={next}");
    }
}

async fn producer(address: SocketAddr) -> Client {
    let quiet = json!({ "role": "producer", "filters": { "types": ["none"] } });
    Client::connect(address, quiet).await.0
}

fn start(journal: &Path, port: u16) -> Process {
    Process::listening(serve(journal).env("STOA_SERVER__PORT", port.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_clients_calls_is_the_journals_and_the_observers() {
    let folder = tempfile::tempdir().expect("a folder");
    let stoa = start(&folder.path().join("stoa.db"), 0);
    let (mut observer, _) = Client::connect(stoa.address, json!({})).await;
    let watching = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < CALLS {
            seen.push(observer.event("decision_event").await["id"].clone());
        }
        seen
    });
    let mut client = producer(stoa.address).await;
    let mut acks = Vec::new();
    for n in 0..CALLS {
        acks.push(client.call_later("publish", decision(n)).await);
    }
    let mut cursors = HashSet::new();
    for ack in acks {
        let answer = client.ack(ack).await;
        assert_eq!(
            (&answer["status"], &answer["accepted"]),
            (&json!("ok"), &json!(1))
        );
        cursors.insert(answer["cursor"].as_str().expect("a cursor").to_owned());
    }
    assert_eq!(cursors.len(), CALLS, "each has a place of its own");
    let sent: Vec<String> = (0..CALLS).map(|n| format!("d{n}")).collect();
    assert_eq!(kept(stoa.address).await, sent);
    assert_eq!(watching.await.expect("it watches"), sent);
    // The writer took many of them at a time: this is what the places without the answers are for.
    let transactions = counted(stoa.address, "stoa_journal_transactions_total").await;
    assert!(transactions < CALLS as u64 / 2, "{transactions}");
    stoa.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_gets_its_own_answer_and_disturbs_no_other() {
    let server = server().await;
    let mut client = producer(server.address()).await;
    let call = |n: usize| match n % 10 {
        3 => json!({ "data": {} }),
        7 => json!([decision(n), { "type": "no type" }]),
        _ => decision(n),
    };
    let mut acks = Vec::new();
    for n in 0..500 {
        acks.push(client.call_later("publish", call(n)).await);
    }
    for (n, ack) in acks.into_iter().enumerate() {
        let answer = client.ack(ack).await;
        match n % 10 {
            3 => assert_eq!(answer["error"]["code"], "missing_type", "{n}: {answer}"),
            7 => {
                assert_eq!(answer["accepted"], 1, "{n}: {answer}");
                assert_eq!(answer["rejected"][0]["index"], 1, "{n}: {answer}");
            }
            _ => assert_eq!(answer["accepted"], 1, "{n}: {answer}"),
        }
    }
    let good = (0..500).filter(|n| n % 10 != 3);
    let good: Vec<String> = good.map(|n| format!("d{n}")).collect();
    assert_eq!(kept(server.address()).await, good);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_after_calls_sees_what_they_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let stoa = start(&folder.path().join("stoa.db"), 0);
    let mut client = producer(stoa.address).await;
    for round in 0..20 {
        let task = format!("t{round}");
        let mut calls = Vec::new();
        for progress in 1..=30 {
            let event = json!({ "type": "task.progress", "data": { "task_id": task, "progress": progress } });
            calls.push(client.call_later("publish", event).await);
        }
        let state = client.call_later("get_state", json!({})).await;
        let history = client
            .call_later(
                "get_history",
                json!({ "limit": 1_000, "type": "task.progress" }),
            )
            .await;
        let joined = client.call_later("join_room", json!("task:t")).await;
        let state = client.ack(state).await;
        assert_eq!(
            state["tasks"][&task]["progress"], 30,
            "{}",
            state["tasks"][&task]
        );
        let history = client.ack(history).await;
        let all = history["events"].as_array().expect("events");
        assert_eq!(all.len(), 30 * (round + 1), "round {round}");
        assert_eq!(client.ack(joined).await["status"], "ok");
        for call in calls {
            assert_eq!(client.ack(call).await["accepted"], 1);
        }
    }
    stoa.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_are_unanswered_than_may_be() {
    for (calls, bytes) in [(2, 1 << 20), (1_000, 1)] {
        let server = server_with(|c| {
            c.performance.max_unanswered_publishes.set(calls).unwrap();
            c.performance.max_unanswered_bytes.set(bytes).unwrap();
        })
        .await;
        let mut client = producer(server.address()).await;
        let mut acks = Vec::new();
        for n in 0..300 {
            acks.push(client.call_later("publish", decision(n)).await);
        }
        for ack in acks {
            assert_eq!(client.ack(ack).await["accepted"], 1);
        }
        wait_for("the limit was reached", async || {
            counted(server.address(), "stoa_publishes_waited_total").await > 0
        })
        .await;
        let sent: Vec<String> = (0..300).map(|n| format!("d{n}")).collect();
        assert_eq!(kept(server.address()).await, sent);
        server.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_for_their_own_backlog_are_answered_meanwhile() {
    // Each call waits until the ones before it are sent, which they are only once they are answered.
    let server = server_with(|c| c.pace.producer_backlog.set(64).unwrap()).await;
    let mut client = producer(server.address()).await;
    let list = |n: usize| -> Value { (n * 40..(n + 1) * 40).map(decision).collect() };
    let mut acks = Vec::new();
    for n in 0..50 {
        acks.push(client.call_later("publish", list(n)).await);
    }
    for ack in acks {
        assert_eq!(client.ack(ack).await["accepted"], 40);
    }
    let sent: Vec<String> = (0..2_000).map(|n| format!("d{n}")).collect();
    assert_eq!(kept(server.address()).await, sent);
    assert!(counted(server.address(), "stoa_producers_waited_total").await > 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_call_that_was_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("stoa.db");
    let mut stoa = start(&journal, 0);
    let mut answered = Vec::new();
    for round in 0..3 {
        let mut client = producer(stoa.address).await;
        let first = round * CALLS;
        let mut acks = Vec::new();
        for n in first..first + 2_000 {
            acks.push(client.call_later("publish", decision(n)).await);
        }
        // Some are answered, and the others are anywhere between the socket and the disk.
        for (n, ack) in acks.into_iter().enumerate().take(200 + 300 * round) {
            assert_eq!(client.ack(ack).await["accepted"], 1);
            answered.push(format!("d{}", first + n));
        }
        let port = stoa.kill();
        stoa = start(&journal, port);
    }
    let kept = kept(stoa.address).await;
    let places: Vec<usize> = kept
        .iter()
        .map(|id| id[1..].parse().expect("a number"))
        .collect();
    assert!(places.is_sorted(), "the order is that of sending");
    let kept: HashSet<String> = kept.into_iter().collect();
    let lost = answered.iter().find(|id| !kept.contains(*id));
    assert_eq!(lost, None, "it was answered and is gone");
    stoa.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_an_upload_are_placed_while_others_wait_and_keep_their_order() {
    const LINES: usize = 5_000;
    let body: String = (0..LINES).map(|n| format!("{}\n", decision(n))).collect();
    // With one part at a time each further one waits for the answer to it.
    for (calls, waits) in [(1, true), (1_024, false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("stoa.db");
        let server = server_with(|c| {
            c.journal.kind = stoa::config::JournalKind::Sqlite;
            c.journal.path = path;
            c.performance.max_unanswered_publishes.set(calls).unwrap();
            c.performance.max_unanswered_bytes.set(1 << 30).unwrap();
            c.pace.producer_backlog.set(1 << 16).unwrap();
        })
        .await;
        let address = server.address();
        let (status, answer) = kit::post_raw(address, "application/x-ndjson", body.clone()).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(LINES)));
        let sent: Vec<String> = (0..LINES).map(|n| format!("d{n}")).collect();
        assert_eq!(kept(address).await, sent);
        let waited = counted(address, "stoa_publishes_waited_total").await;
        assert_eq!(waited > 0, waits, "{calls} parts: {waited}");
        server.shutdown().await;
    }
}
