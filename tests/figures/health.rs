//! Failures, and the health that is made of them.

use kit::{Client, counted, get, server, server_with, wait_for, wire::turned_away};
use serde_json::json;

use super::{health, performance};

/// Connections for which there is no room are the server's failure, and told with what to do.
#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_server_make_it_unhealthy() {
    const HELD: usize = 8;
    const FAILED: usize = 22;
    let server = server_with(|config| {
        config
            .server
            .max_connections
            .set(HELD as u64)
            .expect("a number");
    })
    .await;
    let address = server.address();
    let mut held = Vec::new();
    for _ in 0..HELD {
        held.push(Client::connect(address, json!(null)).await);
    }
    for _ in 0..FAILED {
        assert_eq!(turned_away(address).await, 503);
    }
    held.truncate(HELD / 2);
    wait_for("room for a request", async || {
        let open = kit::counted_in(&server, "stoa_connections{namespace=\"/\"}");
        open as usize == HELD / 2
    })
    .await;
    let health = health(address).await;
    let issues = health["issue_details"].as_array().expect("issues");
    let issue = issues
        .iter()
        .find(|issue| issue["code"] == "low_success_rate");
    let issue = issue.unwrap_or_else(|| panic!("{health}"));
    assert!(
        issue["action"]
            .as_str()
            .is_some_and(|action| action.contains("requests_refused_total")),
        "{issue}"
    );
    assert_eq!(
        health["grades"]["connection_success"]["grade"],
        "needs_attention"
    );
    let failed = counted(address, "stoa_attempts_total{outcome=\"failed\"}").await;
    assert!(failed >= FAILED as u64, "{failed}");
    server.shutdown().await;
}

/// Actions of an agent for which no producer is there, and events of a producer that is ahead of itself, are refused with
/// the codes of a server that can't go on; it can.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_makes_no_failures_of_the_server() {
    let server = server().await;
    let address = server.address();
    let (mut operator, _) = Client::connect(address, json!({ "role": "operator" })).await;
    for n in 0..30 {
        let action = json!({ "agent_id": format!("nobody{n}"), "action": "stop" });
        let answer = operator.call("agent_action", action).await;
        assert_eq!(answer["error"]["code"], "unavailable", "{answer}");
    }
    let failed = counted(address, "stoa_attempts_total{outcome=\"failed\"}").await;
    assert_eq!(failed, 0);
    assert_eq!(performance(address).await["success_rate"], 1.0);
    server.shutdown().await;
}

/// A stream that is refused counts like any other refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_refused_counts() {
    let server = server().await;
    let address = server.address();
    let refused = "stoa_requests_refused_total{door=\"http\"";
    for (query, already) in [
        ("rooms=nonsense:*", 0),
        ("min_priority=soon", 1),
        ("colour=red", 2),
    ] {
        assert_eq!(counted(address, refused).await, already, "{query}");
        let (status, answer) = get(address, &format!("/api/v1/stream?{query}")).await;
        assert_eq!(status, 400, "{answer}");
    }
    assert_eq!(counted(address, refused).await, 3);
    let now = performance(address).await;
    assert_eq!(now["refused_rate"], 1.0, "{now}");
    assert_eq!(now["success_rate"], 1.0, "{now}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_well_says_so_and_one_that_is_full_says_what_helps() {
    let server = server_with(|config| config.server.max_connections.set(10).unwrap()).await;
    let address = server.address();
    let health_now = health(address).await;
    assert_eq!(health_now["health_score"], 100, "{health_now}");
    assert_eq!(health_now["health_status"], "healthy");
    assert_eq!(health_now["issues"], json!([]));
    assert_eq!(health_now["issue_details"], json!([]));
    for (figure, grade) in health_now["grades"].as_object().expect("grades") {
        assert_eq!(grade["grade"], "excellent", "{figure}");
    }
    let mut clients = Vec::new();
    for _ in 0..9 {
        clients.push(Client::connect(address, json!(null)).await.0);
    }
    // The one that asks takes the tenth.
    let full = health(address).await;
    assert_eq!(full["grades"]["concurrent_users"]["limit"], 10);
    assert_eq!(
        full["grades"]["concurrent_users"]["grade"],
        "needs_attention"
    );
    let issue = &full["issue_details"][0];
    assert_eq!(issue["code"], "near_connection_limit", "{full}");
    assert_eq!(
        (&issue["value"], &issue["limit"]),
        (&json!(10.0), &json!(10.0))
    );
    let action = issue["action"].as_str().expect("an act");
    assert!(action.contains("max_connections"), "{action}");
    server.shutdown().await;
}
