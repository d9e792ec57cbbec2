//! Ids of events: each producer has its own, and the same id with other content is no repetition.

use serde_json::json;

use super::{history, post, producer_of};
use kit::{
    self, Client,
    guarded::{admin, guarded},
};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_up_anothers_ids() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let event = |project: &str| json!({ "id": "created-1", "type": "task.created", "project_id": project, "data": { "task_id": "t" } });
    let (mallory, bob) = (producer_of("mallory", &["p1"]), producer_of("bob", &["p2"]));
    assert_eq!(post(address, &mallory, &event("p1")).await.1["accepted"], 1);
    let (_, answer) = post(address, &bob, &event("p2")).await;
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"]),
        (&json!(1), &json!(0)),
        "{answer}"
    );
    let (_, again) = post(address, &bob, &event("p2")).await;
    assert_eq!(
        (&again["duplicate"], &again["cursor"]),
        (&json!(true), &answer["cursor"])
    );
    assert_eq!(history(address, &admin(), "").await.len(), 2);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_comes_again_with_other_content_is_kept_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let start = || {
        kit::server_with(|config| {
            config.journal.kind = stoa::config::JournalKind::Sqlite;
            config.journal.path = path.clone();
        })
    };
    let server = start().await;
    let address = server.address();
    let event = |n: u32| json!({ "id": "0", "type": "note.added", "timestamp": "2026-05-23T14:00:00Z", "data": { "n": n } });
    let batch = json!([event(1), event(2), event(1), event(2), event(3)]);
    let (_, answer) = kit::post(address, &batch).await;
    assert_eq!(
        (
            &answer["accepted"],
            &answer["duplicates"],
            &answer["conflicts"]
        ),
        (&json!(3), &json!(2), &json!(2)),
        "{answer}"
    );
    let (mut watcher, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let receipt = watcher.call("publish", event(4)).await;
    assert_eq!(receipt["conflicts"], 1, "{receipt}");
    let update = watcher.event("generic_update").await;
    assert_ne!(update["id"], "0", "it has an id of its own: {update}");
    assert!(
        server
            .metrics()
            .text()
            .contains("stoa_event_id_conflicts_total 3")
    );
    server.shutdown().await;
    drop(watcher);
    super::until_free(&path).await;
    // Also after a restart.
    let server = start().await;
    let (_, answer) = kit::post(server.address(), &json!([event(2), event(4), event(5)])).await;
    assert_eq!(
        (&answer["duplicates"], &answer["conflicts"]),
        (&json!(2), &json!(1)),
        "{answer}"
    );
    let (_, page) = kit::get(server.address(), "/api/v1/events").await;
    let ns: Vec<_> = page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["data"]["n"].clone())
        .collect();
    assert_eq!(ns, [1, 2, 3, 4, 5]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_text_part_a_span_or_a_call_is_not_the_events() {
    let server = kit::server().await;
    let address = server.address();
    let foreign = json!([
        { "type": "text-delta", "id": "0", "delta": "is " },
        { "type": "text-delta", "id": "0", "delta": "is " },
        { "type": "span.event", "id": "s1", "trace_id": "t", "span_id": "s1" },
        { "type": "span.event", "id": "s1", "trace_id": "t", "span_id": "s1" },
        { "type": "call", "jsonrpc": "2.0", "id": 1, "method": "tools/list" },
        { "type": "call", "jsonrpc": "2.0", "id": 1, "method": "tools/list" },
    ]);
    let (status, answer) = kit::post(address, &foreign).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(6)), "{answer}");
    let (_, page) = kit::get(address, "/api/v1/events").await;
    assert_eq!(
        page["events"][0]["data"]["id"], "0",
        "it stays among the facts: {page}"
    );
    // An agent's own event that says in which trace it was has its own id.
    let own = json!({ "type": "task.completed", "id": "e1", "trace_id": "t", "data": { "task_id": "t" } });
    for accepted in [1, 0] {
        assert_eq!(kit::post(address, &own).await.1["accepted"], accepted);
    }
    server.shutdown().await;
}
