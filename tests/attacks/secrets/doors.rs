//! The ways to show a token: each door, each transport, and each mistake.

use std::net::SocketAddr;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use kit::{
    PATIENCE,
    raw::{Raw, http, text},
};

/// One attempt to come in by a WebSocket; all that the server said to it.
async fn by_websocket(address: SocketAddr, query: &str, headers: &str, connect: &str) -> String {
    let query = format!("EIO=4&transport=websocket{query}");
    let (mut raw, head) = Raw::upgrade(address, &query, headers).await;
    if !head.starts_with("HTTP/1.1 101") {
        return head;
    }
    raw.send(&text(connect)).await.expect("sends");
    let mut heard = head;
    while !heard.contains("connection_established") && !heard.contains("\n44") {
        match raw.text().await {
            Some(said) => heard += &format!("\n{said}"),
            None => break,
        }
    }
    heard
}

/// The same by polling.
async fn by_polling(address: SocketAddr, query: &str, headers: &str, connect: &str) -> String {
    let path = format!("/socket.io/?EIO=4&transport=polling{query}");
    let (_, head, body) = http(address, &format!("GET {path} HTTP/1.1{headers}"), b"").await;
    let mut heard = head + &String::from_utf8_lossy(&body);
    let Some((_, rest)) = heard.split_once("\"sid\":\"") else {
        return heard;
    };
    let path = format!("{path}&sid={}", rest.split('"').next().expect("its end"));
    http(
        address,
        &format!("POST {path} HTTP/1.1{headers}"),
        connect.as_bytes(),
    )
    .await;
    while !heard.contains("connection_established") && !heard.contains("44{") {
        let (status, _, body) = http(address, &format!("GET {path} HTTP/1.1{headers}"), b"").await;
        heard += &String::from_utf8_lossy(&body);
        if status != 200 {
            break;
        }
    }
    heard
}

/// Each way to show a token to Socket.IO, by both transports. `in_vain`: none of them must let in.
pub async fn every_socket(address: SocketAddr, token: &str, in_vain: bool) -> String {
    let header = format!("Authorization: Bearer {token}");
    let payload = format!("40{}", json!({ "token": token }));
    let mut heard = String::new();
    for (query, header, connect) in [
        ("", "", payload.as_str()),
        (&*format!("&token={token}"), "", "40"),
        (&*format!("&tok%65n={token}&x=1"), "", "40"),
        ("", &*header, "40"),
    ] {
        let line = |end: &str, start: &str| match header {
            "" => String::new(),
            header => format!("{start}{header}{end}"),
        };
        for said in [
            by_websocket(address, query, &line("\r\n", ""), connect).await,
            by_polling(address, query, &line("", "\r\n"), connect).await,
        ] {
            let is_in = said.contains("connection_established");
            assert_eq!(is_in, !in_vain, "{query} {header} {connect}: {said}");
            heard += &said;
        }
    }
    heard
}

/// Each way to show a token over HTTP; what was answered, how many there were, and how many were refused.
pub async fn every_request(address: SocketAddr, token: &str) -> (String, usize, usize) {
    let (mut heard, mut asked, mut refused) = (String::new(), 0, 0);
    let event = r#"{"type":"agent.registered","data":{"agent_id":"a"}}"#;
    for (method, path, body) in [
        ("GET", "/api/v1/state", ""),
        ("GET", "/api/v1/events", ""),
        ("POST", "/api/v1/events", event),
        ("GET", "/api/v1/ws/stats", ""),
        ("GET", "/api/v1/ws/rooms", ""),
        ("GET", "/api/v1/performance", ""),
        ("GET", "/api/v1/health", ""),
        ("GET", "/api/v1/analytics", ""),
        ("GET", "/api/v1/alerts", ""),
        ("GET", "/api/v1/admin/connections", ""),
        ("GET", "/api/v1/admin/bans", ""),
        ("GET", "/api/v1/admin/breakers", ""),
        ("GET", "/api/v1/admin/revocations", ""),
        ("GET", "/api/conversations/recent", ""),
        ("GET", "/metrics", ""),
    ] {
        for head in [
            format!("{method} {path}?token={token} HTTP/1.1"),
            format!("{method} {path} HTTP/1.1\r\nAuthorization: Bearer {token}"),
        ] {
            let head = format!("{head}\r\nContent-Type: application/json");
            let (status, head, body) = http(address, &head, body.as_bytes()).await;
            asked += 1;
            refused += usize::from(status == 401);
            heard += &format!("{head}{}\n", String::from_utf8_lossy(&body));
        }
    }
    for head in [
        format!("/api/v1/stream?token={token} HTTP/1.1"),
        format!("/api/v1/stream HTTP/1.1\r\nAuthorization: Bearer {token}"),
    ] {
        let (begun, is_refused) = stream(address, &head).await;
        asked += 1;
        refused += usize::from(is_refused);
        heard += &begun;
    }
    (heard, asked, refused)
}

