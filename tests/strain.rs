//! A stop under load, and fewer descriptors than connections, with the real binary. More rounds make a longer run of the same:
//! `STOA_STOP_ROUNDS=25`.
#![cfg(unix)]

use std::{
    collections::HashSet,
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{
    Client, PATIENCE, get,
    process::{Process, serve},
    refused,
};
use serde_json::json;

const PRODUCERS: u64 = 4;
const ROUNDS: u64 = 3;

/// Publishes until the server ends; what was acknowledged.
async fn produce(who: String, address: SocketAddr, acked: Arc<AtomicU64>) -> Vec<String> {
    let auth = json!({ "role": "producer", "filters": { "types": ["none"] } });
    let (mut client, _) = Client::connect(address, auth).await;
    let mut kept = Vec::new();
    loop {
        let ids: Vec<String> = (0..10)
            .map(|n| format!("{who}-{}", kept.len() + n))
            .collect();
        let batch: Vec<_> = ids
            .iter()
            .map(|id| json!({ "type": "decision.logged", "id": id, "data": { "what": "x" } }))
            .collect();
        match client.try_call("publish", json!(batch)).await {
            Some(receipt) if receipt["accepted"] == 10 => {
                kept.extend(ids);
                acked.fetch_add(10, Ordering::Relaxed);
            }
            // It stops: refused as a whole, or not answered any more.
            _ => return kept,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_however_often_it_is_asked_for_is_clean_and_loses_nothing() {
    let rounds = std::env::var("STOA_STOP_ROUNDS").ok();
    let rounds = rounds.and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("stoa.db");
    let log = folder.path().join("log");
    let mut kept = Vec::new();
    for round in 0..rounds {
        let mut server = Process::logged(&mut serve(&journal), &log);
        let acked = Arc::new(AtomicU64::new(0));
        let producing: Vec<_> = (0..PRODUCERS)
            .map(|who| {
                let who = format!("{round}-{who}");
                tokio::spawn(produce(who, server.address, acked.clone()))
            })
            .collect();
        let enough = async {
            while acked.load(Ordering::Relaxed) < 500 + round * 137 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough)
            .await
            .expect("they publish");
        // Once, or twenty times at once.
        for _ in 0..if round % 2 == 0 { 20 } else { 1 } {
            server.signal("TERM");
        }
        let status = server.ended().await;
        assert_eq!(status.code(), Some(0), "round {round}: {status}");
        assert!(server.lines("panicked").is_empty());
        for producer in producing {
            kept.extend(producer.await.expect("produces"));
        }
    }
    let server = Process::logged(&mut serve(&journal), &log);
    let (mut stored, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(server.address, &format!("/api/v1/events?limit=1000{after}")).await;
        let events = page["events"].as_array().expect("events");
        stored.extend(
            events
                .iter()
                .map(|event| event["id"].as_str().expect("id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let all: HashSet<_> = stored.iter().collect();
    assert_eq!(all.len(), stored.len(), "nothing is kept twice");
    let lost: Vec<_> = kept.iter().filter(|id| !all.contains(id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {}: {lost:?}",
        lost.len(),
        kept.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_fewer_descriptors_than_connections_those_who_are_in_are_served() {
    const CONNECTIONS: usize = 200;
    const TOLD: &str = "accepting connections fails";
    let folder = tempfile::tempdir().expect("folder");
    let log = folder.path().join("log");
    let mut command = Command::new("sh");
    let serve = r#"ulimit -n 64; exec "$0" serve --port 0"#;
    command
        .args(["-c", serve, env!("CARGO_BIN_EXE_stoa")])
        .env("STOA_LOG__FORMAT", "json")
        .env("STOA_JOURNAL__KIND", "memory");
    let server = Process::logged(&mut command, &log);
    let address = server.address;
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let began = Instant::now();
    // The system takes them all; the server has descriptors for some.
    let crowd: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(address).expect("the queue has room"))
        .collect();
    let told = async {
        while server.lines(TOLD).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told)
        .await
        .expect("it is said");
    let mut publish = async |n: usize| {
        let event = json!({ "type": "decision.logged", "data": { "n": n } });
        assert_eq!(producer.call("publish", event).await["accepted"], 1);
        assert_eq!(watcher.event("decision_event").await["data"]["n"], n);
    };
    for n in 0..200 {
        publish(n).await;
    }
    drop(crowd);
    // It recovers by itself, and said it once.
    let (late, _) = Client::connect(address, json!({})).await;
    publish(200).await;
    late.close().await;
    // It doesn't spin meanwhile: it tries again after a pause.
    let tries = u128::from(refused(address, "connection", "accept").await);
    let most = began.elapsed().as_millis() / 50 + 1;
    assert!((1..=most).contains(&tries), "{tries} of {most}");
    let lines = server.lines(TOLD);
    assert_eq!(lines.len(), 1, "{lines:?}");
}
