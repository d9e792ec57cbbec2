//! Foreign web pages at every door (cross-site WebSocket hijacking, permissive CORS, DNS rebinding).

use std::net::SocketAddr;

use serde_json::json;

use kit::{
    Client, get as get_json, server, server_with,
    wire::{Answer, POLLING, SOCKET, UPGRADE, get, once, post},
};

const EVENT: &str = "{\"type\":\"a.b\"}";
const RUN: &str = "{\"type\":\"RUN_STARTED\",\"threadId\":\"t\",\"runId\":\"r\"}";
const HOOK: &str =
    "{\"hook_event_name\":\"UserPromptSubmit\",\"session_id\":\"s\",\"prompt\":\"forged\"}";

/// The same request with more header lines.
fn with(request: &str, lines: &str) -> String {
    request.replacen("\r\n", &format!("\r\n{lines}"), 1)
}

/// The same request to another host.
fn to(request: &str, host: &str) -> String {
    request.replacen("Host: localhost", &format!("Host: {host}"), 1)
}

/// One request of each kind that a page can send.
fn of_every_kind() -> Vec<String> {
    vec![
        get(SOCKET, UPGRADE),
        get(POLLING, ""),
        get("/api/v1/stream", ""),
        get("/api/v1/state", ""),
        get("/api/v1/events", ""),
        get("/api/v1/ws/stats", ""),
        get("/api/conversations/recent", ""),
        get("/metrics", ""),
        post("/api/v1/events", "text/plain", EVENT),
        post("/api/v1/events", "application/x-www-form-urlencoded", EVENT),
        post("/api/v1/events", "application/json", EVENT),
        post("/api/v1/admin/bans", "text/plain", "{\"user\":\"ann\"}"),
        with(&get("/api/v1/events", ""), "").replacen("GET", "OPTIONS", 1),
        post("/ag-ui/in", "text/plain", RUN),
        post("/vercel/in", "text/plain", "{\"type\":\"start\"}"),
        post(
            "/langgraph/in",
            "text/plain",
            "{\"event\":\"on_chain_start\"}",
        ),
        post("/hooks/claude", "text/plain", HOOK),
        post("/v1/traces", "text/plain", "{}"),
        post("/v1/logs", "text/plain", "{}"),
        post("/v1/metrics", "text/plain", "{}"),
        post("/api/v1/otlp/v1/traces", "text/plain", "{}"),
        post("/api/v1/emit", "text/plain", "{\"event\":\"e\"}"),
        post("/api/v1/inputs/q", "text/plain", "{\"value\":\"yes\"}"),
        post("/a/door/of/tomorrow", "text/plain", "{}"),
    ]
}

/// The first eight of them and the two plain ones: those that are answered with success where they may be sent.
fn allowed_kinds() -> Vec<String> {
    of_every_kind().into_iter().take(11).collect()
}

const ALLOWED: [u16; 11] = [101, 200, 200, 200, 200, 200, 200, 200, 202, 202, 202];

async fn from_everywhere(address: SocketAddr, origin: &str, host: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for request in of_every_kind() {
        let request = to(&with(&request, &format!("Origin: {origin}\r\n")), host);
        answers.push(once(address, &request).await);
    }
    answers
}

async fn statuses(address: SocketAddr, lines: &str, host: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in allowed_kinds() {
        let answer = once(address, &to(&with(&request, lines), host)).await;
        statuses.push(answer.status);
    }
    statuses
}

fn assert_refused(answers: &[Answer], what: &str) {
    for answer in answers {
        let got = (answer.status, answer.code());
        assert_eq!(got, (403, "forbidden".to_owned()), "{what}: {answer:?}");
        let told = answer.header("access-control-allow-origin");
        assert_eq!(told, None, "{what}: {answer:?}");
    }
}

