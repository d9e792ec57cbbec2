//! `/api/stream/projects/…`: a client that joins in the middle has the state first.

use kit::{
    door::DoorClient,
    events::EventClient,
    guarded::{guarded, observer, publish, request},
    post, server, until_folded,
};
use serde_json::{Value, json};

use super::streams::PROJECT;

/// The state is told once, and what follows it is neither missing nor told twice, however the client and the events meet.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_the_middle_of_a_run_has_its_state_first() {
    let server = server().await;
    let address = server.address();
    let path = format!("{PROJECT}/workflows/runs/w1");
    let run = |n: u64| json!({ "type": "workflow.run.updated", "run": { "id": "w1", "project_id": "p1", "n": n } });
    let started = |n: u64| json!({ "type": "workflow.node.started", "data": { "run_id": "w1", "project_id": "p1", "node_id": format!("n{n}") } });
    post(address, &json!({ "type": "workflow.run.created", "run": { "id": "w1", "project_id": "p1", "name": "Nightly" } })).await;
    let publishing = tokio::spawn(async move {
        for n in 1..=300 {
            post(address, &json!([started(n), run(n)])).await;
        }
        post(address, &json!({ "type": "workflow.run.completed", "run": { "id": "w1", "project_id": "p1", "n": 301 } })).await;
    });
    let mut early = 0;
    for round in 0..20 {
        let mut socket = DoorClient::open(address, &path).await.unwrap();
        assert_eq!(socket.next().await.unwrap()["type"], "connection");
        let first = socket.next().await.unwrap();
        assert_eq!(
            (&first["type"], &first["snapshot"]),
            (&json!("workflow.run.updated"), &json!(true)),
            "{first}"
        );
        assert_eq!(first["run"]["name"], "Nightly");
        assert_eq!(first["run"]["id"], "w1");
        assert!(first["timestamp"].is_string() && first["cursor"].is_string());
        let known = first["run"]["n"].as_u64().unwrap_or(0);
        early += u64::from(known < 301);
        // Each node starts with the number of the run after it.
        let mut nodes = Vec::new();
        let mut last = known;
        while last < 301 {
            let told = socket.next().await.unwrap();
            match told["type"].as_str().unwrap() {
                "workflow.node.started" => {
                    let node = told["node_id"].as_str().unwrap();
                    nodes.push(node[1..].parse::<u64>().unwrap());
                }
                "workflow.run.updated" | "workflow.run.completed" => {
                    let n = told["run"]["n"].as_u64().unwrap();
                    assert!(n > last, "{n} after {last}");
                    last = n;
                }
                other => panic!("{other} in round {round}: {told}"),
            }
        }
        // A node may have started when the run was not updated yet.
        let begins = nodes.first().copied().unwrap_or(301);
        assert!(
            begins == known + 1 || begins == known + 2 || known == 301,
            "{begins} after {known}"
        );
        assert_eq!(nodes, (begins..=300).collect::<Vec<_>>(), "round {round}");
    }
    publishing.await.unwrap();
    assert!(early > 0, "all came after the end");
}

