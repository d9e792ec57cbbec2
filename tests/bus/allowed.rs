//! Operations on clients and rooms, where the settings open them to the bus.

use kit::{Client, counted_in, redis::Redis, wait_for};
use serde_json::{Value, json};
use stoa::config::BusOperation;

use crate::bus::{client, on_bus, packet, python, until_refused};

/// The next packet that is not of Stoa's own making.
async fn said(client: &mut Client) -> String {
    loop {
        let packet = packet(client, "4").await;
        if !packet.starts_with("42[\"conversation_summary\"") {
            return packet;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_the_settings_allow_are_carried_out_in_order() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = on_bus(&redis, |config| {
        config.bus.allow = vec![
            BusOperation::EnterRoom,
            BusOperation::CloseRoom,
            BusOperation::Disconnect,
        ];
        config.bus.rooms = vec!["lobby*".into()];
    })
    .await;
    let (mut one, id) = client(&server, &[]).await;
    let (mut other, other_id) = client(&server, &[]).await;
    let send = async |message: Value| {
        redis
            .publish("socketio", message.to_string().as_bytes())
            .await;
    };
    let emit = async |event: &str| {
        let message = python(event, json!([]), json!({ "room": "lobby 1" }));
        redis.publish("socketio", &message).await;
    };
    let enter = |sid: &str, room: &str| json!({ "method": "enter_room", "sid": sid, "room": room, "namespace": "/" });
    emit("before").await;
    send(enter(&id, "lobby 1")).await;
    emit("in").await;
    assert_eq!(said(&mut one).await, "42[\"in\"]");
    send(json!({ "method": "close_room", "room": "lobby 1", "namespace": "/" })).await;
    emit("closed").await;
    // Not allowed, out of the scope, on another namespace, and of nobody.
    send(json!({ "method": "leave_room", "sid": id, "room": "lobby 1", "namespace": "/" })).await;
    until_refused(&server, "not_allowed", 1).await;
    send(enter(&id, "project:p1")).await;
    until_refused(&server, "scope", 1).await;
    send(json!({ "method": "enter_room", "sid": id, "room": "lobby 1", "namespace": "/none" }))
        .await;
    send(enter("nobody", "lobby 1")).await;
    until_refused(&server, "not_found", 2).await;
    send(enter(&other_id, "lobby 1")).await;
    emit("end").await;
    assert_eq!(said(&mut other).await, "42[\"end\"]");
    send(json!({ "method": "disconnect", "sid": id, "namespace": "/" })).await;
    assert_eq!(said(&mut one).await, "41", "nothing came to it since");
    wait_for("the counts", async || {
        counted_in(
            &server,
            "stoa_operations_total{operation=\"disconnect\",code=\"ok\"}",
        ) == 1
    })
    .await;
    assert_eq!(
        counted_in(
            &server,
            "stoa_operations_total{operation=\"join\",code=\"ok\"}"
        ),
        2
    );
    server.shutdown().await;
}
