//! Foreign web pages at every door (cross-site WebSocket hijacking, permissive CORS).

use serde_json::json;

use crate::{
    common::{Client, server, server_with},
    wire::{self, Answer, POLLING, SOCKET, UPGRADE, get, once, post},
};

/// One request of each kind that a page can send, from this origin.
async fn from_everywhere(address: std::net::SocketAddr, origin: &str) -> Vec<Answer> {
    let lines = format!("Origin: {origin}\r\n");
    let event = post("/api/v1/events", "text/plain", "{\"type\":\"a.b\"}");
    vec![
        once(address, &get(SOCKET, &format!("{lines}{UPGRADE}"))).await,
        once(address, &get(POLLING, &lines)).await,
        once(address, &get("/api/v1/stream", &lines)).await,
        once(address, &get("/api/v1/state", &lines)).await,
        once(address, &event.replacen("\r\n", &format!("\r\n{lines}"), 1)).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_are_refused_at_every_door_and_listed_ones_are_not() {
    let server = server_with(|c| {
        c.server.cors_allowed_origins = vec!["https://app.example".into()];
    })
    .await;
    let address = server.address();
    let (mut good, _) = Client::connect(address, json!({})).await;
    let foreign = [
        "https://evil.example",
        "null",
        "https://sub.app.example",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
    ];
    for origin in foreign {
        for answer in from_everywhere(address, origin).await {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, "forbidden"),
                "{origin}: {answer:?}"
            );
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{answer:?}"
            );
        }
    }
    let sessions = wire::counted(address, "stoa_connections{namespace=\"/\"}").await;
    assert_eq!(sessions, 1, "only the good client's");
    assert_eq!(wire::refused(address, "origin", "foreign").await, 6 * 5);
    let allowed = from_everywhere(address, "https://app.example").await;
    let statuses: Vec<u16> = allowed.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [101, 200, 200, 200, 202]);
    let own = from_everywhere(address, "http://stoa.test").await;
    let statuses: Vec<u16> = own.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [101, 200, 200, 200, 202], "the server's own page");
    good.call("ping", json!({})).await;
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
        let answer = once(address, &request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "forbidden"),
            "{answer:?}"
        );
    }
    assert_eq!(wire::refused(address, "origin", "missing").await, 3);
    let page = once(address, &get(POLLING, "Origin: https://app.example\r\n")).await;
    assert_eq!(page.status, 200);
    let own = once(address, &get(POLLING, "Sec-Fetch-Site: same-origin\r\n")).await;
    assert_eq!(own.status, 200);
    let event = post("/api/v1/events", "application/json", "{\"type\":\"a.b\"}");
    assert_eq!(
        once(address, &event).await.status,
        202,
        "producers are no pages"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_lets_every_page_in() {
    let server = server().await;
    let answers = from_everywhere(server.address(), "https://anybody.example").await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [101, 200, 200, 200, 202]);
    server.shutdown().await;
}
