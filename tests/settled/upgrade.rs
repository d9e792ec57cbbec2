//! A file of the version before, in which nothing was settled: 100 events with a checkpoint of their state.

use serde_json::json;

use super::history;
use kit::{
    Client,
    guarded::{admin, guarded, observer, request},
};

/// The cursor after its 50th event.
const HALF: &str = "1k2cwi5.1e";
/// The cursor at its end.
const END: &str = "1k2cwi5.2s";

/// A copy of the file in this folder.
fn copy(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("stoa.db");
    let old = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/journals/version-1.db"
    );
    std::fs::copy(old, &path).unwrap();
    path
}

/// The checkpoint of the former version has them, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_events_said_that_are_gone_survives_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(folder.path());
    let old = rusqlite::Connection::open(&path).unwrap();
    // The projects and all tasks were named before, and most of what was said of them was said then.
    assert!(
        old.execute("DELETE FROM events WHERE seq <= 95", [])
            .unwrap()
            == 95
    );
    drop(old);
    for start in 0..3 {
        let server = guarded(|config| {
            config.journal.kind = stoa::config::JournalKind::Sqlite;
            config.journal.path = path.clone();
            config.journal.max_age.set(3_000_000_000.0).unwrap();
        })
        .await;
        let address = server.address();
        let (_, all) = request("GET", address, "/api/v1/state", &admin(), None).await;
        assert_eq!(
            all["projects"]["p1"]["name"], "Project p1",
            "{start}: {all}"
        );
        let task = &all["tasks"]["p1-t3"];
        assert_eq!(task["name"], "Task 3", "{all}");
        assert_eq!(task["project_id"], "p1", "{all}");
        assert_eq!(task["progress"], 30 + start, "{all}");
        let agents = all["agents"].as_object().unwrap();
        let of_p1 = agents.values().find(|agent| agent["project_id"] == "p1");
        assert_eq!(of_p1.unwrap()["task_ids"][0], "p1-t9", "{all}");
        let runs = all["runs"].as_object().unwrap();
        assert!(runs.values().all(|run| run["kind"] == "execution"), "{all}");
        // It is seen by those who saw it.
        let ann = observer("ann", &["p1"]);
        let (_, seen) = request("GET", address, "/api/v1/state", &ann, None).await;
        let text = seen.to_string();
        assert!(text.contains("p1-t3") && text.contains("p1-x3"), "{text}");
        assert!(!text.contains("p2-"), "{text}");
        let nobody = observer("eve", &["p3"]);
        let (_, seen) = request("GET", address, "/api/v1/state", &nobody, None).await;
        assert_eq!(seen["tasks"], json!({}), "{seen}");
        assert_eq!(seen["runs"], json!({}), "{seen}");
        // Later events about it need no project, as before.
        let event = json!({ "type": "task.progress", "data": { "task_id": "p1-t3", "progress": 31 + start } });
        let producer = kit::guarded::producer();
        let (status, answer) = super::post(address, &producer, &event).await;
        assert_eq!(status, 202, "{answer}");
        server.shutdown().await;
        super::until_free(&path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_version_1_is_brought_to_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(folder.path());
    for start in 0..2 {
        let server = guarded(|config| {
            config.journal.kind = stoa::config::JournalKind::Sqlite;
            config.journal.path = path.clone();
            config.journal.max_age.set(3_000_000_000.0).unwrap();
        })
        .await;
        let address = server.address();
        assert_eq!(history(address, &admin(), "").await.len(), 100 + start);
        // An event that named no project is its task's, and one that named no owner is its run's owner's.
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
        let (status, answer) = super::post(address, &kit::guarded::producer(), &event).await;
        assert_eq!(status, 202, "{answer}");
        let now = history(address, &observer("bob", &["p2"]), "&type=task.progress").await;
        assert_eq!(now.len(), 11 + start, "it is the old task's project's");
        server.shutdown().await;
        drop(client);
        super::until_free(&path).await;
    }
}
