//! Tokens, sessions, revocation, bans and budgets, over the wire.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use common::{
    Client, PATIENCE, get,
    guarded::{admin, grant, guarded, observer, producer, publish, request, token},
    server_with,
};
use serde_json::{Value, json};
use stoa::{
    access::{Grant, Role},
    config::Switch,
};

async fn refused(address: SocketAddr, auth: Value) -> String {
    let Err(message) = Client::open(address, "/", auth).await else {
        panic!("it was let in");
    };
    message.split_once(':').expect("a code").0.to_owned()
}

async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All that comes until the server closes.
async fn to_the_end(client: &mut Client) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    while let Some(event) = client.next().await {
        all.push(event);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_nobody_comes_in_by_any_door() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    assert_eq!(refused(address, json!({})).await, "unauthorized");
    assert_eq!(
        refused(address, json!({ "role": "admin" })).await,
        "unauthorized"
    );
    assert_eq!(
        refused(address, json!({ "token": "x.y.z" })).await,
        "unauthorized"
    );
    assert!(
        Client::open(address, "/admin", json!({ "role": "admin" }))
            .await
            .is_err_and(|message| message.starts_with("unauthorized:"))
    );
    let paths = [
        "/api/v1/events",
        "/api/v1/state",
        "/api/v1/stream",
        "/api/v1/ws/stats",
        "/api/v1/ws/rooms",
        "/api/v1/admin/connections",
        "/api/health/current",
        "/api/conversations/recent",
        "/api/pipeline/monitor/dashboard",
        "/metrics",
    ];
    for path in paths {
        let (status, answer) = get(address, path).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (401, &json!("unauthorized")),
            "{path}"
        );
    }
    let event = json!({ "type": "agent.registered", "data": { "agent_id": "a" } });
    let (status, answer) = common::post(address, &event).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (401, &json!("unauthorized"))
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(address, path).await.0, 200, "{path}");
    }
    let text = server.metrics().text();
    assert!(text.contains("stoa_tokens_denied_total{reason="), "{text}");
    // The same token, three ways.
    let token = observer("u1", &[]);
    let (_, hello) = Client::connect(address, json!({ "token": token })).await;
    assert_eq!(
        (&hello["role"], &hello["user"]),
        (&json!("observer"), &json!("u1"))
    );
    assert_eq!(
        request("GET", address, "/api/v1/state", &token, None)
            .await
            .0,
        200
    );
    assert_eq!(
        get(address, &format!("/api/v1/state?token={token}"))
            .await
            .0,
        200
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_the_tokens_and_not_the_clients_wish() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let auth = json!({ "token": observer("u1", &[]), "role": "admin" });
    let (mut client, hello) = Client::connect(address, auth).await;
    assert_eq!(hello["role"], "observer");
    let event = json!({ "type": "agent.registered", "data": { "agent_id": "a" } });
    for (name, argument) in [
        ("publish", event.clone()),
        ("agent_action", json!({ "agent_id": "a", "action": "stop" })),
        ("get_stats", Value::Null),
        ("get_rooms", Value::Null),
    ] {
        let answer = client.call(name, argument).await;
        assert_eq!(answer["error"]["code"], "forbidden", "{name}: {answer}");
    }
    let observers = observer("u1", &[]);
    let (status, answer) =
        request("POST", address, "/api/v1/events", &observers, Some(&event)).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (403, &json!("forbidden"))
    );
    let (status, _) = request("GET", address, "/api/v1/ws/stats", &observers, None).await;
    assert_eq!(status, 403);
    let (status, _) = request(
        "GET",
        address,
        "/api/v1/admin/connections",
        &producer(),
        None,
    )
    .await;
    assert_eq!(status, 403);
    let auth = json!({ "token": observer("u1", &[]) });
    assert!(Client::open(address, "/admin", auth).await.is_err());
    // A producer with projects publishes for these only.
    let narrow = token(&Grant {
        projects: Some(vec!["p1".into()]),
        ..grant(Role::Producer)
    });
    let events = json!([
        { "type": "task.created", "project_id": "p1", "data": { "task_id": "t1" } },
        { "type": "task.created", "project_id": "p2", "data": { "task_id": "t2" } },
    ]);
    let (status, answer) = request("POST", address, "/api/v1/events", &narrow, Some(&events)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    assert_eq!(answer["rejected"][0]["error"]["code"], "forbidden");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_for_those_whom_their_things_belong_to() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(
        address,
        &json!([
            { "type": "workflow.run.started", "data": { "execution_id": "e1", "workflow_id": "w1", "user_id": "ann" } },
            { "type": "workflow.run.started", "data": { "execution_id": "e2", "owner_id": "bob" } },
            { "type": "ingest.job.started", "project_id": "p1", "data": { "job_id": "j1" } },
            { "type": "agent.run.started", "data": { "run_id": "r1" } },
            { "type": "task.created", "project_id": "p2", "data": { "task_id": "t2" } },
        ]),
    )
    .await;
    let (mut ann, hello) =
        Client::connect(address, json!({ "token": observer("ann", &["p1"]) })).await;
    assert_eq!(hello["rooms"], json!(["general", "observers", "user:ann"]));
    // At once: what was published counts, whether the hub has read it or not.
    let answer = ann.call("join_room", json!("execution:e1")).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    for room in [
        "workflow:w1",
        "job:j1",
        "project:p1",
        "user:ann",
        "agent:a",
        "task:t1",
    ] {
        let answer = ann.call("join_room", json!(room)).await;
        assert_eq!(answer["status"], "ok", "{room}: {answer}");
    }
    for room in [
        "execution:e2",
        "run:r1",
        "execution:e9",
        "project:p2",
        "user:bob",
        "task:t2",
        "producers",
    ] {
        for event in ["join_room", "subscribe"] {
            let answer = ann.call(event, json!({ "room": room })).await;
            assert_eq!(
                answer["error"]["code"], "forbidden_room",
                "{room}: {answer}"
            );
        }
        let auth = json!({ "token": observer("ann", &["p1"]), "rooms": [room] });
        assert_eq!(refused(address, auth).await, "forbidden_room", "{room}");
    }
    // Claims open what they name, and nothing else then.
    let named = token(&Grant {
        rooms: Some(vec!["execution:e*".into(), "agent:a1".into()]),
        ..grant(Role::Observer)
    });
    let (mut named, _) = Client::connect(address, json!({ "token": named })).await;
    for (room, status) in [
        ("execution:e2", "ok"),
        ("agent:a1", "ok"),
        ("agent:a2", "error"),
        ("task:t1", "error"),
    ] {
        assert_eq!(
            named.call("join_room", json!(room)).await["status"],
            status,
            "{room}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_are_data() {
    let server = guarded(|config| {
        config.access.project = stoa::access::Rule::All;
        config.access.agent = stoa::access::Rule::Claim;
    })
    .await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({ "token": observer("u", &[]) })).await;
    assert_eq!(
        client.call("join", json!("project:p9")).await["status"],
        "ok"
    );
    let answer = client.call("join", json!("agent:a1")).await;
    assert_eq!(answer["error"]["code"], "forbidden_room");
    server.shutdown().await;
}

fn short(ttl: u64) -> (String, SystemTime) {
    let token = token(&Grant {
        user: Some("brief".into()),
        ttl: Duration::from_secs(ttl),
        ..grant(Role::Observer)
    });
    (token, SystemTime::now() + Duration::from_secs(ttl))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token_to_the_second() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (token, end) = short(3);
    let (mut client, hello) = Client::connect(address, json!({ "token": token })).await;
    assert!(hello["expires_at"].is_string(), "{hello}");
    let stream = reqwest::get(format!("http://{address}/api/v1/stream?token={token}"));
    let stream = stream.await.expect("answers");
    let last = to_the_end(&mut client).await;
    let off = SystemTime::now()
        .duration_since(end)
        .unwrap_or_else(|before| before.duration());
    assert!(off < Duration::from_millis(1_500), "{off:?} off");
    let (name, why) = last.last().expect("a last word");
    assert_eq!(
        (name.as_str(), &why["code"]),
        ("error", &json!("token_expired"))
    );
    let text = stream.text().await.unwrap_or_default();
    assert!(
        text.trim_end()
            .lines()
            .last()
            .is_some_and(|l| l.contains("token_expired")),
        "{text}"
    );
    assert_eq!(
        refused(address, json!({ "token": token })).await,
        "token_expired"
    );
    wait_for("the list to be empty", async || {
        let (_, listed) =
            request("GET", address, "/api/v1/admin/connections", &admin(), None).await;
        listed["total"] == 0
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authenticate_prolongs_a_session_and_its_rooms_are_looked_at_again() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let brief = token(&Grant {
        user: Some("u1".into()),
        projects: Some(vec!["p1".into(), "p2".into()]),
        ttl: Duration::from_secs(3),
        ..grant(Role::Observer)
    });
    let auth = json!({ "token": brief, "rooms": ["project:p1", "project:p2"] });
    let (mut client, hello) = Client::connect(address, auth).await;
    let answer = client
        .call("authenticate", json!({ "token": observer("u2", &["p1"]) }))
        .await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
    let answer = client
        .call("authenticate", json!({ "token": "nonsense" }))
        .await;
    assert_eq!(answer["error"]["code"], "unauthorized", "{answer}");
    let answer = client
        .call("authenticate", json!({ "token": observer("u1", &["p1"]) }))
        .await;
    assert_eq!(
        (&answer["status"], &answer["rooms_left"]),
        (&json!("ok"), &json!(["project:p2"])),
        "{answer}"
    );
    let error = client
        .event_where("error", |e| e["room_id"] == "project:p2")
        .await;
    assert_eq!(error["code"], "forbidden_room");
    // Well beyond the first token's end it still gets what it may see, and nothing else.
    let before: Duration = Duration::from_millis(4_000);
    assert!(hello["expires_at"].is_string());
    tokio::time::sleep(before).await;
    publish(
        address,
        &json!([
            { "type": "task.created", "project_id": "p2", "data": { "task_id": "hidden" } },
            { "type": "task.created", "project_id": "p1", "data": { "task_id": "shown" } },
        ]),
    )
    .await;
    let update = client.event("task_update").await;
    assert_eq!(update["data"]["task_id"], "shown", "{update}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_ends_at_once_and_does_not_come_back() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (one, other) = (observer("ann", &["p1"]), observer("ann", &["p1"]));
    let (mut first, hello) = Client::connect(address, json!({ "token": one })).await;
    let (mut second, _) = Client::connect(address, json!({ "token": other })).await;
    let (mut neighbour, _) =
        Client::connect(address, json!({ "token": observer("bob", &["p1"]) })).await;
    let path = "/api/v1/admin/connections?user=ann";
    let (_, listed) = request("GET", address, path, &admin(), None).await;
    assert_eq!(listed["total"], 2, "{listed}");
    let ids: Vec<&str> = listed["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["client_id"].as_str().unwrap())
        .collect();
    assert!(
        ids.contains(&hello["client_id"].as_str().unwrap()),
        "{listed}"
    );
    assert!(
        !listed.to_string().contains(&first.sid),
        "the transport's id is nobody's business"
    );
    let mine = listed["connections"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["client_id"] == hello["client_id"]);
    let by_id = json!({ "token_id": mine.unwrap()["token_id"] });
    let path = "/api/v1/admin/revocations";
    let (status, answer) = request("POST", address, path, &admin(), Some(&by_id)).await;
    assert_eq!((status, &answer["ended"]), (200, &json!(1)), "{answer}");
    let last = to_the_end(&mut first).await;
    assert_eq!(last.last().expect("a last word").1["code"], "unauthorized");
    assert!(
        first.other.iter().any(|packet| packet == "41"),
        "a client must not come back by itself: {:?}",
        first.other
    );
    assert_eq!(
        refused(address, json!({ "token": one, "cursor": hello["cursor"] })).await,
        "unauthorized"
    );
    // The other token of the same user lives until the user is revoked.
    assert_eq!(second.call("ping", Value::Null).await["status"], "ok");
    let (_, answer) = request(
        "POST",
        address,
        path,
        &admin(),
        Some(&json!({ "user": "ann" })),
    )
    .await;
    assert_eq!(answer["ended"], 1, "{answer}");
    to_the_end(&mut second).await;
    assert_eq!(
        refused(
            address,
            json!({ "token": other, "cursor": hello["cursor"] })
        )
        .await,
        "unauthorized"
    );
    assert_eq!(
        request("GET", address, "/api/v1/state", &other, None)
            .await
            .0,
        401
    );
    // A token made later is good again.
    wait_for("a later second", async || {
        let later = observer("ann", &["p1"]);
        request("GET", address, "/api/v1/state", &later, None)
            .await
            .0
            == 200
    })
    .await;
    assert_eq!(neighbour.call("ping", Value::Null).await["status"], "ok");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_hold_over_a_restart_and_can_be_lifted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.json");
    let start = || guarded(|config| config.access.file = file.clone());
    let server = start().await;
    let address = server.address();
    let (mut ann, hello) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let (mut boss, _) = {
        let client = Client::open(address, "/admin", json!({ "token": admin() })).await;
        (client.expect("admins may"), ())
    };
    let answer = boss
        .call(
            "ban",
            json!({ "user": "ann", "seconds": 600, "reason": "noise" }),
        )
        .await;
    assert_eq!(
        (&answer["status"], &answer["ended"]),
        (&json!("ok"), &json!(1)),
        "{answer}"
    );
    assert_eq!(
        to_the_end(&mut ann).await.last().unwrap().1["code"],
        "banned"
    );
    let again = json!({ "token": observer("ann", &[]), "cursor": hello["cursor"] });
    assert_eq!(refused(address, again.clone()).await, "banned");
    boss.close().await;
    server.shutdown().await;

    let server = start().await;
    let address = server.address();
    assert_eq!(refused(address, again).await, "banned");
    let path = "/api/v1/admin/bans";
    let (_, bans) = request("GET", address, path, &admin(), None).await;
    assert_eq!(
        (&bans["bans"][0]["user"], &bans["bans"][0]["reason"]),
        (&json!("ann"), &json!("noise")),
        "{bans}"
    );
    let (_, lifted) = request(
        "DELETE",
        address,
        "/api/v1/admin/bans?user=ann",
        &admin(),
        None,
    )
    .await;
    assert_eq!(lifted["lifted"], true);
    let (_back, _) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let (status, _) = request(
        "POST",
        address,
        path,
        &admin(),
        Some(&json!({ "user": "a", "address": "::1" })),
    )
    .await;
    assert_eq!(status, 400);
    // An address keeps everybody out who comes from it, whoever it is.
    let (_, answer) = request(
        "POST",
        address,
        path,
        &admin(),
        Some(&json!({ "address": "127.0.0.1", "seconds": 1 })),
    )
    .await;
    assert!(answer["ended"].as_u64() >= Some(1), "{answer}");
    assert_eq!(
        refused(address, json!({ "token": observer("bob", &[]) })).await,
        "banned"
    );
    wait_for("the ban's end", async || {
        request("GET", address, "/api/v1/state", &producer(), None)
            .await
            .0
            == 200
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_ends_with_its_producers_ban() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let token = token(&Grant {
        user: Some("uploader".into()),
        ..grant(Role::Producer)
    });
    let (lines, body) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
    let body = futures_util::stream::unfold(body, |mut body| async move {
        body.recv().await.map(|line| (line, body))
    });
    let upload = reqwest::Client::new()
        .post(format!("http://{address}/api/v1/events"))
        .bearer_auth(&token)
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(body))
        .send();
    let upload = tokio::spawn(upload);
    let line = json!({ "type": "agent.registered", "data": { "agent_id": "a" } });
    let part = format!("{line}\n").repeat(500);
    lines.send(Ok(part.clone())).await.expect("it is read");
    let events = async || {
        let (_, page) = request("GET", address, "/api/v1/events", &admin(), None).await;
        page["events"].as_array().map_or(0, Vec::len)
    };
    wait_for("the first part", async || events().await > 0).await;
    let ban = json!({ "user": "uploader" });
    let path = "/api/v1/admin/bans";
    assert_eq!(
        request("POST", address, path, &admin(), Some(&ban)).await.0,
        200
    );
    lines.send(Ok(part)).await.ok();
    drop(lines);
    let answer = upload.await.expect("ends").expect("answers");
    assert_eq!(answer.status().as_u16(), 403);
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["error"]["code"], "banned");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_takes_the_role_and_ends_one_connection() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mut ann, hello) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let id = hello["client_id"].as_str().unwrap();
    let path = format!("/api/v1/admin/connections/{id}");
    let operator = token(&grant(Role::Operator));
    assert_eq!(
        request("DELETE", address, &path, &operator, None).await.0,
        403
    );
    assert_eq!(ann.call("ping", Value::Null).await["status"], "ok");
    assert_eq!(
        request("DELETE", address, &path, &admin(), None).await.0,
        200
    );
    to_the_end(&mut ann).await;
    assert_eq!(
        request("DELETE", address, &path, &admin(), None).await.0,
        404
    );
    let mut on_admin = Client::open(address, "/admin", json!({ "token": operator }))
        .await
        .expect("operators may");
    let answer = on_admin.call("list_connections", json!({})).await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
    server.shutdown().await;
    // Without authentication HTTP can't tell an admin from anybody else.
    let open = server_with(|_| {}).await;
    let (status, _) = get(open.address(), "/api/v1/admin/connections").await;
    assert_eq!(status, 401);
    open.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_sends_too_much_is_told_and_then_kept_out() {
    let server = server_with(|config| {
        config.rate_limiting.messages_per_minute = 60;
        config.rate_limiting.burst_limit = 5;
        config.rate_limiting.strikes = 20;
        config.rate_limiting.ban_duration = 1.0;
    })
    .await;
    let address = server.address();
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let (mut noisy, _) = Client::connect(address, json!({})).await;
    let mut codes = Vec::new();
    for _ in 0..10 {
        let answer = noisy.call("get_state", json!({})).await;
        codes.push(answer["error"]["code"].as_str().unwrap_or("ok").to_owned());
    }
    assert_eq!(codes[..5], ["ok"; 5], "{codes:?}");
    assert!(codes[7..].iter().all(|c| c == "rate_limited"), "{codes:?}");
    // A producer isn't counted by these.
    for _ in 0..30 {
        assert_eq!(producer.call("get_state", json!({})).await["status"], "ok");
    }
    for _ in 0..20 {
        noisy.emit("get_state", json!({})).await;
    }
    let last = to_the_end(&mut noisy).await;
    assert_eq!(last.last().expect("a last word").1["code"], "banned");
    assert_eq!(refused(address, json!({})).await, "banned");
    let text = server.metrics().text();
    assert!(text.contains("stoa_clients_banned_total 1"), "{text}");
    assert!(text.contains("code=\"rate_limited\""), "{text}");
    wait_for("the ban's end", async || {
        Client::open(address, "/", json!({})).await.is_ok()
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_are_a_users_and_not_only_a_connections() {
    let server = guarded(|config| {
        config.rate_limiting.enabled = Switch::On;
        config.rate_limiting.messages_per_minute = 1;
        config.rate_limiting.burst_limit = 4;
        config.rate_limiting.producer_events_per_second = 10;
    })
    .await;
    let address = server.address();
    let mut ok = 0;
    for _ in 0..4 {
        let (mut one, _) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
        for _ in 0..3 {
            ok += usize::from(one.call("get_state", json!({})).await["status"] == "ok");
        }
    }
    assert_eq!(ok, 4, "twelve messages on four connections");
    let (status, answer) =
        request("GET", address, "/api/v1/state", &observer("ann", &[]), None).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (429, &json!("rate_limited"))
    );
    let (mut bob, _) = Client::connect(address, json!({ "token": observer("bob", &[]) })).await;
    assert_eq!(bob.call("get_state", json!({})).await["status"], "ok");
    // Producers have a budget of their own: none of a call's events is taken that is too large for it.
    let events: Vec<Value> = (0..8)
        .map(|n| json!({ "type": "agent.registered", "data": { "agent_id": n.to_string() } }))
        .collect();
    let token = producer();
    let publish = async || {
        request(
            "POST",
            address,
            "/api/v1/events",
            &token,
            Some(&json!(events)),
        )
        .await
    };
    assert_eq!(publish().await.0, 202);
    let (status, answer) = publish().await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (429, &json!("rate_limited"))
    );
    wait_for("the next second", async || publish().await.0 == 202).await;
    server.shutdown().await;
}
