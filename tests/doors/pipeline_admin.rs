//! `/ws/{app}/admin/`: the figures for operators.

use kit::{
    door::DoorClient,
    get,
    guarded::{admin, grant, guarded, observer, token},
    post, server, server_with,
};
use serde_json::{Value, json};
use stoa::config::Role;

const PATH: &str = "/ws/dating_show/admin/";

async fn connect(address: std::net::SocketAddr, path: &str) -> DoorClient {
    let mut client = DoorClient::open(address, path).await.unwrap();
    client.until("connection_established").await;
    client
}

async fn ask(client: &mut DoorClient, command: &str) -> Value {
    client.send(&json!({ "command": command })).await;
    let answer = client.next().await.unwrap();
    assert_eq!(answer["command"], command, "{answer}");
    assert!(answer["timestamp"].is_f64(), "{answer}");
    answer
}

#[tokio::test]
async fn each_command_is_answered_with_the_figures_that_http_has() {
    let server = server().await;
    let address = server.address();
    let mut client = connect(address, PATH).await;
    post(
        address,
        &json!({ "type": "agent.registered", "data": { "agent_id": "a1" } }),
    )
    .await;
    for (command, kind, path) in [
        ("get_health", "health", "/api/v1/health"),
        ("get_metrics", "metrics", "/api/v1/performance"),
        ("get_analytics", "analytics", "/api/v1/analytics"),
        ("get_alerts", "alerts", "/api/v1/alerts"),
        ("get_rooms", "rooms", "/api/v1/ws/rooms"),
    ] {
        let answer = ask(&mut client, command).await;
        assert_eq!(answer["type"], kind);
        let (status, body) = get(address, path).await;
        assert_eq!(status, 200, "{path}");
        let keys = |value: &Value| -> Vec<String> {
            value
                .as_object()
                .map(|o| o.keys().cloned().collect())
                .unwrap_or_default()
        };
        assert_eq!(keys(&answer["data"]), keys(&body), "{command}");
        assert!(!keys(&body).is_empty());
    }
    let metrics = ask(&mut client, "get_metrics").await;
    // The fields that the pipeline's own monitor prints.
    for key in [
        "updates_per_second",
        "success_rate",
        "websocket_connections",
        "circuit_breaker_state",
        "total_updates",
        "retries",
        "degradation",
    ] {
        assert!(!metrics["data"][key].is_null(), "{key}");
    }
    assert_eq!(metrics["data"]["websocket_connections"], 1);
    assert_eq!(metrics["data"]["degradation"]["name"], "normal");
    assert_eq!(
        metrics["data"]["retries"],
        json!({ "agent_action": 0, "updates": 0 })
    );
    let health = ask(&mut client, "get_health").await;
    assert!(health["data"]["health_score"].as_u64().unwrap() <= 100);
    let connections = ask(&mut client, "get_connections").await;
    assert_eq!(connections["data"]["total"], 1);
    assert_eq!(connections["data"]["by_door"]["pipeline"], 1);
    assert!(
        connections["data"]["connections"].is_null(),
        "for admins only"
    );
    let breakers = ask(&mut client, "get_breakers").await;
    assert_eq!(breakers["data"]["circuit_breaker_state"], "closed");
    assert!(breakers["data"]["circuit_breakers"].is_array());
    let queues = ask(&mut client, "get_queues").await;
    assert!(queues["data"]["hub_lag_events"].is_u64(), "{queues}");
}

#[tokio::test]
async fn an_unknown_command_is_told_those_that_there_are() {
    let server = server().await;
    let mut client = connect(server.address(), "/ws/dating_show/admin").await;
    for sent in [
        "{\"command\":\"dance\"}",
        "{}",
        "{\"command\":7}",
        "no json",
    ] {
        client.send_text(sent).await;
        let error = client.next().await.unwrap();
        assert_eq!(error["type"], "error", "{sent}");
        let message = error["message"].as_str().unwrap();
        let lists = message.contains("get_health");
        assert_eq!(
            lists,
            sent.starts_with("{\"command\":\"") || sent == "{}",
            "{message}"
        );
    }
}

#[tokio::test]
async fn figures_are_pushed_at_an_interval_that_is_not_too_short() {
    let server = server_with(|config| {
        config.performance.figures_interval.set(0.05).unwrap();
    })
    .await;
    let mut client = connect(server.address(), PATH).await;
    client
        .send(&json!({ "command": "subscribe", "interval_ms": 1 }))
        .await;
    let said = client.until("subscribed").await;
    assert_eq!(said["data"]["interval_ms"], 50);
    for _ in 0..3 {
        let metrics = client.until("metrics").await;
        assert_eq!(metrics["command"], "subscribe");
        assert!(metrics["data"]["updates_per_second"].is_number());
        assert_eq!(client.next().await.unwrap()["type"], "health");
    }
    client.send(&json!({ "command": "unsubscribe" })).await;
    client.until("unsubscribed").await;
    client.send(&json!({ "command": "ping" })).await;
    assert_eq!(client.next().await.unwrap()["type"], "pong");
}

/// A notice to operators comes here as well.
#[tokio::test]
async fn operators_are_told_of_what_concerns_them() {
    let server = server().await;
    let address = server.address();
    let mut client = connect(address, PATH).await;
    post(
        address,
        &json!({ "type": "workflow.run.failed", "data": { "execution_id": "e1" } }),
    )
    .await;
    let told = client.until("health_update").await;
    assert!(told["timestamp"].is_f64(), "{told}");
}

#[tokio::test]
async fn only_operators_see_the_figures_and_only_admins_change_something() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let path = |token: &str| format!("{PATH}?token={token}");
    assert_eq!(DoorClient::open(address, PATH).await.unwrap_err(), 401);
    let ann = path(&observer("ann", &["p1"]));
    assert_eq!(DoorClient::open(address, &ann).await.unwrap_err(), 403);
    let reset = json!({ "command": "reset_circuit_breaker", "name": "journal" });
    let mut operator = connect(address, &path(&token(&grant(Role::Operator)))).await;
    assert_eq!(ask(&mut operator, "get_health").await["type"], "health");
    operator.send(&reset).await;
    assert_eq!(operator.next().await.unwrap()["code"], "forbidden");
    let mut admin = connect(address, &path(&admin())).await;
    let connections = ask(&mut admin, "get_connections").await;
    assert_eq!(
        connections["data"]["connections"].as_array().unwrap().len(),
        2
    );
    admin
        .send(&json!({ "command": "reset_circuit_breaker", "name": "heart" }))
        .await;
    assert_eq!(admin.next().await.unwrap()["code"], "not_found");
}
