//! `GET /api/v1/analytics` over the wire: the figures are what clients did, over restarts too, and show nobody more than
//! they may see.

mod restarts;

use std::net::SocketAddr;

use futures_util::SinkExt;
use kit::{
    Client, START_SECRET, crowd, get,
    guarded::{admin, grant, guarded, kept_in, request, token},
    post, server, server_with,
    socket::Socket,
    until,
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const PATH: &str = "/api/v1/analytics";

/// The figures, once they are so; the last ones are shown if they never are.
async fn figures(address: SocketAddr, is_so: impl Fn(&Value) -> bool) -> Value {
    until("the figures", async || {
        let (status, figures) = get(address, PATH).await;
        assert_eq!(status, 200, "{figures}");
        is_so(&figures).then_some(figures)
    })
    .await
}

async fn named(address: SocketAddr, name: &str) -> Client {
    Client::connect(address, json!({ "name": name })).await.0
}

/// Says goodbye, and waits until the connection is closed.
async fn leave(mut client: Client) {
    client.send_text("41").await;
    client.close().await;
}

fn sessions(distribution: &Value) -> u64 {
    let classes = distribution.as_array().expect("classes");
    classes
        .iter()
        .map(|c| c["sessions"].as_u64().unwrap())
        .sum()
}

fn entry<'f>(list: &'f Value, key: &str, name: &str) -> &'f Value {
    let found = list
        .as_array()
        .and_then(|l| l.iter().find(|e| e[key] == name));
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_what_clients_did() {
    let server = server().await;
    let address = server.address();
    let mut clients = Vec::new();
    for n in 0..6 {
        clients.push(named(address, &format!("board {n}")).await);
    }
    let stream = kit::http_client()
        .get(format!("http://{address}/api/v1/stream"))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    figures(address, |f| {
        f["total_connections"] == 7 && f["peak_concurrent_users"] == 7
    })
    .await;

    // Two say goodbye and come back; two are lost, and one of these comes back.
    let lost: Vec<_> = clients.drain(..2).collect();
    for client in lost {
        client.close().await;
    }
    for client in clients.drain(..2).collect::<Vec<_>>() {
        leave(client).await;
    }
    figures(address, |f| f["connections_ended"] == 4).await;
    for name in ["board 0", "board 2", "board 3"] {
        clients.push(named(address, name).await);
    }
    // Five are not let in.
    for _ in 0..3 {
        let refused = Client::open(address, "/", json!({ "rooms": ["planet:*"] })).await;
        assert!(refused.is_err());
    }
    for query in ["rooms=planet:*", "nonsense=1"] {
        let refused = kit::http_client()
            .get(format!("http://{address}/api/v1/stream?{query}"))
            .send()
            .await;
        assert_eq!(refused.unwrap().status(), 400);
    }
    // Three see each update in `observers`, two only in the project's room.
    for client in &mut clients[..2] {
        client
            .call("join_room", json!({ "room": "project:p1" }))
            .await;
        client
            .call("leave_room", json!({ "room": "observers" }))
            .await;
    }
    for n in 0..4 {
        let task = format!("t{n}");
        let event =
            json!({ "type": "task_completed", "project_id": "p1", "data": { "task_id": task } });
        assert_eq!(post(address, &event).await.0, 202);
    }
    let told = figures(address, |f| {
        f["event_types"][0]["deliveries"] == 24 && f["total_connections"] == 6
    })
    .await;
    for (key, value) in [
        ("connections_opened", json!(10)),
        ("connections_ended", json!(4)),
        ("reconnection_rate", json!(0.1)),
        ("peak_concurrent_users", json!(7)),
        ("peak_connections", json!(7)),
        ("active_sessions", json!(6)),
        ("client_messages", json!(4)),
        ("all_projects", json!(true)),
    ] {
        assert_eq!(told[key], value, "{key} in {told:#}");
    }
    for key in [
        "connection_duration_distribution",
        "session_duration_distribution",
    ] {
        assert_eq!(sessions(&told[key]), 4);
        assert_eq!(told[key][0], json!({ "up_to_seconds": 10, "sessions": 4 }));
        assert_eq!(told[key][5]["up_to_seconds"], Value::Null);
    }
    let average = told["connection_duration_avg"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&average), "{average}");
    assert!(told["message_throughput"].as_f64().unwrap() > 0.0);
    assert!(told["interaction_frequency"].as_f64().unwrap() > 0.0);
    let kind = entry(&told["event_types"], "type", "task.completed");
    assert_eq!(
        *kind,
        json!({ "type": "task.completed", "updates": 4, "deliveries": 24 })
    );
    for (room, members, deliveries) in [("observers", 4, 16), ("project:p1", 2, 8)] {
        let expected = json!({ "room": room, "members": members, "deliveries": deliveries });
        assert_eq!(*entry(&told["rooms"], "room", room), expected);
    }
    let features = &told["feature_usage"];
    for (feature, times) in [
        ("door.socketio", 9),
        ("door.sse", 1),
        ("join_room", 2),
        ("leave_room", 2),
        ("publish", 4),
    ] {
        assert_eq!(features[feature], times, "{feature} in {features}");
    }
    assert_eq!(told["patterns"]["connections"]["failed"], 5);
    assert_eq!(told["patterns"]["connections"]["flapping"], 0);
    assert_eq!(told["patterns"]["messages"], "normal");
    assert_eq!(told["peak_hours"][0]["connections"], 7);
    assert_eq!(told["grades"]["reconnection_rate"]["grade"], "good");
    // All five were the clients' own faults.
    assert_eq!(told["grades"]["connection_success"]["grade"], "excellent");
    for key in ["peak_concurrent_at", "kept_since", "server_time"] {
        assert!(
            told[key].as_str().is_some_and(|at| at.ends_with('Z')),
            "{key}"
        );
    }
    drop(stream);
    server.shutdown().await;
}

