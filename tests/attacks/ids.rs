//! Ids: the transport's can't be guessed and is shown to nobody else, the public one opens nothing.

use std::{collections::HashSet, net::SocketAddr};

use base64::{Engine, engine::general_purpose::URL_SAFE};
use serde_json::json;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::attacks::malformed::poll;
use kit::{
    Client, START_SECRET, get,
    process::{Process, serve_in_memory},
    raw::{End, Raw, assert_served, http, text},
    server, server_with,
};

/// Row 26. Ten thousand ids: none twice, every bit as often set as not, none near the one before.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_session_ids_look_random() {
    const IDS: usize = 10_000;
    let server = server_with(|c| {
        c.server.connect_timeout.set(3.0).unwrap();
        c.server.max_pending_sessions.set((2 * IDS) as u64).unwrap();
    })
    .await;
    let address = server.address();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(tokio::spawn(async move {
            open_sessions(address, IDS / 4).await
        }));
    }
    let mut ids = Vec::new();
    for task in tasks {
        ids.extend(task.await.unwrap());
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), IDS);
    let raw: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| URL_SAFE.decode(id).expect("an id is URL-safe base64"))
        .collect();
    let bits = raw[0].len() * 8;
    assert!(bits >= 96, "{bits} bits can be guessed");
    let bit = |id: &[u8], n: usize| usize::from(id[n / 8] >> (n % 8) & 1);
    for n in 0..bits {
        // The deviation of a fair coin is 50 in 10,000; seven of them don't happen.
        let set: usize = raw.iter().map(|id| bit(id, n)).sum();
        assert!(
            set.abs_diff(IDS / 2) < 350,
            "bit {n} is set in {set} of {IDS}"
        );
    }
    // Between neighbours half of the bits differ; a counter or a clock would show.
    for pair in raw.windows(2) {
        let differ: usize = (0..bits)
            .filter(|n| bit(&pair[0], *n) != bit(&pair[1], *n))
            .count();
        assert!(differ > bits / 6, "{pair:?}");
    }
    // Public ids are no secret, but one of them twice would mix two clients up.
    let mut public = HashSet::new();
    for _ in 0..100 {
        let (client, hello) = Client::connect(address, json!({})).await;
        assert!(public.insert(hello["client_id"].to_string()));
        client.close().await;
    }
    assert_served(address).await;
    server.shutdown().await;
}

/// Opens polling sessions on one connection.
async fn open_sessions(address: SocketAddr, count: usize) -> Vec<String> {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let mut ids = Vec::with_capacity(count);
    let mut buffer = Vec::new();
    for _ in 0..count {
        stream
            .write_all(
                b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n",
            )
            .await
            .expect("sends");
        buffer.clear();
        let id = loop {
            assert!(stream.read_buf(&mut buffer).await.expect("reads") > 0);
            let text = String::from_utf8_lossy(&buffer);
            if let Some((_, rest)) = text.split_once("\"sid\":\"")
                && text.ends_with('}')
            {
                break rest.split('"').next().expect("its end").to_owned();
            }
        };
        ids.push(id);
    }
    ids
}

