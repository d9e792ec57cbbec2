//! Many clients at a time: calls are bounded over all, those that wait are bounded, and nothing is left behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::response::IntoResponse;
use kit::{Client, application::Application, counted_in};
use serde_json::{Value, json};
use stoa::server::Running;

use crate::backend::{calls, server_of};

#[tokio::test(flavor = "multi_thread")]
async fn so_many_calls_go_at_a_time_and_each_client_has_one() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, peak) = (now.clone(), most.clone());
    let application = Application::serve(move |call: Value| {
        let (running, peak) = (running.clone(), peak.clone());
        async move {
            let is_event = call["type"] == "event";
            if is_event {
                let count = running.fetch_add(1, Ordering::SeqCst) + 1;
                peak.fetch_max(count, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
            axum::Json(json!({ "ack": [call["args"][0]] })).into_response()
        }
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.backend.max_calls.set(4).unwrap();
    })
    .await;
    let address = server.address();
    let clients = (0..40).map(|_| {
        tokio::spawn(async move {
            let mut client = Client::connect(address, json!({})).await.0;
            let mut acks = Vec::new();
            for n in 0..10 {
                acks.push((n, client.call_later("step", json!(n)).await));
            }
            for (n, ack) in acks {
                assert_eq!(client.ack(ack).await, n);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client
            .await
            .expect("all of its events are answered in order");
    }
    assert_eq!(most.load(Ordering::SeqCst), 4, "at a time");
    assert_eq!(now.load(Ordering::SeqCst), 0);
    // In the order of each client.
    let mut last = std::collections::HashMap::new();
    for call in application.calls().iter().filter(|call| call.is("event")) {
        let client = call.body["client_id"].as_str().unwrap().to_owned();
        let n = call.body["args"][0].as_u64().unwrap();
        let before = last.insert(client, n);
        assert_eq!(before.map_or(0, |before| before + 1), n);
    }
    kit::wait_for("nothing to wait", async || {
        counted_in(&server, "stoa_backend_in_flight") + counted_in(&server, "stoa_backend_waiting")
            == 0
    })
    .await;
    assert_eq!(counted_in(&server, "stoa_backend_waiting_bytes"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_what_may_wait_clients_are_told_at_once() {
    let application = Application::serve(|call: Value| async move {
        if call["type"] == "event" {
            std::future::pending::<()>().await;
        }
        axum::Json(json!({})).into_response()
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.backend.max_calls.set(1).unwrap();
        config.backend.max_waiting.set(2).unwrap();
        config.backend.timeout.set(600.0).unwrap();
        config.backend.max_wait.set(600.0).unwrap();
    })
    .await;
    let mut stuck = crate::backend::client(&server).await;
    stuck.emit("stuck", json!(null)).await;
    kit::wait_for("a call", async || {
        counted_in(&server, "stoa_backend_in_flight") == 1
    })
    .await;
    // The connects of these would wait for the one that is stuck, so they are told.
    let address = server.address();
    let connect = move || Client::open(address, "/", json!({}));
    let waiting = [(); 2].map(|()| tokio::spawn(async move { connect().await.is_ok() }));
    kit::wait_for("two that wait", async || {
        counted_in(&server, "stoa_backend_waiting") == 2
    })
    .await;
    let message = connect().await.expect_err("it is refused");
    assert!(message.starts_with("overloaded: "), "{message}");
    assert_eq!(calls(&server, "connect", "too_many_waiting"), 1);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A server, its service, which is busy with its only call for ever, and the client whose event that is.
async fn occupied(max_bytes: u64) -> (Running, Application, Client) {
    let application = Application::serve(|call: Value| async move {
        if call["event"] == "stuck" {
            std::future::pending::<()>().await;
        }
        axum::Json(json!({ "ack": ["handled"] })).into_response()
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.backend.max_calls.set(1).unwrap();
        config.backend.max_waiting_bytes.set(max_bytes).unwrap();
        config.backend.timeout.set(600.0).unwrap();
        config.backend.max_wait.set(600.0).unwrap();
        config.backend.connect = false;
    })
    .await;
    let mut stuck = crate::backend::client(&server).await;
    stuck.emit("stuck", json!(null)).await;
    kit::wait_for("a call", async || {
        counted_in(&server, "stoa_backend_in_flight") == 1
    })
    .await;
    (server, application, stuck)
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bytes_that_may_wait_all_that_wait_are_told() {
    let (server, _application, mut stuck) = occupied(200_000).await;
    let mut waits = crate::backend::client(&server).await;
    let waiting = waits.call_later("small", json!(null)).await;
    kit::wait_for("one that waits", async || {
        counted_in(&server, "stoa_backend_waiting") == 1
    })
    .await;
    // Behind the one that is stuck its client's further events pile up.
    for _ in 0..5 {
        stuck.emit("large", json!("x".repeat(50_000))).await;
    }
    let told = waits.ack(waiting).await;
    assert_eq!(told["error"]["code"], "overloaded", "{told}");
    assert_eq!(calls(&server, "event", "too_many_bytes"), 1);
    assert_eq!(
        waits.call("ping", json!(null)).await["status"],
        "ok",
        "all else goes on"
    );
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_for_their_turn_count_with_their_bytes() {
    let (server, _application, stuck) = occupied(200_000).await;
    // One event of each: nothing is behind it in its inbox.
    let large = json!("x".repeat(50_000));
    let mut waiting = Vec::new();
    for number in 1..=4 {
        let mut waits = crate::backend::client(&server).await;
        let ack = waits.call_later("large", large.clone()).await;
        waiting.push((waits, ack));
        kit::wait_for("one more that waits, or all told", async || {
            counted_in(&server, "stoa_backend_waiting_bytes") > number * 50_000
                || calls(&server, "event", "too_many_bytes") > 0
        })
        .await;
    }
    // The last one may have room when those before it are told.
    for (mut waits, ack) in waiting.drain(..3) {
        let told = waits.ack(ack).await;
        assert_eq!(told["error"]["code"], "overloaded", "{told}");
    }
    assert!(counted_in(&server, "stoa_backend_waiting_bytes") < 100_000);
    drop(stuck);
}
