//! A service that is down, slow or wrong: its clients are told in bounded time, and all else goes on.

use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use kit::{Client, application::Application, counted_in};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::backend::{calls, client, server_of};

/// A service that lets everybody in and answers events by this.
async fn wrong(answer: impl Fn(&Value) -> Response + Clone + Send + Sync + 'static) -> Application {
    Application::serve(move |call| {
        let answer = match call["type"].as_str() {
            Some("event") => answer(&call),
            _ => StatusCode::NO_CONTENT.into_response(),
        };
        async move { answer }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_and_shuts_nobody_else_out() {
    let elsewhere = Application::start(|_| json!({ "ack": ["from elsewhere"] })).await;
    let to = elsewhere.url.clone();
    let application = wrong(move |call| match call["event"].as_str() {
        Some("crashes") => (StatusCode::INTERNAL_SERVER_ERROR, "a stack trace").into_response(),
        Some("missing") => StatusCode::NOT_FOUND.into_response(),
        Some("garbage") => "<html>hello</html>".into_response(),
        Some("list") => axum::Json(json!([1])).into_response(),
        Some("large") => vec![b' '; 10_000_000].into_response(),
        Some("moved") => Redirect::temporary(&to).into_response(),
        _ => axum::Json(json!({ "ack": ["well"] })).into_response(),
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let mut client = client(&server).await;
    for (event, outcome) in [
        ("crashes", "status"),
        ("missing", "status"),
        ("garbage", "garbage"),
        ("list", "garbage"),
        ("large", "too_large"),
        ("moved", "status"),
    ] {
        // More in a row than open the breaker: the service is there all the same.
        for _ in 0..6 {
            let answer = client.call(event, json!(null)).await;
            let error = &answer["error"];
            assert_eq!(error["code"], "backend_unavailable", "{event}: {answer}");
            assert!(
                !error["message"].as_str().unwrap().contains("127.0.0.1"),
                "{answer}"
            );
        }
        assert!(calls(&server, "event", outcome) >= 6, "{event}");
        assert_eq!(
            client.call("well", json!(null)).await,
            "well",
            "after {event}"
        );
    }
    assert!(elsewhere.calls().is_empty(), "no redirect is followed");
}

#[tokio::test]
async fn a_service_that_is_down_costs_little_and_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = server_of(&format!("http://{address}/stoa"), |config| {
        config.backend.connect = false;
        config.backend.open_for.set(0.2).unwrap();
    })
    .await;
    let mut client = client(&server).await;
    let began = Instant::now();
    for _ in 0..200 {
        let answer = client.call("hello", json!(null)).await;
        assert_eq!(answer["error"]["code"], "backend_unavailable", "{answer}");
        // All that is Stoa's own goes on.
        assert_eq!(client.call("ping", json!(null)).await["status"], "ok");
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert!(calls(&server, "event", "no_connection") >= 1);
    assert!(
        calls(&server, "event", "breaker") > 100,
        "the breaker opened"
    );
    assert!(
        counted_in(&server, "stoa_backend_retries_total") >= 2,
        "nothing was sent, so it may be tried again"
    );
    let (_, ready) = kit::get(server.address(), "/readyz").await;
    assert!(
        ready["parts"]["breakers"]["parts"]["backend"].is_string(),
        "{ready}"
    );
    let listener = TcpListener::bind(address).await.unwrap();
    let _application = Application::serve_on(listener, |_| async {
        axum::Json(json!({ "ack": ["here"] })).into_response()
    })
    .await;
    kit::wait_for("the service", async || {
        client.call("hello", json!(null)).await == "here"
    })
    .await;
}

#[tokio::test]
async fn a_client_that_may_have_been_let_in_is_said_to_have_left() {
    let application = Application::serve(|call: Value| async move {
        match call["type"].as_str() {
            Some("connect") if call["auth"]["refuse"] == true => {
                axum::Json(json!({ "refuse": { "message": "no" } })).into_response()
            }
            Some("connect") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => StatusCode::NO_CONTENT.into_response(),
        }
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    // The service knows that it refused this one.
    let refused = Client::open(server.address(), "/", json!({ "refuse": true })).await;
    refused.expect_err("refused");
    let failed = Client::open(server.address(), "/", json!({})).await;
    let message = failed.expect_err("the service failed");
    assert!(message.starts_with("backend_unavailable: "), "{message}");
    let left = application
        .call_where("the end of the second", |call| call.is("disconnect"))
        .await;
    let asked = application.calls();
    let asked: Vec<_> = asked.iter().filter(|call| call.is("connect")).collect();
    assert_eq!(left.body["client_id"], asked[1].body["client_id"]);
    assert_eq!(left.body["reason"], "transport close");
}

#[tokio::test]
async fn nobody_is_let_in_while_a_service_that_is_asked_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = server_of(&format!("http://{address}/stoa"), |_| {}).await;
    let refused = Client::open(server.address(), "/", json!({})).await;
    let message = refused.expect_err("it is refused");
    assert!(message.starts_with("backend_unavailable: "), "{message}");
    Client::open(server.address(), "/conversations", json!({}))
        .await
        .expect("no client of the service's");
}

#[tokio::test]
async fn a_slow_service_costs_its_timeout_and_the_client_only_its_own_turn() {
    let application = Application::serve(|call: Value| async move {
        if call["event"] == "slow" {
            std::future::pending::<()>().await;
        }
        axum::Json(json!({ "ack": ["quick"] })).into_response()
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.backend.timeout.set(0.3).unwrap();
        config.backend.max_wait.set(2.0).unwrap();
    })
    .await;
    let mut one = client(&server).await;
    let mut other = client(&server).await;
    let slow = one.call_later("slow", json!(null)).await;
    let behind = one.call_later("quick", json!(null)).await;
    assert_eq!(
        other.call("quick", json!(null)).await,
        "quick",
        "others go on"
    );
    assert_eq!(one.ack(slow).await["error"]["code"], "timeout");
    assert_eq!(one.ack(behind).await, "quick", "in order, and not lost");
    assert_eq!(calls(&server, "event", "timeout"), 1);
    assert_eq!(
        application
            .calls()
            .iter()
            .filter(|call| call.body["event"] == "slow")
            .count(),
        1,
        "what may have been handled is not sent again"
    );
}

#[tokio::test]
async fn an_event_that_waited_too_long_behind_others_is_not_handed_over() {
    let application = Application::serve(|call: Value| async move {
        if call["type"] == "event" {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        axum::Json(json!({ "ack": ["late"] })).into_response()
    })
    .await;
    let server = server_of(&application.url, |config| {
        config.backend.max_wait.set(0.4).unwrap();
    })
    .await;
    let mut client = client(&server).await;
    let mut acks = Vec::new();
    for _ in 0..20 {
        acks.push(client.call_later("work", json!(null)).await);
    }
    let (mut handled, mut refused) = (0, 0);
    for ack in acks {
        match client.ack(ack).await {
            answer if answer == "late" => handled += 1,
            answer => {
                assert_eq!(answer["error"]["code"], "timeout", "{answer}");
                refused += 1;
            }
        }
    }
    assert!(handled >= 1 && refused >= 10, "{handled} and {refused}");
    assert_eq!(calls(&server, "event", "waited_too_long"), refused);
}

#[tokio::test]
async fn a_service_that_asks_for_patience_gets_it_and_one_that_breaks_off_is_not_asked_twice() {
    let busy = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let application = wrong(move |_| {
        let first = busy.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if first {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::RETRY_AFTER, "0")],
            )
                .into_response();
        }
        axum::Json(json!({ "ack": ["at last"] })).into_response()
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let mut one = client(&server).await;
    assert_eq!(one.call("hello", json!(null)).await, "at last");
    let ids: Vec<_> = application
        .calls()
        .iter()
        .filter(|call| call.is("event"))
        .map(|call| call.body["call"].clone())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "all tries of a call have its id");
    assert_eq!(counted_in(&server, "stoa_backend_retries_total"), 1);

    // This one reads the call and closes the connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/stoa", listener.local_addr().unwrap());
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            if socket.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                socket
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
                    .await
                    .ok();
            }
        }
    });
    let server = server_of(&url, |config| config.backend.connect = false).await;
    let mut client = client(&server).await;
    let answer = client.call("hello", json!(null)).await;
    assert_eq!(answer["error"]["code"], "backend_unavailable");
    assert_eq!(taken.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(calls(&server, "event", "broken"), 1);
}