/// The beginning of an event stream, or its refusal.
async fn stream(address: SocketAddr, head: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {head}\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut heard = Vec::new();
    loop {
        let said = String::from_utf8_lossy(&heard).into_owned();
        let refused = said.starts_with("HTTP/1.1 401") && said.contains("\"code\"");
        if refused || said.contains("connection_established") {
            return (said, refused);
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut heard)).await;
        assert!(
            read.expect("an answer in time").expect("reads") > 0,
            "{said}"
        );
    }
}

/// All mistakes of a client: what is no request, no token, no JSON, not there, or not allowed.
pub async fn every_mistake(address: SocketAddr, token: &str) -> String {
    let mut heard = String::new();
    for (head, body) in [
        (format!("GET /?token={token} HTTP/1.1"), String::new()),
        (format!("GET /admin?token={token} HTTP/1.1"), String::new()),
        (
            format!("GET /nowhere?token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!("GET /healthz?token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!("GET /readyz?token={token}&token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!("PATCH /api/v1/events?token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!("GET /api/v1/state?token={token}%ZZ&&=& HTTP/1.1"),
            String::new(),
        ),
        (
            format!("GET /api/v1/state?token={token}\r\nOrigin: https://b.example"),
            String::new(),
        ),
        (
            format!("GET /api/v1/state?token={token} HTTP/1.1\r\nOrigin: https://b.example"),
            String::new(),
        ),
        (
            format!("GET /api/v1/state?token={token} HTTP/7.9"),
            String::new(),
        ),
        (
            format!("GET /api/v1/state HTTP/1.1\r\nAuthorization: {token}"),
            String::new(),
        ),
        (
            format!("GET /api/v1/state HTTP/1.1\r\nAuthorization: Basic {token}"),
            String::new(),
        ),
        (
            format!(
                "GET /api/v1/state HTTP/1.1\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {token}"
            ),
            String::new(),
        ),
        (
            format!("GET /api/v1/events?limit=many&token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!("POST /api/v1/events?token={token} HTTP/1.1\r\nContent-Type: application/json"),
            "{".into(),
        ),
        (
            format!(
                "GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA&token={token} HTTP/1.1"
            ),
            String::new(),
        ),
        (
            format!("GET /socket.io/?EIO=9&transport=polling&token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!("GET /socket.io/?EIO=4&transport=pigeon&token={token} HTTP/1.1"),
            String::new(),
        ),
        (
            format!(
                "GET /socket.io/?EIO=4&transport=polling&token={token} HTTP/1.1\r\nOrigin: https://b.example"
            ),
            String::new(),
        ),
        (
            format!(
                "GET /socket.io/?EIO=4&transport=websocket&token={token} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket"
            ),
            String::new(),
        ),
        (
            format!(
                "GET /socket.io/?EIO=4&transport=polling&token={token} HTTP/1.1\r\n{}",
                "X-A: b\r\n".repeat(120).trim_end()
            ),
            String::new(),
        ),
    ] {
        let (_, head, body) = http(address, &head, body.as_bytes()).await;
        heard += &format!("{head}{}\n", String::from_utf8_lossy(&body));
    }
    for connect in [
        json!({ "token": [token] }).to_string(),
        json!([token]).to_string(),
        json!(token).to_string(),
        format!("{{\"token\":\"{token}"),
        json!({ "token": format!("Bearer {token}") }).to_string(),
    ] {
        heard += &by_websocket(address, "", "", &format!("40{connect}")).await;
    }
    heard
}
