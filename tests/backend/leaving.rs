//! Disconnects: a service that is down meanwhile is told later, and what it wants done then is done.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::response::IntoResponse;
use kit::{Client, application::Application, counted_in, wait_for};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::backend::{calls, client, server_of};

#[tokio::test]
async fn a_service_that_was_down_is_told_of_who_left_and_its_answer_is_carried_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/stoa");
    let server = server_of(&url, |config| {
        config.backend.connect = false;
        config.backend.open_for.set(0.2).unwrap();
    })
    .await;
    let (mut stays, _) = Client::connect(server.address(), json!({})).await;
    let leaver = client(&server).await;
    let id = leaver.sid.clone();
    leaver.close().await;
    wait_for("a first try", async || {
        counted_in(&server, "stoa_backend_disconnects_waiting") == 1
    })
    .await;
    let listener = TcpListener::bind(address).await.unwrap();
    let application = Application::serve_on(listener, |call: Value| async move {
        let id = call["client_id"].clone();
        axum::Json(json!({ "do": [
            { "join": "the lobby" },
            { "emit": { "event": "left", "args": [id, call["reason"]] } },
        ] }))
        .into_response()
    })
    .await;
    assert_eq!(stays.event("left").await, id);
    let calls = application.calls();
    assert_eq!(calls.len(), 1, "it is told once");
    assert_eq!(
        counted_in(&server, "stoa_backend_disconnects_lost_total"),
        0
    );
    assert_eq!(counted_in(&server, "stoa_backend_disconnects_waiting"), 0);
    // The client can't join a room, since it is gone.
    assert_eq!(
        counted_in(
            &server,
            "stoa_operations_total{operation=\"join\",code=\"not_found\"}"
        ),
        1
    );
}

#[tokio::test]
async fn a_service_that_takes_nothing_now_is_told_later_by_the_same_call() {
    let busy = Arc::new(AtomicU32::new(0));
    let application = Application::serve(move |_| {
        let is_busy = busy.fetch_add(1, Ordering::SeqCst) < 4;
        async move {
            if is_busy {
                let later = [(http::header::RETRY_AFTER, "0")];
                return (http::StatusCode::SERVICE_UNAVAILABLE, later).into_response();
            }
            http::StatusCode::NO_CONTENT.into_response()
        }
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.backend.connect = false;
    })
    .await;
    client(&server).await.close().await;
    wait_for("an answer", async || {
        calls(&server, "disconnect", "ok") == 1
    })
    .await;
    assert_eq!(calls(&server, "disconnect", "not_now"), 1);
    let told = application.calls();
    assert_eq!(told.len(), 5, "three tries, and two later");
    for again in &told[1..] {
        assert_eq!(again.body, told[0].body, "the same id and time");
    }
    assert_eq!(
        counted_in(&server, "stoa_backend_disconnects_lost_total"),
        0
    );
}

#[tokio::test]
async fn a_disconnect_that_nobody_takes_is_counted() {
    let server = server_of("http://127.0.0.1:9/stoa", |config| {
        config.backend.connect = false;
        config.backend.disconnect_patience.set(0.0).unwrap();
    })
    .await;
    client(&server).await.close().await;
    wait_for("the count", async || {
        counted_in(&server, "stoa_backend_disconnects_lost_total") == 1
    })
    .await;
}

#[tokio::test]
async fn the_service_serves_declared_namespaces() {
    let application = Application::start(|call| match call["type"].as_str() {
        Some("event") => json!({ "ack": [call["namespace"]], "do": [{ "join": "the lobby" }] }),
        _ => json!({}),
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.namespaces.declared = vec!["/chat".into(), "/jobs".into()];
        config.backend.namespaces = vec!["/".into(), "/chat".into()];
    })
    .await;
    let mut chat = Client::open(server.address(), "/chat", json!({}))
        .await
        .unwrap();
    assert_eq!(chat.call("hello", json!(1)).await, "/chat");
    let mut jobs = Client::open(server.address(), "/jobs", json!({}))
        .await
        .unwrap();
    let answer = jobs.call("hello", json!(1)).await;
    assert_eq!(answer["error"]["code"], "unknown_event", "{answer}");
    assert!(
        application
            .calls()
            .iter()
            .all(|call| call.body["namespace"] != "/jobs")
    );
}
