//! Rooms of sessions over the wire: all updates of a session's runs go there, to those who may see the runs.

use kit::{
    Client,
    guarded::{grant, guarded, kept_in, observer, publish, token},
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

fn said(kind: &str, run: &str, more: &Value) -> Value {
    let mut data = json!({ "run_id": run });
    for (key, value) in more.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({ "type": kind, "project_id": "p", "data": data })
}

/// A client that is in this room and in no other one that updates go to.
async fn in_room(address: std::net::SocketAddr, token: &str, room: &str) -> (Client, Value) {
    let (mut client, _) = Client::connect(address, json!({ "token": token })).await;
    client
        .call("leave_room", json!({ "room": "observers" }))
        .await;
    let joined = client.call("join_room", json!({ "room": room })).await;
    (client, joined)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_room_gets_the_updates_of_its_runs_also_those_that_do_not_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("stoa.db");
    let server = guarded(|config| kept_in(config, &journal)).await;
    let address = server.address();
    let session = json!({ "session_id": "s1" });
    publish(address, &said("agent.run.started", "r1", &session)).await;
    let ann = observer("ann", &["p"]);
    let (mut inside, joined) = in_room(address, &ann, "session:s1").await;
    assert_eq!(joined["status"], "ok", "{joined}");
    let (mut own, joined) = in_room(address, &ann, "session:p/s1").await;
    assert_eq!(joined["status"], "ok", "{joined}");
    let (_, refused) = in_room(address, &observer("bob", &["q"]), "session:s1").await;
    assert_eq!(refused["error"]["code"], "forbidden_room", "{refused}");
    // A token that names the room sees what the session's runs do, and nothing else.
    let by_room = token(&Grant {
        user: Some("guest".into()),
        rooms: Some(vec!["session:s1".into()]),
        ..grant(Role::Observer)
    });
    let (mut guest, _) = Client::connect(address, json!({ "token": by_room })).await;

    publish(
        address,
        &said("agent.run.started", "other", &json!({ "session_id": "s2" })),
    )
    .await;
    publish(
        address,
        &said(
            "task.assigned",
            "r1",
            &json!({ "task_id": "t1", "agent_id": "a" }),
        ),
    )
    .await;
    publish(address, &said("agent.run.completed", "r1", &json!({}))).await;
    for client in [&mut inside, &mut own, &mut guest] {
        let assigned = client.event("task_assignment").await;
        assert_eq!(assigned["task_id"], "t1", "{assigned}");
        let done = client.event("agent_run_update").await;
        assert_eq!(
            (&done["run_status"], &done["data"]["run_id"]),
            (&json!("completed"), &json!("r1"))
        );
    }
    server.shutdown().await;

    // The run is of its session after a restart, too.
    let server = guarded(|config| kept_in(config, &journal)).await;
    let (mut again, joined) = in_room(server.address(), &ann, "session:s1").await;
    assert_eq!(joined["status"], "ok", "{joined}");
    publish(
        server.address(),
        &said("agent.run.started", "r1", &json!({})),
    )
    .await;
    let update = again.event("agent_run_update").await;
    assert_eq!(update["data"]["run_id"], "r1", "{update}");
    server.shutdown().await;
}
