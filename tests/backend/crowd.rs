//! Five hundred clients at a service that is wrong, slow or down: each is told, in bounded time, and nothing piles up.

use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::StatusCode;
use kit::{Client, application::Application, counted_in, wait_for};
use serde_json::{Value, json};

use crate::backend::{client, server_of};

const CLIENTS: usize = 500;

async fn wrong(call: Value) -> Response {
    match call["event"].as_str() {
        Some("crashes") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some("garbage") => "<html>hello</html>".into_response(),
        Some("large") => vec![b' '; 10_000_000].into_response(),
        Some("slow") => std::future::pending().await,
        _ => axum::Json(json!({ "ack": ["well"] })).into_response(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_clients_of_a_service_that_lies_are_told_and_nothing_piles_up() {
    let application = Application::serve(wrong).await;
    let server = server_of(&application.url, |config| {
        config.backend.connect = false;
        config.backend.disconnect = false;
        config.backend.timeout.set(1.0).unwrap();
        config.backend.max_wait.set(2.0).unwrap();
        config.backend.max_calls.set(64).unwrap();
        // The wrong answers are the question here, not how soon they are no longer waited for.
        config.backend.open_for.set(0.05).unwrap();
    })
    .await;
    let address = server.address();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::open(address, "/", json!({})).await.unwrap());
    }
    let mut other = client(&server).await;
    for event in ["crashes", "garbage", "large", "slow"] {
        let began = Instant::now();
        let asking = clients
            .iter_mut()
            .map(|client| client.call(event, json!(null)));
        let meanwhile = async {
            // All that is Stoa's own goes on.
            for _ in 0..20 {
                assert_eq!(other.call("ping", json!(null)).await["status"], "ok");
            }
        };
        let (answers, ()) = tokio::join!(join_all(asking), meanwhile);
        for answer in &answers {
            let code = answer["error"]["code"].as_str().unwrap_or_default();
            let is_known = ["backend_unavailable", "timeout", "overloaded"].contains(&code);
            assert!(is_known, "{event}: {answer}");
            assert!(answer["error"]["message"].as_str().unwrap().len() > 30);
        }
        assert_eq!(answers.len(), CLIENTS);
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{event} took {:?}",
            began.elapsed()
        );
        wait_for("nothing is left", async || {
            ["in_flight", "waiting", "waiting_bytes"]
                .iter()
                .all(|what| counted_in(&server, &format!("stoa_backend_{what}")) == 0)
        })
        .await;
    }
    wait_for("the service is asked again", async || {
        other.call("well", json!(null)).await == "well"
    })
    .await;
}
