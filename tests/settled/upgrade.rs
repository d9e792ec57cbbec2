//! A file of the version before, in which nothing was settled: 100 events with a checkpoint.

use serde_json::json;

use super::history;
use crate::common::{
    Client,
    guarded::{admin, guarded, observer, request},
};

/// The cursor after its 50th event.
const HALF: &str = "1k2cwi5.1e";
/// The cursor at its end.
const END: &str = "1k2cwi5.2s";

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_version_1_is_brought_to_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let old = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/journals/version-1.db"
    );
    std::fs::copy(old, &path).unwrap();
    for start in 0..2 {
        let server = guarded(|config| {
            config.journal.kind = stoa::config::JournalKind::Sqlite;
            config.journal.path = path.clone();
            config.journal.max_age = 3_000_000_000.0;
        })
        .await;
        let address = server.address();
        assert_eq!(history(address, &admin(), "").await.len(), 100 + start);
        // What named no project is its task's, and what named no owner is its run's owner's.
        let ann = history(address, &observer("ann", &["p1"]), "").await;
        let text = json!(ann).to_string();
        assert!(
            text.contains("p1-t3") && text.contains("p1-x3") && !text.contains("p2-"),
            "{text}"
        );
        let tasks = |event: &&serde_json::Value| event["type"] == "task.progress";
        assert_eq!(
            ann.iter().filter(tasks).count(),
            10,
            "the one of both is for neither"
        );
        let bob = history(address, &observer("bob", &[]), "&type=workflow.*").await;
        assert_eq!(bob.len(), 10);
        // Old cursors go on.
        let (mut client, _) =
            Client::connect(address, json!({ "token": admin(), "cursor": HALF })).await;
        let resumed = client.event("resumed").await;
        assert_eq!(resumed["complete"], true, "{resumed}");
        assert_eq!(resumed["from"], HALF);
        if start == 0 {
            assert_eq!(resumed["to"], END, "{resumed}");
        }
        // The state is there, and its ids are known.
        let (_, state) = request("GET", address, "/api/v1/state", &admin(), None).await;
        assert_eq!(state["projects"]["p2"]["name"], "Project p2", "{state}");
        let event = json!({ "type": "task.progress", "id": format!("new-{start}"), "data": { "task_id": "p2-t1" } });
        let (status, answer) =
            super::post(address, &crate::common::guarded::producer(), &event).await;
        assert_eq!(status, 202, "{answer}");
        let now = history(address, &observer("bob", &["p2"]), "&type=task.progress").await;
        assert_eq!(now.len(), 11 + start, "it is the old task's project's");
        server.shutdown().await;
        drop(client);
        super::until_free(&path).await;
    }
}