/// The other doors count as well, and a close frame is a goodbye there.
#[tokio::test(flavor = "multi_thread")]
async fn clients_of_every_door_are_counted() {
    let server = server().await;
    let address = server.address();
    let mut sockets = Vec::new();
    let paths = [
        "/api/v1/ws",
        "/ws/board/",
        "/api/stream/projects/p",
        "/ws/visualization",
    ];
    for path in paths {
        let (socket, _) = connect_async(format!("ws://{address}{path}"))
            .await
            .unwrap();
        sockets.push(socket);
    }
    let url = format!("http://{address}/api/stream/projects/p");
    let stream = kit::http_client()
        .get(url)
        .header("accept", "text/event-stream");
    let stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    for socket in &mut sockets {
        for message in [r#"{"type":"ping"}"#, r#"{"type":"what is this?"}"#] {
            socket.send(Message::text(message)).await.unwrap();
        }
    }
    let told = figures(address, |f| f["client_messages"] == 8).await;
    assert_eq!(
        (&told["total_connections"], &told["active_sessions"]),
        (&json!(5), &json!(5))
    );
    let features = &told["feature_usage"];
    for (feature, times) in [
        ("door.guide", 1),
        ("door.pipeline", 1),
        ("door.streams", 2),
        ("door.visualization", 1),
        ("publish", 2),
        ("ping", 3),
        ("other", 3),
    ] {
        assert_eq!(features[feature], times, "{feature} in {features}");
    }
    // One says goodbye, four are lost: so many of those that come again had lost something.
    sockets.remove(0).close(None).await.unwrap();
    drop((sockets, stream));
    figures(address, |f| f["connections_ended"] == 5).await;
    for _ in 0..5 {
        let (mut socket, _) = connect_async(format!("ws://{address}/api/v1/ws"))
            .await
            .unwrap();
        socket.close(None).await.unwrap();
    }
    let told = figures(address, |f| f["connections_ended"] == 10).await;
    assert_eq!(told["reconnections"], 4, "{told:#}");
    server.shutdown().await;
}