#[tokio::test]
async fn a_projects_stream_begins_with_what_goes_on_in_it() {
    let server = server().await;
    let address = server.address();
    let (_, answer) = post(address, &json!([
        { "type": "ingest.job.created", "job": { "id": "j1", "project_id": "p1", "stage": "A" } },
        { "type": "ingest.job.updated", "job": { "id": "j1", "project_id": "p1", "stage": "B" } },
        { "type": "ingest.job.created", "job": { "id": "done", "project_id": "p1" } },
        { "type": "ingest.job.completed", "job": { "id": "done", "project_id": "p1" } },
        { "type": "agent.run.created", "run": { "id": "r1", "project_id": "p1" } },
        { "type": "agent.step.updated", "step": { "id": "s1", "run_id": "r1", "project_id": "p1", "name": "Look" } },
        { "type": "workflow.run.created", "run": { "id": "other", "project_id": "p2" } },
        { "type": "workflow.run.created", "run": { "id": "w1", "project_id": "p1" } },
    ])).await;
    until_folded(address, &answer["cursor"]).await;
    for is_socket in [true, false] {
        let mut told = Vec::new();
        if is_socket {
            let mut socket = DoorClient::open(address, PROJECT).await.unwrap();
            let hello = socket.until("connection").await;
            assert!(hello["left_out"].is_null(), "{hello}");
            for _ in 0..4 {
                told.push(socket.next().await.unwrap());
            }
            socket.send(&json!({ "type": "ping" })).await;
            assert_eq!(
                socket.next().await.unwrap()["type"],
                "pong",
                "nothing else comes"
            );
        } else {
            let mut events = EventClient::open(address, PROJECT, &[]).await.unwrap();
            events.until("connection").await;
            for _ in 0..4 {
                assert_eq!(events.last_id, None, "no id before all of the state");
                told.push(events.next().await.unwrap());
            }
            assert_eq!(events.last_id.as_deref(), told[3]["cursor"].as_str());
        }
        let types: Vec<_> = told.iter().map(|t| t["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "ingest.job.updated",
                "agent.run.updated",
                "agent.step.updated",
                "workflow.run.updated"
            ]
        );
        assert_eq!(
            (&told[0]["job"]["stage"], &told[0]["job"]["status"]),
            (&json!("B"), &json!("pending"))
        );
        assert_eq!(told[2]["step"]["name"], "Look");
        assert_eq!(told[3]["run"]["id"], "w1");
        assert!(told.iter().all(|told| told["snapshot"] == true));
        let cursors: Vec<_> = told.iter().map(|told| told["cursor"].is_string()).collect();
        assert_eq!(cursors, [false, false, false, true]);
    }
}

#[tokio::test]
async fn runs_for_which_there_is_no_room_are_counted() {
    let server =
        kit::server_with(|config| config.server.max_client_buffer.set(16 << 10).unwrap()).await;
    let address = server.address();
    let filler = "x".repeat(1_000);
    let runs = (0..40).map(|n| json!({ "type": "agent.run.created", "run": { "id": format!("r{n}"), "project_id": "p1", "filler": filler } }));
    let (_, answer) = post(address, &Value::Array(runs.collect())).await;
    until_folded(address, &answer["cursor"]).await;
    let mut socket = DoorClient::open(address, PROJECT).await.unwrap();
    let left_out = socket.until("connection").await["left_out"]
        .as_u64()
        .unwrap();
    assert!((30..40).contains(&left_out), "{left_out}");
    let mut last = Value::Null;
    for _ in left_out..40 {
        last = socket.next().await.unwrap();
    }
    assert_eq!(last["run"]["id"], "r39", "the newest is the last");
    assert!(last["cursor"].is_string());
}

/// The owner of a run may follow it, without a right to its project.
#[tokio::test]
async fn the_owner_of_a_run_is_told_its_state_and_others_are_not() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(address, &json!([
        { "type": "workflow.run.created", "run": { "id": "w1", "project_id": "p1", "owner_id": "ann" } },
        { "type": "workflow.run.created", "run": { "id": "w2", "project_id": "p1", "owner_id": "bob" } },
    ])).await;
    kit::wait_for("the runs", async || {
        let (_, state) = request(
            "GET",
            address,
            "/api/v1/state",
            &kit::guarded::admin(),
            None,
        )
        .await;
        state["runs"]["w2"].is_object()
    })
    .await;
    let token = observer("ann", &["p9"]);
    let path = |run: &str| format!("{PROJECT}/workflows/runs/{run}?token={token}");
    let mut socket = DoorClient::open(address, &path("w1")).await.unwrap();
    socket.until("connection").await;
    let first = socket.next().await.unwrap();
    assert_eq!(first["run"]["id"], "w1", "{first}");
    let refused = DoorClient::open(address, &path("w2")).await.map(|_| ());
    assert_eq!(refused.unwrap_err(), 403);
}
