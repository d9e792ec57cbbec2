//! Figures that are bad, and parts that fail.

use kit::{
    Client,
    guarded::{guarded, producer, publish, request},
    until,
    wire::turned_away,
};
use serde_json::{Value, json};

use crate::alerts::{failed, operator, receiver::Receiver, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_is_told_to_all_operators_and_mended_is_over() {
    // Keys that are no keys, and then a receiver that is not there.
    let provider = Receiver::answering(&[500]).await;
    let server = guarded(|config| {
        config.authentication.jwks_url = format!("http://{}/keys", provider.address);
        config
            .authentication
            .jwks_cooldown
            .set(0.1)
            .expect("a time");
        config.authentication.jwks_refresh.set(1.0).expect("a time");
        config.breakers.failures.set(2).expect("a number");
        config.alerts.resolve_after.set(0.0).expect("a time");
        config.alerts.mute = vec!["run_failed".into()];
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    let begun = watcher.event("health_update").await;
    let alert = &begun["alert"];
    assert_eq!(alert["code"], "breaker_open", "{begun}");
    assert_eq!(alert["subject"], json!({ "kind": "breaker", "id": "jwks" }));
    assert_eq!(
        (&begun["priority"], &begun["animation"]),
        (&json!("critical"), &json!("alert"))
    );
    publish(address, &failed("r")).await;
    let mut admin = Client::open(address, "/admin", json!({ "token": kit::guarded::admin() }))
        .await
        .expect("comes in");
    admin.call("close_breaker", json!({ "part": "jwks" })).await;
    let over = until("its end", async || {
        let alert = watcher.event("health_update").await["alert"].clone();
        Some(alert).filter(|alert| alert["status"] == "resolved")
    });
    assert_eq!(over.await["id"], alert["id"]);
    assert_eq!(told(&server, "run_failed", "firing"), 0, "it is muted");
    server.shutdown().await;
}

/// The next alert of a code with a status.
async fn alert(watcher: &mut Client, code: &str, status: &str) -> Value {
    until(code, async || {
        let alert = watcher.event("health_update").await["alert"].clone();
        Some(alert).filter(|alert| alert["code"] == code && alert["status"] == status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_nearly_reached_is_told_and_room_again_too() {
    let server = guarded(|config| {
        config.server.max_connections.set(20).expect("a number");
        config.alerts.resolve_after.set(0.0).expect("a time");
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    let mut others = Vec::new();
    for _ in 0..18 {
        others.push(Client::connect(address, operator(&[])).await);
    }
    let begun = alert(&mut watcher, "near_limit", "firing").await;
    assert_eq!(
        begun["subject"],
        json!({ "kind": "limit", "id": "connections" })
    );
    assert_eq!(
        (&begun["value"], &begun["limit"]),
        (&json!(19.0), &json!(20.0))
    );
    let action = begun["action"].as_str().expect("a sentence");
    assert!(action.contains("[server] max_connections"), "{action}");
    others.truncate(5);
    let over = alert(&mut watcher, "near_limit", "resolved").await;
    assert_eq!(over["id"], begun["id"]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_and_faults_of_clients_are_not() {
    let server = guarded(|config| {
        config.server.max_connections.set(6).expect("a number");
        config.alerts.resolve_after.set(0.0).expect("a time");
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    for _ in 0..30 {
        let wrong = json!({ "type": 7 });
        let path = "/api/v1/events";
        let (status, _) = request("POST", address, path, &producer(), Some(&wrong)).await;
        assert_eq!(status, 400);
    }
    // The figures are looked at each second, and this alert is told at such a look.
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(Client::connect(address, operator(&[])).await);
    }
    alert(&mut watcher, "near_limit", "firing").await;
    assert_eq!(told(&server, "low_success_rate", "firing"), 0);
    for _ in 0..30 {
        assert_eq!(turned_away(address).await, 503);
    }
    let begun = alert(&mut watcher, "low_success_rate", "firing").await;
    assert_eq!(begun["limit"], 0.95, "{begun}");
    assert!(begun["value"].as_f64().expect("a share") < 0.5, "{begun}");
    assert_eq!(begun["severity"], "critical");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_come_late_are_told() {
    let server = guarded(|config| {
        config.transform.throttle_ms.set(300).expect("a time");
        config.alerts.latency_ms.set(100).expect("a time");
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    // The second update of each task is held for as long as its window.
    for task in 0..30 {
        for progress in [10, 20] {
            let data = json!({ "task_id": format!("t{task}"), "progress": progress });
            publish(
                address,
                &json!({ "type": "task.progress", "project_id": "shop", "data": data }),
            )
            .await;
        }
    }
    let begun = alert(&mut watcher, "high_latency", "firing").await;
    assert_eq!(begun["limit"], 100.0, "{begun}");
    assert!(begun["value"].as_f64().expect("milliseconds") > 100.0);
    server.shutdown().await;
}
