//! The figures outlive the server, where there is a file to keep them in.

use std::path::Path;

use kit::{
    get, post,
    process::{Process, serve},
    server,
};
use serde_json::{Value, json};

use super::{PATH, entry, figures, leave, named};

/// The figures that a restart must not change.
fn kept(figures: &Value) -> Value {
    let keys = [
        "connections_opened",
        "connections_ended",
        "connection_duration_distribution",
        "reconnection_rate",
        "peak_concurrent_users",
        "peak_concurrent_at",
        "client_messages",
        "total_updates",
        "total_deliveries",
        "event_types",
        "kept_since",
    ];
    keys.iter().map(|key| figures[*key].clone()).collect()
}

fn start(journal: &Path) -> Process {
    let mut command = serve(journal);
    command.env("STOA_ANALYTICS__SAVE_INTERVAL", "1");
    Process::listening(&mut command)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_outlive_an_orderly_end_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("stoa.db");
    let server = start(&journal);
    let address = server.address;
    let mut staying = named(address, "a").await;
    leave(named(address, "b").await).await;
    staying
        .call("join_room", json!({ "room": "project:p" }))
        .await;
    let event =
        json!({ "type": "agent.registered", "project_id": "p", "data": { "agent_id": "a" } });
    post(address, &event).await;
    let is_all = |f: &Value| f["total_deliveries"] == 1 && f["connections_ended"] == 1;
    let before = figures(address, is_all).await;
    assert_eq!(before["connections_opened"], 2);
    assert!(server.stop().success());

    // The client that was there at the end has ended with it, and is not lost.
    let server = start(&journal);
    let after = figures(server.address, |_| true).await;
    let mut expected = before.clone();
    expected["connections_ended"] = 2.into();
    expected["connection_duration_distribution"][0]["sessions"] = 2.into();
    assert_eq!(kept(&after), kept(&expected), "{after:#}");
    assert_eq!(after["total_connections"], 0);
    assert_eq!(after["feature_usage"]["door.socketio"], 2);
    let room = entry(&after["rooms"], "room", "observers");
    assert_eq!(
        *room,
        json!({ "room": "observers", "members": 0, "deliveries": 1 })
    );

    // Nothing is lost but what happened since the last saving.
    leave(named(server.address, "c").await).await;
    let third = figures(server.address, |f| f["connections_ended"] == 3).await;
    let saved = async || {
        kit::counted(
            server.address,
            "stoa_analytics_saved_total{outcome=\"saved\"}",
        )
        .await
    };
    let so_far = saved().await;
    kit::wait_for("two savings", async || saved().await >= so_far + 2).await;
    server.kill();
    let server = start(&journal);
    let last = figures(server.address, |_| true).await;
    assert_eq!(kept(&last), kept(&third), "{last:#}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_in_memory_and_the_answer_says_so() {
    let server = server().await;
    let (_, told) = get(server.address(), PATH).await;
    let (_, stats) = get(server.address(), "/api/v1/ws/stats").await;
    let since = |at: &Value| at.as_str().unwrap()[..16].to_owned();
    assert_eq!(since(&told["kept_since"]), since(&stats["started_at"]));
    assert_eq!(told["connection_duration_avg"], Value::Null);
    assert_eq!(told["reconnection_rate"], Value::Null);
    server.shutdown().await;
}