/// Nothing of what was refused was kept.
async fn assert_nothing_kept(address: SocketAddr) {
    let (_, history) = get_json(address, "/api/v1/events").await;
    assert_eq!(history["events"], json!([]), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_as_it_comes_refuses_foreign_pages_and_lets_those_of_this_machine_in() {
    let server = server().await;
    let address = server.address();
    let (mut good, _) = Client::connect(address, json!({})).await;
    for origin in [
        "http://evil.test",
        "https://evil.example",
        "null",
        "file://",
        "http://localhost.evil.test:5173",
        "http://192.168.1.7:8000",
        "chrome-extension://abcdefghijklmnop",
    ] {
        let answers = from_everywhere(address, origin, "localhost").await;
        assert_refused(&answers, origin);
    }
    assert_nothing_kept(address).await;
    let kinds = of_every_kind().len() as u64;
    assert_eq!(kit::refused(address, "origin", "foreign").await, 7 * kinds);
    let sessions = kit::counted(address, "stoa_connections{namespace=\"/\"}").await;
    assert_eq!(sessions, 1, "only the good client's");
    for origin in [
        "http://localhost:5173",
        "http://127.0.0.1:8080",
        "https://app.localhost",
        "http://[::1]:3000",
        &format!("http://{address}"),
    ] {
        let lines = format!("Origin: {origin}\r\n");
        let host = address.to_string();
        assert_eq!(statuses(address, &lines, &host).await, ALLOWED, "{origin}");
    }
    assert_eq!(
        statuses(address, "", "localhost").await,
        ALLOWED,
        "programs"
    );
    good.call("ping", json!({})).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_embeds_without_an_origin_is_refused_too() {
    let server = server().await;
    let address = server.address();
    let embedded =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    for request in [
        get("/api/v1/stream", embedded),
        get("/api/v1/state", embedded),
        get(POLLING, embedded),
    ] {
        assert_refused(&[once(address, &request).await], &request);
    }
    let followed =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let link = once(address, &get("/api/v1/state", followed)).await;
    assert_eq!(link.status, 200, "a link that somebody follows: {link:?}");
    // A form is followed, too, and some browsers send it without an origin.
    let same_site = followed.replace("cross-site", "same-site");
    for media in ["text/plain", "application/x-www-form-urlencoded"] {
        for lines in [followed, &same_site] {
            let form = with(&post("/api/v1/events", media, EVENT), lines);
            assert_refused(&[once(address, &form).await], "a form that is sent off");
        }
    }
    assert_nothing_kept(address).await;
    // Answers are never run or shown in another page, whatever it embeds.
    assert_eq!(
        link.header("x-content-type-options").as_deref(),
        Some("nosniff")
    );
    assert_eq!(link.header("x-frame-options").as_deref(), Some("DENY"));
    server.shutdown().await;
}

/// A page whose own name was made to point to this machine is, to its browser, a page of this server.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_pointed_here_opens_nothing() {
    let server = server().await;
    let address = server.address();
    let port = address.port();
    let host = format!("evil.test:{port}");
    let answers = from_everywhere(address, &format!("http://{host}"), &host).await;
    assert_refused(&answers, "rebound, with its origin");
    assert!(answers[0].body.contains("evil.test") && answers[0].body.contains("[server] hosts"));
    for request in of_every_kind() {
        let same = with(&to(&request, &host), "Sec-Fetch-Site: same-origin\r\n");
        assert_refused(&[once(address, &same).await], "rebound, without one");
    }
    for path in ["/", "/assets/x.js", "/healthz", "/readyz"] {
        let answer = once(address, &to(&get(path, ""), &host)).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    let absolute = get("http://evil.test/api/v1/state", "");
    assert_refused(&[once(address, &absolute).await], "in the target");
    let absolute = to(&get("http://localhost/api/v1/state", ""), "evil.test");
    assert_refused(&[once(address, &absolute).await], "beside a right target");
    assert_nothing_kept(address).await;
    let refused = kit::refused(address, "host", "unknown").await;
    assert_eq!(refused, 2 * of_every_kind().len() as u64 + 6);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_loopback_names_and_listed_hosts_are_answered() {
    let server = server_with(|c| {
        c.server.hosts = vec!["stoa.test".into(), "*.apps.test".into()];
    })
    .await;
    let address = server.address();
    let port = address.port();
    for host in [
        "localhost",
        "demo.localhost:3000",
        "127.0.0.1:1",
        "[::1]",
        "192.0.2.9",
        "stoa.test",
        "Stoa.Test.:8000",
        "one.apps.test",
    ] {
        assert_eq!(statuses(address, "", host).await, ALLOWED, "{host}");
    }
    let (own, host) = (
        format!("http://stoa.test:{port}"),
        format!("stoa.test:{port}"),
    );
    let own = format!("Origin: {own}\r\n");
    assert_eq!(
        statuses(address, &own, &host).await,
        ALLOWED,
        "its own page"
    );
    let sibling = format!("Origin: http://one.apps.test:{port}\r\n");
    let answer = once(address, &to(&get(POLLING, &sibling), &host)).await;
    assert_eq!(answer.status, 403, "a host is no allowed origin");
    server.shutdown().await;
}

/// Two readers of a request must not disagree on where it goes and where it ends.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_codings_that_can_be_read_in_two_ways_are_refused() {
    let server = server().await;
    let address = server.address();
    let state = get("/api/v1/state", "");
    let posted = post("/api/v1/events", "application/json", EVENT);
    let coded = |coding: &str| {
        let head = format!(
            "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{coding}\r\n"
        );
        format!("{head}e\r\n{EVENT}\r\n0\r\n\r\n")
    };
    for (request, status) in [
        (state.replacen("Host: localhost\r\n", "", 1), 400),
        (posted.replacen("Host: localhost\r\n", "", 1), 400),
        (to(&state, ""), 400),
        (to(&state, "localhost\r\nHost: localhost"), 400),
        (to(&state, "localhost\r\nHost: evil.test"), 400),
        (to(&state, "me@localhost"), 400),
        (to(&state, "localhost:99999"), 400),
        (coded("Transfer-Encoding: gzip, chunked\r\n"), 501),
        (
            coded("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
            501,
        ),
        (coded("Transfer-Encoding: chunked, chunked\r\n"), 501),
        (coded("Transfer-Encoding: chunked\r\n"), 202),
        (
            state.replacen("HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.0\r\n", 1),
            200,
        ),
    ] {
        let answer = once(address, &request).await;
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        if status != 202 && status != 200 {
            assert_eq!(answer.code(), "bad_request", "{answer:?}");
            let connection = answer.header("connection");
            assert_eq!(connection.as_deref(), Some("close"), "{request}");
        }
    }
    assert_eq!(kit::refused(address, "host", "missing").await, 3);
    assert_eq!(kit::refused(address, "host", "double").await, 2);
    assert_eq!(kit::refused(address, "http", "transfer_encoding").await, 3);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_list_foreign_pages_are_refused_at_every_door_and_listed_ones_are_not() {
    let server = server_with(|c| {
        c.server.cors_allowed_origins = vec!["https://app.example".into()];
    })
    .await;
    let address = server.address();
    for origin in [
        "https://evil.example",
        "null",
        "https://sub.app.example",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
        "http://localhost:5173",
    ] {
        let answers = from_everywhere(address, origin, "localhost").await;
        assert_refused(&answers, origin);
    }
    assert_nothing_kept(address).await;
    for origin in ["https://app.example", "http://localhost"] {
        let lines = format!("Origin: {origin}\r\n");
        let statuses = statuses(address, &lines, "localhost").await;
        assert_eq!(statuses, ALLOWED, "{origin}: listed, or the server's own");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_may_be_made_a_must() {
    let server = server_with(|c| {
        c.server.cors_allowed_origins = vec!["https://app.example".into()];
        c.server.require_origin = true;
    })
    .await;
    let address = server.address();
    for request in [
        get(SOCKET, UPGRADE),
        get(POLLING, ""),
        get("/api/v1/stream", ""),
    ] {
        assert_refused(&[once(address, &request).await], &request);
    }
    assert_eq!(kit::refused(address, "origin", "missing").await, 3);
    let page = once(address, &get(POLLING, "Origin: https://app.example\r\n")).await;
    assert_eq!(page.status, 200);
    let own = once(address, &get(POLLING, "Sec-Fetch-Site: same-origin\r\n")).await;
    assert_eq!(own.status, 200);
    let event = post("/api/v1/events", "application/json", EVENT);
    assert_eq!(
        once(address, &event).await.status,
        202,
        "producers are no pages"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_lets_every_page_in() {
    let server = server_with(|c| c.server.cors_allowed_origins = vec!["*".into()]).await;
    let address = server.address();
    for origin in ["https://anybody.example", "null"] {
        let lines = format!("Origin: {origin}\r\n");
        assert_eq!(
            statuses(address, &lines, "localhost").await,
            ALLOWED,
            "{origin}"
        );
    }
    server.shutdown().await;
}

/// Browsers ask first for anything that a form couldn't send; tracing libraries add headers of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_allows_what_it_asks_for_to_pages_that_may_connect() {
    let server = server().await;
    let address = server.address();
    let asked = |origin: &str| {
        let lines = format!(
            "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: traceparent,x-team,authorization\r\n"
        );
        get("/api/v1/events", &lines).replacen("GET", "OPTIONS", 1)
    };
    let answer = once(address, &asked("http://localhost:5173")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let header = |name| answer.header(name).unwrap_or_default();
    assert_eq!(
        header("access-control-allow-origin"),
        "http://localhost:5173"
    );
    assert_eq!(header("access-control-allow-credentials"), "true");
    assert_eq!(
        header("access-control-allow-headers"),
        "traceparent,x-team,authorization"
    );
    assert!(header("access-control-allow-methods").contains("DELETE"));
    assert_eq!(header("access-control-max-age"), "3600");
    assert_refused(
        &[once(address, &asked("http://evil.test")).await],
        "a foreign one",
    );
    let read = get("/api/v1/state", "Origin: http://localhost:5173\r\n");
    let answer = once(address, &read).await;
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed.as_deref(), Some("retry-after"));
    server.shutdown().await;
}

/// A browser that offers subprotocols closes a WebSocket that names none of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_subprotocol_offered_is_agreed_on_and_jsonp_is_refused() {
    let server = server().await;
    let address = server.address();
    let offer = format!("{UPGRADE}Sec-WebSocket-Protocol: stoa.v1, other\r\n");
    let answer = once(address, &get(SOCKET, &offer)).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    let agreed = answer.header("sec-websocket-protocol");
    assert_eq!(agreed.as_deref(), Some("stoa.v1"));
    let plain = once(address, &get(SOCKET, UPGRADE)).await;
    assert_eq!(plain.header("sec-websocket-protocol"), None);
    let jsonp = once(address, &get("/socket.io/?EIO=3&transport=polling&j=0", "")).await;
    assert_eq!((jsonp.status, jsonp.code().as_str()), (400, "bad_request"));
    assert!(jsonp.body.contains("JSONP"), "{jsonp:?}");
    server.shutdown().await;
}