/// Row 26. Whoever learns the transport's id of a WebSocket session can still not speak, listen or take over as it.
#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_websocket_session_is_of_no_use_elsewhere() {
    let server = server().await;
    let address = server.address();
    let (mut alice, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let sid = alice.transport.clone();
    let polling = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    let spoken = r#"42["publish",{"type":"decision.logged","data":{"what":"forged"}}]"#;
    for (method, body) in [("GET", ""), ("POST", spoken), ("POST", "41"), ("POST", "1")] {
        let (status, _, answer) = http(
            address,
            &format!("{method} {polling} HTTP/1.1"),
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            status,
            400,
            "{method} {body}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    let query = format!("EIO=4&transport=websocket&sid={sid}");
    let (mut thief, head) = Raw::upgrade(address, &query, "").await;
    if head.starts_with("HTTP/1.1 101") {
        thief.send(&text("2probe")).await.ok();
        thief.send(&text("5")).await.ok();
        thief.send(&text(spoken)).await.ok();
        assert_eq!(
            thief.end().await,
            End::Cut,
            "not even the probe is answered"
        );
    } else {
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    }
    // The owner is still there, still connected to the same session, and nothing was said in its name.
    let state = alice.call("get_history", json!({})).await;
    assert_eq!(state["events"], json!([]), "{state}");
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 27. The public id is none of the transport's: by polling and by upgrade it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_public_id_opens_nothing() {
    let server = server().await;
    let address = server.address();
    // One victim by WebSocket, one by polling, who waits for its events there.
    let (mut alice, hello) = Client::connect(address, json!({})).await;
    let sid = poll(address, 4).await;
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    http(address, &format!("POST {path} HTTP/1.1"), b"40").await;
    let mut greeting = String::new();
    while !greeting.contains("connection_established") {
        let (_, _, body) = http(address, &format!("GET {path} HTTP/1.1"), b"").await;
        greeting += &String::from_utf8(body).unwrap();
    }
    let at = greeting.find("\"client_id\":\"").expect("its public id") + 13;
    let bob = greeting[at..].split('"').next().unwrap().to_owned();
    assert!(!greeting.contains(&sid), "{greeting}");
    assert!(
        greeting.contains(&format!("40{{\"sid\":\"{bob}\",\"pid\":\"")),
        "{greeting}"
    );
    for key in ["client_id", "session_id", "connection_id"] {
        assert_ne!(hello[key], json!(alice.transport));
        assert_eq!(hello[key], json!(alice.sid));
    }
    for id in [hello["client_id"].as_str().unwrap(), &bob] {
        // As it is, and cut to the length that the transport's ids have.
        for id in [id, &id[..16], &id.replace('-', "")[..16]] {
            let polling = format!("/socket.io/?EIO=4&transport=polling&sid={id}");
            for (method, body) in [("GET", ""), ("POST", "42[\"ping\"]")] {
                let head = format!("{method} {polling} HTTP/1.1");
                let (status, ..) = http(address, &head, body.as_bytes()).await;
                assert_eq!(status, 400, "{method} with {id}");
            }
        }
        let (_, head) =
            Raw::upgrade(address, &format!("EIO=4&transport=websocket&sid={id}"), "").await;
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    }
    alice.call("ping", json!(null)).await;
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 27. The transport's id of one client is in nothing that another gets, and not in the log, even at its most talkative.
#[tokio::test(flavor = "multi_thread")]
async fn the_transports_ids_are_in_no_payload_and_no_log() {
    let folder = tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = serve_in_memory();
    command
        .env("STOA_LOG__LEVEL", "trace")
        .env("STOA_AUTHENTICATION__START_SECRET", START_SECRET);
    let server = Process::logged(&mut command, &log);
    let address = server.address;
    let (mut admin, _) =
        Client::connect(address, json!({ "token": START_SECRET, "snapshot": true })).await;
    let (mut alice, _) =
        Client::connect(address, json!({ "role": "producer", "name": "alice" })).await;
    let sid = poll(address, 4).await;
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    http(address, &format!("POST {path} HTTP/1.1"), b"40").await;
    http(address, &format!("GET {path} HTTP/1.1"), b"").await;
    // Everything that makes a log talk: rooms, refusals, a second session taking over, text that can't be read.
    alice
        .call("join_room", json!({ "room": "project:p" }))
        .await;
    admin
        .call("join_room", json!({ "room": "project:p" }))
        .await;
    alice.call("join_room", json!({ "room": "no such" })).await;
    alice
        .call(
            "publish",
            json!({ "type": "agent.registered", "data": { "agent_id": "a" } }),
        )
        .await;
    alice
        .call("join_room", json!({ "room": "agent:a:actions" }))
        .await;
    let mut seen = String::new();
    for event in ["get_rooms", "get_stats", "get_state", "get_history"] {
        seen += &admin.call(event, json!({})).await.to_string();
    }
    seen += &admin
        .call("agent_action", json!({ "agent_id": "a", "action": "x" }))
        .await
        .to_string();
    let asked = alice.event("agent_action").await;
    for path in [
        "/api/v1/ws/stats",
        "/api/v1/ws/rooms",
        "/api/v1/performance",
        "/api/v1/health",
        "/api/v1/state",
        "/metrics",
    ] {
        seen += &kit::process::text(address, path).await.unwrap();
    }
    seen += &format!("{:?}", admin.so_far().await);
    for id in [&alice.transport, &sid] {
        assert!(!seen.contains(id.as_str()), "{seen}");
    }
    assert!(!asked.to_string().contains(&admin.transport), "{asked}");
    let mut admins = Client::open(address, "/admin", json!({ "token": START_SECRET }))
        .await
        .unwrap();
    let rooms = admins.call("get_rooms", json!(null)).await.to_string();
    assert!(!rooms.contains(&alice.transport), "{rooms}");
    // Ends of all kinds are logged as well.
    let (alice_sid, admin_sid, admins_sid) = (
        alice.transport.clone(),
        admin.transport.clone(),
        admins.transport.clone(),
    );
    alice.close().await;
    drop(admin);
    http(address, &format!("POST {path} HTTP/1.1"), b"1").await;
    http(address, &format!("POST {path} HTTP/1.1"), b"42[\"ping\"]").await;
    let (_, stats) = get(address, "/api/v1/ws/stats").await;
    assert!(stats.is_object());
    drop(server);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("DEBUG"), "it is talkative: {log}");
    for id in [&alice_sid, &admin_sid, &admins_sid, &sid] {
        let found = log.lines().find(|line| line.contains(id.as_str()));
        assert!(found.is_none(), "{found:?}");
    }
}
