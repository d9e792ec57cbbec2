//! A bus that goes and comes back, and one that was never there.

use std::time::{Duration, Instant};

use kit::{get, redis::Redis, server_with, wait_for};
use serde_json::json;

use crate::bus::{client, on_bus, packet, python, until_connected};

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_killed_and_comes_back_is_heard_again_within_five_seconds() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |_| {}).await;
    let address = server.address();
    let (mut watcher, _) = client(&server, &[]).await;
    let (_, ready) = get(address, "/readyz").await;
    let bus = &ready["parts"]["bus"];
    assert_eq!(bus["status"], "ok", "{ready}");
    assert!(bus["last_message_seconds"].is_null(), "{ready}");
    for round in 0..2 {
        redis.kill();
        wait_for("the end to be noticed", async || {
            get(address, "/readyz").await.1["parts"]["bus"]["status"] == "down"
        })
        .await;
        // Clients are served all the same.
        assert_eq!(get(address, "/readyz").await.0, 200);
        redis.again().await;
        let back = Instant::now();
        until_connected(&server, 2 + round).await;
        let body = python("e", json!([round]), json!({}));
        assert_eq!(redis.publish("socketio", &body).await, 1);
        let packet = packet(&mut watcher, "42[\"e\"").await;
        assert_eq!(packet, format!("42[\"e\",{round}]"));
        let took = back.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let (_, ready) = get(address, "/readyz").await;
    assert!(
        ready["parts"]["bus"]["last_message_seconds"].is_number(),
        "{ready}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_not_there_is_waited_for() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    redis.kill();
    let server = server_with(|config| config.bus.url = redis.url().into()).await;
    let address = server.address();
    wait_for("the breaker", async || {
        let (status, ready) = get(address, "/readyz").await;
        assert_eq!(
            (status, &ready["parts"]["bus"]["status"]),
            (200, &json!("down")),
            "{ready}"
        );
        ready["parts"]["breakers"]["parts"]["bus"] != "closed"
    })
    .await;
    redis.again().await;
    until_connected(&server, 1).await;
    wait_for("the breaker to close", async || {
        get(address, "/readyz").await.1["parts"]["breakers"]["parts"]["bus"] == "closed"
    })
    .await;
    server.shutdown().await;
}
