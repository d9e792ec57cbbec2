//! Messages that come to nothing, and do no harm.

use kit::{counted_in, redis::Redis};
use serde_json::{Value, json};

use crate::bus::{client, on_bus, packet, python, until_connected, until_refused};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_message_is_counted_and_ends_nothing() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |config| {
        config.bus.max_message.set(100_000).unwrap();
        config.bus.max_depth.set(8).unwrap();
    })
    .await;
    let (mut watcher, id) = client(&server, &[]).await;
    let deep = format!("[{}1{}]", "[".repeat(9_000), "]".repeat(9_000));
    let deep = format!("{{\"method\":\"emit\",\"event\":\"e\",\"data\":{deep}}}");
    let packed_deep = [&b"\x92\x81\xa4data\x92\xa1e"[..], &[0x91; 9_000]].concat();
    let disconnect = json!({ "method": "disconnect", "sid": id, "namespace": "/" }).to_string();
    let close = json!({ "method": "close_room", "room": "project:p1" }).to_string();
    for (channel, body, reason, times) in [
        (
            "socketio",
            &b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."[..],
            "pickle",
            1,
        ),
        (
            "socketio",
            b"{\"method\":\"emit\",\"event\":\"e\",\"data\":NaN}",
            "malformed",
            1,
        ),
        ("socketio", b"", "malformed", 2),
        ("socket.io#/#", b"\xdd\xff\xff\xff\xff", "malformed", 3),
        ("socketio", deep.as_bytes(), "too_deep", 1),
        ("socket.io#/#", &packed_deep, "too_deep", 2),
        ("socketio", &[b' '; 100_001], "too_large", 1),
        ("socketio", disconnect.as_bytes(), "not_allowed", 1),
        ("socketio", close.as_bytes(), "not_allowed", 2),
        ("socketio", b"{\"method\":\"callback\"}", "unsupported", 1),
        (
            "socketio",
            &python("connect", json!([]), json!({})),
            "invalid_event",
            1,
        ),
        (
            "socketio",
            &python("e", json!([]), json!({ "namespace": "/none" })),
            "unknown_namespace",
            1,
        ),
    ] {
        redis.publish(channel, body).await;
        until_refused(&server, reason, times).await;
    }
    redis
        .publish("socketio", &python("e", json!(["end"]), json!({})))
        .await;
    assert_eq!(packet(&mut watcher, "42[\"e\"").await, r#"42["e","end"]"#);
    assert_eq!(counted_in(&server, "stoa_bus_connects_total"), 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emission_is_as_large_as_by_every_door() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |_| {}).await;
    let (mut watcher, _) = client(&server, &[]).await;
    // The name and the argument with its quotes: a mebibyte, and one byte more.
    for bytes in [(1 << 20) - 3, (1 << 20) - 2] {
        let body = python("e", json!(["x".repeat(bytes)]), json!({}));
        redis.publish("socketio", &body).await;
    }
    until_refused(&server, "too_large", 1).await;
    assert_eq!(packet(&mut watcher, "42[\"e\"").await.len(), (1 << 20) + 7);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_the_scope_reaches_nobody() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |config| {
        config.bus.rooms = vec!["project:*".into()];
        config.bus.emits = vec!["ok*".into()];
        config.bus.namespaces = vec!["/".into()];
    })
    .await;
    let (mut watcher, id) = client(&server, &["project:p1"]).await;
    let emit = async |event, more: Value| {
        redis
            .publish("socketio", &python(event, json!([]), more))
            .await;
    };
    emit("ok", json!({})).await;
    emit("ok", json!({ "room": id })).await;
    emit("ok", json!({ "room": ["project:p1", "agent:a"] })).await;
    emit("no", json!({ "room": "project:p1" })).await;
    emit("ok", json!({ "room": "project:p1", "namespace": "/admin" })).await;
    until_refused(&server, "scope", 5).await;
    emit("ok-end", json!({ "room": "project:p1" })).await;
    packet(&mut watcher, "42[\"ok-end\"").await;
    assert!(!watcher.names().contains(&"ok"));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_bus_may_send_is_dropped_and_counted() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |config| {
        config.bus.messages_per_second.set(3).unwrap();
    })
    .await;
    let (mut watcher, _) = client(&server, &[]).await;
    for n in 0..3 {
        redis
            .publish("socketio", &python("e", json!([n]), json!({})))
            .await;
        assert_eq!(
            packet(&mut watcher, "42[\"e\"").await,
            format!("42[\"e\",{n}]")
        );
    }
    let mut sent = 3;
    kit::wait_for("one too many", async || {
        redis
            .publish("socketio", &python("e", json!([3]), json!({})))
            .await;
        sent += 1;
        counted_in(&server, "stoa_bus_refused_total{reason=\"rate\"}") > 0
    })
    .await;
    assert!(counted_in(&server, "stoa_bus_received_total{kind=\"python\"}") <= sent);
    server.shutdown().await;
}

/// By default Redis itself cuts off a listener for whom 32 MB wait. The listener comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_33_megabytes_is_refused_here_or_by_redis() {
    let body = python("e", json!(["x".repeat(33 << 20)]), json!({}));
    for (settings, connects) in [
        (&["--client-output-buffer-limit", "pubsub 0 0 0"][..], 1),
        (&[], 2),
    ] {
        let Some(redis) = Redis::with(settings).await else {
            return;
        };
        let server = on_bus(&redis, |_| {}).await;
        let (mut watcher, _) = client(&server, &[]).await;
        redis.publish("socketio", &body).await;
        if connects == 1 {
            until_refused(&server, "too_large", 1).await;
        }
        until_connected(&server, connects).await;
        redis
            .publish("socketio", &python("e", json!(["end"]), json!({})))
            .await;
        assert_eq!(packet(&mut watcher, "42[\"e\"").await, r#"42["e","end"]"#);
        assert_eq!(counted_in(&server, "stoa_bus_connects_total"), connects);
        server.shutdown().await;
    }
}
