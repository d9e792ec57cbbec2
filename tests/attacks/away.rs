//! The server is away: killed under everybody at once, or stopped and woken again.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tempfile::tempdir;
use tokio::sync::watch;

use kit::{
    Client, PATIENCE, post,
    process::{Process, free_port},
    raw::{Raw, assert_served, text, until_connections},
    until,
};

/// Those that are thrown out together.
const CLIENTS: usize = 300;

/// Row 32. All come back at once to a server that was killed and starts again: each is let in, each gets what it missed.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_everybody_is_back() {
    let folder = tempdir().unwrap();
    let journal = folder.path().join("stoa.db");
    let port = free_port();
    let server = Process::start(&journal, port, &[]).await;
    let address = server.address;
    let (saw_first, back) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let (mut client, _) = Client::connect(address, json!({})).await;
        let (saw_first, back) = (saw_first.clone(), back.clone());
        clients.push(tokio::spawn(async move {
            let first = client.event("decision_event").await;
            let cursor = first["cursor"].clone();
            saw_first.fetch_add(1, Ordering::Relaxed);
            while client.text().await.is_some() {}
            let mut client = come_back(address, cursor).await;
            let resumed = client.event("resumed").await;
            assert_eq!(resumed["complete"], true, "{resumed}");
            let missed = client.event("decision_event").await;
            assert_eq!(missed["decision"], "while nobody was there", "{missed}");
            back.fetch_add(1, Ordering::Relaxed);
            client
        }));
    }
    post(
        address,
        &json!({ "type": "decision.logged", "data": { "what": "before" } }),
    )
    .await;
    until("everybody saw the first", async || {
        (saw_first.load(Ordering::Relaxed) == CLIENTS).then_some(())
    })
    .await;
    server.kill();

    let server = Process::start(&journal, port, &[]).await;
    let event = json!({ "type": "decision.logged", "data": { "what": "while nobody was there" } });
    assert_eq!(post(address, &event).await.0, 202);
    until("everybody is back", async || {
        (back.load(Ordering::Relaxed) == CLIENTS).then_some(())
    })
    .await;
    until_connections(address, CLIENTS as u64).await;
    for client in clients {
        client.await.expect("it came back with what it missed");
    }
    assert_served(address).await;
    server.stop();
}

/// Tries until it is let in, without the patience that a real client has between two attempts.
async fn come_back(address: SocketAddr, cursor: serde_json::Value) -> Client {
    let begun = std::time::Instant::now();
    loop {
        // Refused while nobody listens, closed while somebody dies: both end the task, which is looked at here.
        let auth = json!({ "cursor": cursor });
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            let opening = tokio::spawn(async move { Client::connect(address, auth).await.0 });
            if let Ok(client) = opening.await {
                return client;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "it is not let in");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Those that are looked after while the server sleeps.
const WATCHED: usize = 50;
const INTERVAL: f64 = 1.0;
/// Long enough for those whose answers wait for a busy machine.
const TIMEOUT: f64 = 4.0;
/// Longer than both together: by the clock every heartbeat is overdue.
const ASLEEP: Duration = Duration::from_secs(6);

/// Row 34. The server sleeps for longer than any heartbeat may take; who is there when it wakes stays, but for those few
/// whose answer to a ping was on its way just when it fell asleep.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_slept_throws_nobody_out_who_is_there() {
    let folder = tempdir().unwrap();
    let server = Process::start(
        &folder.path().join("stoa.db"),
        free_port(),
        &[
            ("STOA_SERVER__PING_INTERVAL", INTERVAL.to_string()),
            ("STOA_SERVER__PING_TIMEOUT", TIMEOUT.to_string()),
        ],
    )
    .await;
    let (wake, awake) = watch::channel(false);
    let mut clients = Vec::new();
    for _ in 0..WATCHED {
        let mut raw = Raw::join(server.address).await;
        let awake = awake.clone();
        // Ends when it was pinged twice after the sleep, and is still served.
        clients.push(tokio::spawn(async move {
            let mut rounds = 0;
            while rounds < 2 {
                raw.wait_for_ping().await;
                raw.send(&text("3")).await.unwrap();
                rounds += u32::from(*awake.borrow());
            }
            raw.send(&text("421[\"ping\"]")).await.unwrap();
            raw.wait_for("431[").await;
            raw
        }));
    }
    signal(&server, "-STOP");
    // The passing of time is the attack.
    tokio::time::sleep(ASLEEP).await;
    signal(&server, "-CONT");
    wake.send(true).unwrap();
    let mut there = Vec::new();
    for client in clients {
        there.extend(client.await);
    }
    let lost = WATCHED - there.len();
    assert!(lost <= WATCHED / 10, "{lost} of {WATCHED} were thrown out");
    assert_served(server.address).await;
}

fn signal(server: &Process, signal: &str) {
    let told = Command::new("kill")
        .args([signal, &server.id().to_string()])
        .status();
    assert!(told.is_ok_and(|told| told.success()));
}
