//! Figures that are bad, and parts that fail.

use kit::{
    Client,
    guarded::{guarded, publish},
    until,
};
use serde_json::json;

use crate::{failed, operator, receiver::Receiver, told};

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