/// A connection that the server ends is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_sent_away_and_comes_again_has_lost_nothing() {
    let server = server().await;
    let address = server.address();
    let (client, hello) = Client::connect(address, json!({ "name": "board" })).await;
    let stream = kit::http_client()
        .get(format!("http://{address}/api/v1/stream"))
        .send()
        .await
        .unwrap();
    let path = "/api/v1/admin/connections";
    let (_, list) = request("GET", address, path, START_SECRET, None).await;
    assert_eq!(list["total"], 2, "{list} {hello}");
    for connection in list["connections"].as_array().unwrap() {
        let id = connection["client_id"].as_str().unwrap();
        let path = format!("{path}/{id}");
        let (status, ended) = request("DELETE", address, &path, START_SECRET, None).await;
        assert_eq!((status, &ended["ended"]), (200, &json!(1)), "{ended}");
    }
    figures(address, |f| f["connections_ended"] == 2).await;
    drop((client, stream));
    let _again = named(address, "board").await;
    let _stream = kit::http_client()
        .get(format!("http://{address}/api/v1/stream"))
        .send()
        .await
        .unwrap();
    let told = figures(address, |f| f["total_connections"] == 2).await;
    assert_eq!(
        (&told["connections_opened"], &told["reconnections"]),
        (&json!(4), &json!(0))
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_too_slowly_is_degraded() {
    let server = server_with(|config| {
        config.server.max_client_buffer.set(16_384).unwrap();
        config.server.stall_timeout.set(600.0).unwrap();
    })
    .await;
    let address = server.address();
    let slow = Socket::connect_small(address, "{}", 4_096).await.unwrap();
    let _quick = named(address, "quick").await;
    let filler = "x".repeat(300);
    let mut published = 0;
    while kit::counted_in(&server, "stoa_observers_parked_total") == 0 {
        let batch = (published..published + 100).map(|n| crowd::event(n, &filler));
        post(address, &batch.collect()).await;
        published += 100;
    }
    let is_slow = |f: &Value| f["patterns"]["connections"]["degraded"].as_u64() > Some(0);
    let told = figures(address, is_slow).await;
    assert_eq!(told["total_connections"], 2, "{told:#}");
    drop(slow);
    figures(address, |f| f["total_connections"] == 1).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_flaps_and_refusals_cascade() {
    let server = server().await;
    let address = server.address();
    for times in 1..=3 {
        named(address, "unsteady").await.close().await;
        // A client that comes again before its end was noticed has not come back.
        figures(address, |f| f["connections_ended"] == times).await;
    }
    let told = figures(address, |f| f["patterns"]["connections"]["flapping"] == 1).await;
    assert_eq!(told["patterns"]["messages"], "normal", "{told:#}");
    assert!(told["reconnection_rate"].as_f64().unwrap() > 0.6);
    for _ in 0..20 {
        post(address, &json!({ "data": {} })).await;
    }
    figures(address, |f| f["patterns"]["messages"] == "error_cascade").await;
    // Enough goes well again.
    let events: Vec<_> = (0..50)
        .map(|n| json!({ "type": "x", "data": { "n": n } }))
        .collect();
    post(address, &Value::Array(events)).await;
    figures(address, |f| f["patterns"]["messages"] == "normal").await;
    server.shutdown().await;
}

/// Producers choose the names of types and rooms: what is held of them, and saved, is bounded.
#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_names_is_bounded_and_those_watched_most_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let server = server_with(|config| {
        kept_in(config, &path);
        config.analytics.max_event_types.set(16).unwrap();
        config.analytics.max_rooms.set(16).unwrap();
        config.analytics.max_bytes.set(65_536).unwrap();
    })
    .await;
    let address = server.address();
    let rooms: Vec<_> = (0..90).map(|n| format!("task:{n:0>100}")).collect();
    let (mut watcher, _) = Client::connect(address, json!({ "rooms": rooms })).await;
    watcher
        .call("leave_room", json!({ "room": "observers" }))
        .await;
    let event = |kind: &str, n: usize| json!({ "type": kind, "data": { "task_id": format!("{:0>100}", n % 90), "n": n } });
    for _ in 0..3 {
        let often = (0..100).map(|n| event("often.sent", n));
        let others = (0..900).map(|n| event(&format!("{n:x>60}.sent"), n));
        let (_, answer) = post(address, &often.chain(others).collect()).await;
        assert_eq!(answer["accepted"], 1_000, "{}", answer["error"]);
    }
    let quiet = async || {
        let (_, stats) = get(address, "/api/v1/ws/stats").await;
        stats["events"] == 3_000 && stats["updates_held"] == 0 && stats["updates_waiting"] == 0
    };
    kit::wait_for("all updates to be sent", quiet).await;
    let told = figures(address, |f| f["total_updates"].as_u64() >= Some(300)).await;
    for (list, max) in [("event_types", 16), ("rooms", 16)] {
        let told = told[list].as_array().unwrap().len();
        assert!((1..=max).contains(&told), "{told} {list}");
    }
    assert_eq!(told["event_types"][0]["type"], "often.sent");
    for of in ["types", "rooms"] {
        let dropped =
            kit::counted(address, &format!("stoa_analytics_dropped{{of=\"{of}\"}}")).await;
        assert!(dropped > 10, "{of}: {dropped}");
    }
    server.shutdown().await;
    let file = rusqlite::Connection::open(&path).unwrap();
    let length = "SELECT length(value) FROM meta WHERE key = 'analytics'";
    let saved: u64 = file.query_row(length, [], |row| row.get(0)).unwrap();
    assert!((1_000..65_536).contains(&saved), "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_told_of_its_own_rooms_only() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mine = || Some(vec!["mine".to_owned()]);
    let named = |user: &str, role| {
        token(&Grant {
            user: Some(user.into()),
            projects: mine(),
            ..grant(role)
        })
    };
    let (operator, watcher) = (
        named("op", Role::Operator),
        named("ann.smith", Role::Observer),
    );
    let mut clients = Vec::new();
    for (token, project) in [
        (watcher.as_str(), "mine"),
        (watcher.as_str(), "mine"),
        (&*admin(), "theirs"),
    ] {
        let auth = json!({ "token": token, "rooms": [format!("project:{project}")] });
        clients.push(Client::connect(address, auth).await);
    }
    let news = |project: &str| json!({ "type": format!("{project}.news"), "project_id": project, "data": {} });
    let run = json!({
        "type": "workflow.run.started", "project_id": "mine",
        "data": { "execution_id": "e", "user_id": "ann.smith" },
    });
    let events = json!([news("mine"), news("theirs"), run]);
    let (status, _) = request("POST", address, "/api/v1/events", &admin(), Some(&events)).await;
    assert_eq!(status, 202);
    let ask = async |token: &str| request("GET", address, PATH, token, None).await;
    let all = until("the deliveries", async || {
        let (_, all) = ask(&admin()).await;
        (all["total_deliveries"].as_u64() >= Some(7)).then_some(all)
    })
    .await;
    assert_eq!(
        entry(&all["event_types"], "type", "theirs.news")["updates"],
        1
    );
    assert_eq!(
        all["concurrent_users"], 2,
        "two sessions are of one user: {all:#}"
    );

    let (status, own) = ask(&operator).await;
    assert_eq!((status, &own["all_projects"]), (200, &json!(false)));
    assert_eq!(own["connections_opened"], 3);
    let text = own.to_string();
    assert!(
        !text.contains("theirs") && own["event_types"] == json!([]),
        "{text}"
    );
    // The owner of a run is in a room of its own, by its name: that is no figure for anybody.
    assert!(!all.to_string().contains("ann.smith"), "{all:#}");
    assert_eq!(ask(&watcher).await.0, 403);
    server.shutdown().await;
}
