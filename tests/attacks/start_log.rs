//! The log of a server that asks nobody for a token: it says the secret of the start once, and of proxies once a minute.

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::json;

use crate::{
    common::{Client, PATIENCE},
    wire::{get, once, post},
};

/// The real binary, its log in a file.
struct Logged {
    child: Child,
    address: SocketAddr,
    secret: Option<String>,
}

fn between<'t>(text: &'t str, before: &str, after: &[char]) -> Option<&'t str> {
    text.split_once(before)?.1.split(after).next()
}

impl Logged {
    async fn start(log: &Path, env: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_stoa"))
            .args(["serve", "--port", "0"])
            .env("STOA_LOG__FORMAT", "json")
            .env("STOA_LOG__LEVEL", "trace")
            .env("STOA_JOURNAL__KIND", "memory")
            .envs(env.iter().copied())
            .stdout(File::create(log).expect("the log"))
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let said = async {
            loop {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                let address = between(&text, "\"address\":\"", &['"']);
                // This is the last line of a start.
                let proof = text.contains("nobody is admin without a proof");
                let required = text.contains("opens nothing while tokens are required");
                if let (Some(address), true) = (address, proof || required) {
                    let secret = between(&text, "?token=", &[',', '"', ' ']);
                    let address = address.parse().expect("an address");
                    return (address, secret.map(str::to_owned));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let said = tokio::time::timeout(PATIENCE, said).await;
        let (address, secret) = said.expect("it says that it listens");
        Self {
            child,
            address,
            secret,
        }
    }

    /// Ends it, and gives all that it wrote.
    fn end(mut self, log: &Path) -> String {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        std::fs::read_to_string(log).expect("the log")
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
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

/// What clients call themselves and others stands in lines of the log.
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
