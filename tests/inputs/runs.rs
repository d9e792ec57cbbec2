//! Runs that wait for a person.

use kit::{
    Client,
    guarded::{guarded, observer, publish, request},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_says_so_loudly_and_names_its_parent_and_session() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mine = observer("ann", &["p"]);
    let (mut ann, _) = Client::connect(address, json!({ "token": mine })).await;
    for (kind, update, id, map) in [
        ("workflow", "execution_update", "execution_id", "e1"),
        ("agent", "agent_run_update", "run_id", "r1"),
    ] {
        let say = |change: &str| {
            json!({ "type": format!("{kind}.run.{change}"), "project_id": "p",
                "data": { id: map, "parent_run_id": "boss", "session_id": "s1" } })
        };
        publish(address, &say("started")).await;
        publish(address, &say("paused")).await;
        let paused = ann
            .event_where(update, |update| update["run_status"] == "paused")
            .await;
        assert_eq!(
            (
                &paused["priority"],
                &paused["animation"],
                &paused["data"]["parent_run_id"],
                &paused["data"]["session_id"]
            ),
            (
                &json!("high"),
                &json!("alert"),
                &json!("boss"),
                &json!("s1")
            ),
            "{paused}"
        );
        let (_, state) = request("GET", address, "/api/v1/state", &mine, None).await;
        let run = &state["runs"][map];
        assert_eq!(
            (&run["status"], &run["parent_run_id"], &run["session_id"]),
            (&json!("paused"), &json!("boss"), &json!("s1")),
            "{state}"
        );
        publish(address, &say("resumed")).await;
        let resumed = ann
            .event_where(update, |update| {
                update["run_status"] == "running" && update["priority"] == "high"
            })
            .await;
        assert_eq!(resumed["animation"], "progress", "{resumed}");
    }
    server.shutdown().await;
}
