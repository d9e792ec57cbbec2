//! Messages that reach clients.

use kit::{counted_in, redis::Redis};
use serde_json::json;

use crate::bus::{client, on_bus, packet, python};

#[tokio::test(flavor = "multi_thread")]
async fn python_messages_come_out_as_they_were_emitted() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |_| {}).await;
    let (mut watcher, id) = client(&server, &["project:p1"]).await;
    let (mut other, _) = client(&server, &[]).await;
    let emit = async |data, more| {
        redis
            .publish("flask-socketio", &python("e", data, more))
            .await
    };
    for (data, packet_is) in [
        (
            json!([{ "id": 7, "type": "t" }]),
            r#"42["e",{"id":7,"type":"t"}]"#,
        ),
        (json!([1, "two", [3]]), r#"42["e",1,"two",[3]]"#),
        (json!([null]), r#"42["e"]"#),
        (json!([[1, 2]]), r#"42["e",[1,2]]"#),
        (json!([]), r#"42["e"]"#),
    ] {
        assert_eq!(emit(data, json!({})).await, 1);
        assert_eq!(packet(&mut watcher, "42[\"e\"").await, packet_is);
        assert_eq!(packet(&mut other, "42[\"e\"").await, packet_is);
    }
    // A room, a client alone, and everyone but one.
    emit(json!(["room"]), json!({ "room": "project:p1" })).await;
    emit(json!(["alone"]), json!({ "room": [id] })).await;
    emit(json!(["skipped"]), json!({ "skip_sid": id })).await;
    emit(json!(["end"]), json!({ "room": null })).await;
    assert_eq!(packet(&mut watcher, "42[\"e\"").await, r#"42["e","room"]"#);
    assert_eq!(packet(&mut watcher, "42[\"e\"").await, r#"42["e","alone"]"#);
    assert_eq!(packet(&mut watcher, "42[\"e\"").await, r#"42["e","end"]"#);
    assert_eq!(packet(&mut other, "42[\"e\"").await, r#"42["e","skipped"]"#);
    assert_eq!(packet(&mut other, "42[\"e\"").await, r#"42["e","end"]"#);
    // python-socketio's own channel, and a message from before 5.14.2, with a callback that nobody answers.
    let old =
        json!({ "method": "emit", "event": "e", "data": ["a", "list"], "callback": ["r", "/", 1] });
    redis.publish("socketio", old.to_string().as_bytes()).await;
    assert_eq!(
        packet(&mut watcher, "42[\"e\"").await,
        r#"42["e",["a","list"]]"#
    );
    assert_eq!(counted_in(&server, "stoa_bus_acks_unanswered_total"), 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_messages_come_out_as_they_were_emitted() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |_| {}).await;
    let (mut watcher, _) = client(&server, &["project:p1"]).await;
    let packed = b"\x83\xa4type\x02\xa4data\x92\xa1n\x07\xa3nsp\xa1/";
    // Three parts, two parts, and channels with and without a room and a last sign.
    for (channel, body) in [
        (
            "socket.io#/#",
            [&b"\x93\xa7emitter"[..], packed, b"\x80"].concat(),
        ),
        (
            "socket.io#/#project:p1#",
            [
                &b"\x93\xa7emitter"[..],
                packed,
                b"\x81\xa5rooms\x91\xaaproject:p1",
            ]
            .concat(),
        ),
        ("socket.io#/", [&b"\x92"[..], packed, b"\xc0"].concat()),
        (
            "socket.io#emitter",
            [&b"\x92"[..], packed, b"\x81\xa5rooms\xa0"].concat(),
        ),
    ] {
        assert_eq!(redis.publish(channel, &body).await, 1, "{channel}");
        assert_eq!(packet(&mut watcher, "42[\"n\"").await, r#"42["n",7]"#);
    }
    // Servers of Node are not kept waiting: nobody counts Stoa among them.
    assert_eq!(redis.publish("socket.io-request#/#", b"{}").await, 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_settings_name_become_events_of_agents() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |config| config.bus.events = vec!["task_*".into()]).await;
    let (mut watcher, _) = client(&server, &[]).await;
    let data = json!([{ "task_id": "t1", "agent_id": "a1", "task_name": "Paint" }]);
    redis
        .publish("socketio", &python("task_assigned", data, json!({})))
        .await;
    let update = watcher.event("task_assignment").await;
    assert_eq!(update["task_id"], "t1");
    assert!(update["cursor"].is_string(), "it is in the journal");
    let whole = json!([{ "type": "task.assigned", "id": "own", "data": { "task_id": "t2", "agent_id": "a1" } }]);
    redis
        .publish("socketio", &python("task_event", whole, json!({})))
        .await;
    let update = watcher.event("task_assignment").await;
    assert_eq!(
        (&update["task_id"], &update["id"]),
        (&json!("t2"), &json!("own"))
    );
    server.shutdown().await;
}
