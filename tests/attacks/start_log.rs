//! The log of a server that asks nobody for a token: it says the secret of the start once, and of proxies once a minute.

use std::{net::SocketAddr, path::Path};

use serde_json::json;

use kit::{
    Client,
    process::{Process, serve_in_memory},
    wait_for,
    wire::{get, once, post},
};

/// The real binary, and the secret of its start.
struct Logged {
    server: Process,
    address: SocketAddr,
    secret: Option<String>,
}

fn between<'t>(text: &'t str, before: &str, after: &[char]) -> Option<&'t str> {
    text.split_once(before)?.1.split(after).next()
}

impl Logged {
    async fn start(log: &Path, env: &[(&str, &str)]) -> Self {
        let mut command = serve_in_memory();
        command
            .env("STOA_LOG__LEVEL", "trace")
            .envs(env.iter().copied());
        let server = Process::logged(&mut command, log);
        wait_for("the last line of a start", async || {
            ["is admin without a proof", "opens nothing while tokens"]
                .iter()
                .any(|words| !server.lines(words).is_empty())
        })
        .await;
        let text = server.lines("").concat();
        let secret = between(&text, "?token=", &[',', '"', ' ']);
        Self {
            address: server.address,
            secret: secret.map(str::to_owned),
            server,
        }
    }

    /// Ends it, and gives all that it wrote.
    fn end(self, log: &Path) -> String {
        self.server.kill();
        std::fs::read_to_string(log).expect("the log")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_its_secret_once_and_whoever_reads_it_is_admin() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Logged::start(&log, &[]).await;
    let secret = server.secret.clone().expect("the log says it");
    let address = server.address;
    let mut boss = Client::open(address, "/admin", json!({ "token": secret }))
        .await
        .expect("it opens");
    boss.call("list_connections", json!({})).await;
    let bans = "/api/v1/admin/bans";
    let bearer = format!("Authorization: Bearer {secret}\r\n");
    for request in [
        get(bans, &bearer),
        get(&format!("{bans}?token={secret}"), ""),
        get(&format!("/?token={secret}"), ""),
        post(
            &format!("{bans}?token={secret}"),
            "application/json",
            "{\"user\":\"ann\"}",
        ),
    ] {
        assert_eq!(once(address, &request).await.status, 200, "{request}");
    }
    // In a wrong place, and as a part of something else.
    boss.call("revoke", json!({ "user": secret })).await;
    once(
        address,
        &get(&format!("/api/v1/events?run_id={secret}"), ""),
    )
    .await;
    let text = server.end(&log);
    assert_eq!(text.matches(&secret).count(), 1, "{text}");
    let again = Logged::start(&log, &[]).await;
    assert_ne!(
        again.secret.as_deref(),
        Some(secret.as_str()),
        "each start has its own"
    );
    drop(again);
    let named = [(
        "STOA_AUTHENTICATION__START_SECRET",
        "a-secret-of-the-settings",
    )];
    let quiet = Logged::start(&log, &named).await;
    assert_eq!(quiet.secret, None);
    let lines = "Authorization: Bearer a-secret-of-the-settings\r\n";
    assert_eq!(once(quiet.address, &get(bans, lines)).await.status, 200);
    let text = quiet.end(&log);
    assert!(!text.contains("a-secret-of-the-settings"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_front_is_told_of_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Logged::start(&log, &[]).await;
    for n in 0..50 {
        let request = get(
            "/api/v1/state",
            &format!("X-Forwarded-For: 203.0.113.{n}\r\n"),
        );
        assert_eq!(once(server.address, &request).await.status, 403);
    }
    let text = server.end(&log);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("came through a proxy"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("[authentication] required"));
}

/// A page's own browser says little of it; whoever runs the server is told once, whatever comes.
#[tokio::test(flavor = "multi_thread")]
async fn each_origin_and_host_that_is_refused_is_told_of_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Logged::start(&log, &[]).await;
    let of = |origin: &str| get("/api/v1/state", &format!("Origin: {origin}\r\n"));
    let to = |host: &str| get("/", "").replacen("Host: localhost", &format!("Host: {host}"), 1);
    for _ in 0..20 {
        for request in [
            of("http://app.example.org"),
            of("null"),
            of("http://localhost:5173"),
            to("stoa.example.org:8000"),
            to("localhost"),
        ] {
            once(server.address, &request).await;
        }
    }
    for n in 0..500 {
        let request = of(&format!("http://made-up-{n}.example"));
        assert_eq!(once(server.address, &request).await.status, 403);
    }
    let text = server.end(&log);
    let warnings = text.lines().filter(|line| line.contains("\"WARN\""));
    let told: Vec<&str> = warnings
        .filter(|line| line.contains("was refused") || line.contains("not told"))
        .collect();
    for (name, what) in [
        ("app.example.org", "[server] cors_allowed_origins"),
        ("without an origin of its own", "serve it over http"),
        ("stoa.example.org", "[server] hosts"),
        ("are not told for an hour", "stoa_requests_refused_total"),
    ] {
        let lines: Vec<_> = told.iter().filter(|line| line.contains(name)).collect();
        assert!(
            lines.len() == 1 && lines[0].contains(what),
            "{name}: {lines:?}"
        );
    }
    assert_eq!(told.len(), 65, "{told:?}");
    assert!(
        told.iter().all(|line| !line.contains("localhost")),
        "{told:?}"
    );
}

/// The log shows names that clients give themselves and others.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_the_log_holds_what_a_terminal_obeys() {
    const ODD: &str = "x\u{9b}31m\u{85}\u{2028}\u{2029}\u{202e}\u{200b}\u{1b}[2J\u{7f}";
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Logged::start(&log, &[]).await;
    let secret = server.secret.clone().expect("the log says it");
    let auth = json!({ "token": secret, "name": ODD });
    let mut boss = Client::open(server.address, "/admin", auth)
        .await
        .expect("it opens");
    for argument in [
        json!({ "user": ODD }),
        json!({ "user": "ann", "reason": ODD }),
        json!({ "client_id": ODD }),
    ] {
        for act in ["ban", "revoke", "disconnect_client"] {
            boss.call(act, argument.clone()).await;
        }
    }
    let listed = boss.call("list_connections", json!({})).await;
    assert_eq!(listed["connections"][0]["name"], "x31m[2J", "{listed}");
    let text = server.end(&log);
    let is_odd = |c: &char| *c != '\n' && ODD[1..].contains(*c) && !c.is_ascii_graphic();
    assert_eq!(text.chars().find(is_odd), None, "{text}");
    // Nothing is lost by it: a reader of the JSON has what was said.
    assert!(text.contains("u202e"), "{text}");
}
