//! Projects of one name: what is said of one of them, by its name or its board, is nobody's who sees another.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{history, post, producer_of, until_free};
use kit::{
    Client,
    guarded::{admin, guarded, observer, publish, request},
};

/// A `project.*` event; a note tells it from others.
fn said(what: &str, project: Option<&str>, name: Option<&str>, note: &str) -> Value {
    let data = json!({ "project_name": name, "note": note });
    json!({ "type": format!("project.{what}"), "project_id": project, "data": data })
}

/// Marcus' report on a project: by its board and its name.
fn refreshed(board: &str, name: &str, note: &str) -> Value {
    let state = json!({ "board_id": board, "project_name": name, "progress_percent": 40.0 });
    json!({ "type": "project_state_refreshed", "data": { "task_count": 4, "note": note, "project_state": state } })
}

/// The notes that an observer of these projects finds in the history, in their order; the state tells it of no other.
async fn notes(address: SocketAddr, projects: &[&str]) -> Vec<String> {
    let token = observer("ann", projects);
    let events = history(address, &token, "").await;
    let note = |event: &Value| event["data"]["note"].as_str().unwrap_or("-").to_owned();
    let notes: Vec<_> = events.iter().map(note).collect();
    let (_, state) = request("GET", address, "/api/v1/state", &token, None).await;
    for known in state["projects"].as_object().expect("projects").values() {
        assert!(notes.iter().any(|note| known["note"] == **note), "{state}");
    }
    notes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_by_a_name_of_two_projects_is_seen_by_who_sees_both() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let watchers = [&["p1"][..], &["b2"], &["p1", "b2"], &["p3"]];
    let mut clients = Vec::new();
    for projects in watchers {
        let token = observer("ann", projects);
        clients.push(Client::connect(address, json!({ "token": token })).await.0);
    }
    let board = json!({ "board_id": "b2", "project_name": "Website" });
    let done =
        json!({ "type": "project.completed", "data": { "note": "done", "project_state": board } });
    publish(
        address,
        &json!([
            said("created", Some("p1"), Some("Website"), "p1"),
            said("created", Some("b2"), Some("Website"), "b2"),
            said("updated", None, Some("Website"), "by name"),
            said("updated", None, Some("never said"), "open"),
            done,
        ]),
    )
    .await;
    let open = json!({ "type": "note.last", "data": { "note": "last" } });
    publish(address, &open).await;
    let expected = [
        &["p1", "open", "last"][..],
        &["b2", "open", "done", "last"],
        &["p1", "b2", "by name", "open", "done", "last"],
        &["open", "last"],
    ];
    for ((projects, client), expected) in watchers.iter().zip(&mut clients).zip(expected) {
        assert_eq!(notes(address, projects).await, expected, "{projects:?}");
        let mut live: Vec<String> = Vec::new();
        while live.last().is_none_or(|last| last != "last") {
            let (_, update) = client.next().await.expect("an update");
            live.extend(update["data"]["note"].as_str().map(str::to_owned));
        }
        live.sort_unstable();
        live.dedup();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(live, expected, "{projects:?}");
    }
    let (_, all) = request("GET", address, "/api/v1/state", &admin(), None).await;
    assert_eq!(all["projects"]["p1"]["status"], "active", "{all}");
    assert_eq!(all["projects"]["b2"]["status"], "completed", "{all}");
    server.shutdown().await;
}

/// Its board has another id than the project, which is announced by id and name.
#[tokio::test(flavor = "multi_thread")]
async fn what_marcus_says_of_a_board_is_its_projects_also_where_another_has_the_same_name() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(
        address,
        &json!([
            said("created", Some("p1"), Some("Website"), "p1"),
            refreshed("b1", "Website", "of b1"),
            said("created", Some("p2"), Some("Website"), "p2"),
            refreshed("b2", "Website", "of b2"),
            refreshed("b1", "Website", "of b1 again"),
            refreshed("b3", "Website", "of b3"),
        ]),
    )
    .await;
    assert_eq!(
        notes(address, &["p1"]).await,
        ["p1", "of b1", "of b1 again"]
    );
    assert_eq!(notes(address, &["p2"]).await, ["p2", "of b2"]);
    assert_eq!(notes(address, &["b3"]).await, ["of b3"]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_renamed_gives_its_name_up_also_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let start = async || {
        guarded(|config| {
            config.journal.kind = stoa::config::JournalKind::Sqlite;
            config.journal.path = path.clone();
        })
        .await
    };
    let server = start().await;
    publish(
        server.address(),
        &json!([
            said("created", Some("p1"), Some("Website"), "p1"),
            said("updated", Some("p1"), Some("Shop"), "renamed"),
            said("updated", None, Some("Website"), "late"),
            said("created", Some("p2"), Some("Website"), "p2"),
            said("updated", None, Some("Website"), "theirs"),
        ]),
    )
    .await;
    server.shutdown().await;
    until_free(&path).await;
    let server = start().await;
    let address = server.address();
    publish(
        address,
        &json!([
            said("updated", None, Some("Website"), "theirs again"),
            said("updated", None, Some("Shop"), "ours"),
        ]),
    )
    .await;
    assert_eq!(notes(address, &["p1"]).await, ["p1", "renamed", "ours"]);
    let theirs = ["p2", "theirs", "theirs again"];
    assert_eq!(notes(address, &["p2"]).await, theirs);
    // Of which project it was is not known: it isn't everybody's.
    assert_eq!(notes(address, &["p3"]).await, [""; 0]);
    let all = history(address, &admin(), "").await;
    assert_eq!(all[2]["data"]["note"], "late", "{all:?}");
    server.shutdown().await;
}

/// A tenant calls its project whatever it wants.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_takes_anothers_name_gets_nothing_of_it_and_hides_nothing() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mallory = producer_of("mallory", &["p1"]);
    for name in ["Website", "Shop"] {
        let taking = said("created", Some("p1"), Some(name), "taking");
        assert_eq!(post(address, &mallory, &taking).await.0, 202);
    }
    publish(
        address,
        &json!([
            said("created", Some("p2"), Some("Website"), "p2"),
            said("updated", None, Some("Website"), "theirs"),
        ]),
    )
    .await;
    let taking = json!({ "type": "project_state_refreshed", "project_id": "p1",
        "data": { "note": "taking", "project_state": { "board_id": "p1", "project_name": "Website" } } });
    assert_eq!(post(address, &mallory, &taking).await.0, 202);
    let board = refreshed("b2", "Website", "of its board");
    publish(address, &board).await;
    let renaming = said("updated", Some("p2"), Some("Shop"), "renaming");
    assert_eq!(
        post(address, &mallory, &renaming).await.1["error"]["code"],
        "forbidden"
    );
    publish(
        address,
        &said("updated", None, Some("Website"), "theirs again"),
    )
    .await;
    assert_eq!(notes(address, &["p1"]).await, ["taking"; 3]);
    let theirs = ["p2", "theirs", "of its board", "theirs again"];
    assert_eq!(notes(address, &["p2"]).await, theirs);
    server.shutdown().await;
}
