//! The rooms that are for a client, by rules that are data.

use crate::guard::refused;
use kit::Client;
use kit::guarded::{grant, guarded, observer, publish, token};
use serde_json::json;
use stoa::{access::authn::Grant, config::Role};

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_for_those_whom_their_things_belong_to() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(
        address,
        &json!([
            { "type": "workflow.run.started", "data": { "execution_id": "e1", "workflow_id": "w1", "user_id": "ann" } },
            { "type": "workflow.run.started", "data": { "execution_id": "e2", "owner_id": "bob" } },
            { "type": "ingest.job.started", "project_id": "p1", "data": { "job_id": "j1" } },
            { "type": "agent.run.started", "data": { "run_id": "r1" } },
            { "type": "task.created", "project_id": "p2", "data": { "task_id": "t2" } },
        ]),
    )
    .await;
    let (mut ann, hello) =
        Client::connect(address, json!({ "token": observer("ann", &["p1"]) })).await;
    assert_eq!(hello["rooms"], json!(["general", "observers", "user:ann"]));
    // At once: what was published counts, whether the hub has read it or not.
    let answer = ann.call("join_room", json!("execution:e1")).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    for room in [
        "workflow:w1",
        "job:j1",
        "project:p1",
        "user:ann",
        "agent:a",
        "task:t1",
    ] {
        let answer = ann.call("join_room", json!(room)).await;
        assert_eq!(answer["status"], "ok", "{room}: {answer}");
    }
    for room in [
        "execution:e2",
        "run:r1",
        "execution:e9",
        "project:p2",
        "user:bob",
        "task:t2",
        "producers",
    ] {
        for event in ["join_room", "subscribe"] {
            let answer = ann.call(event, json!({ "room": room })).await;
            assert_eq!(
                answer["error"]["code"], "forbidden_room",
                "{room}: {answer}"
            );
        }
        let auth = json!({ "token": observer("ann", &["p1"]), "rooms": [room] });
        assert_eq!(refused(address, auth).await, "forbidden_room", "{room}");
    }
    // Claims open what they name, and nothing else then.
    let named = token(&Grant {
        rooms: Some(vec!["execution:e*".into(), "agent:a1".into()]),
        ..grant(Role::Observer)
    });
    let (mut named, _) = Client::connect(address, json!({ "token": named })).await;
    for (room, status) in [
        ("execution:e2", "ok"),
        ("agent:a1", "ok"),
        ("agent:a2", "error"),
        ("task:t1", "error"),
    ] {
        assert_eq!(
            named.call("join_room", json!(room)).await["status"],
            status,
            "{room}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_are_data() {
    let server = guarded(|config| {
        config.access.project = stoa::config::Rule::All;
        config.access.agent = stoa::config::Rule::Claim;
    })
    .await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({ "token": observer("u", &[]) })).await;
    assert_eq!(
        client.call("join", json!("project:p9")).await["status"],
        "ok"
    );
    let answer = client.call("join", json!("agent:a1")).await;
    assert_eq!(answer["error"]["code"], "forbidden_room");
    server.shutdown().await;
}
