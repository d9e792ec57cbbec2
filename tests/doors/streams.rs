//! `/api/stream/projects/…`: the events of a project, a job, an agent's run and a workflow's run.

use std::net::SocketAddr;

use kit::{
    door::DoorClient,
    events::EventClient,
    guarded::{guarded, observer, publish, request},
    post, refused, server, until_folded,
};
use serde_json::{Value, json};

const PROJECT: &str = "/api/stream/projects/p1";

/// The event types of the services, each with the key of its object.
const TYPES: [(&str, &str); 21] = [
    ("ingest.job.created", "job"),
    ("ingest.job.updated", "job"),
    ("ingest.job.completed", "job"),
    ("ingest.job.failed", "job"),
    ("ingest.job.cancelled", "job"),
    ("agent.run.created", "run"),
    ("agent.run.updated", "run"),
    ("agent.run.completed", "run"),
    ("agent.run.failed", "run"),
    ("agent.run.cancelled", "run"),
    ("agent.step.updated", "step"),
    ("agent.message.appended", "message"),
    ("workflow.run.created", "run"),
    ("workflow.run.updated", "run"),
    ("workflow.run.completed", "run"),
    ("workflow.run.failed", "run"),
    ("workflow.run.cancelled", "run"),
    ("workflow.node.started", "nodeState"),
    ("workflow.node.completed", "nodeState"),
    ("workflow.node.failed", "nodeState"),
    ("workflow.node_state.updated", "nodeState"),
];

/// The object of an event: things of their own for each, so that nothing is coalesced.
fn object(n: usize, key: &str) -> Value {
    let own = format!("own-{n}");
    let mut object =
        json!({ "project_id": "p1", "note": n, "nothing": null, "list": [1, { "a": null }] });
    let ids: &[(&str, &str)] = match key {
        "job" => &[("id", &own), ("stage", "PREPROCESSING")],
        "run" => &[("id", &own), ("name", "Run")],
        "step" => &[("id", &own), ("run_id", "r1"), ("name", "Step")],
        "message" => &[
            ("id", &own),
            ("run_id", "r1"),
            ("role", "assistant"),
            ("content", "Hello"),
        ],
        _ => &[
            ("id", &own),
            ("run_id", "r1"),
            ("node_id", &own),
            ("node_name", "Node"),
        ],
    };
    for (id, value) in ids {
        object[*id] = (*value).into();
    }
    object
}

async fn pair(address: SocketAddr, path: &str) -> (DoorClient, EventClient) {
    let mut socket = DoorClient::open(address, path).await.unwrap();
    let mut events = EventClient::open(address, path, &[]).await.unwrap();
    let hello = socket.until("connection").await;
    assert_eq!(hello["event"], "connected");
    for key in ["connection_id", "timestamp", "cursor", "rooms"] {
        assert!(!hello[key].is_null(), "{key} of {hello}");
    }
    events.until("connection").await;
    (socket, events)
}

/// Checks one event of the stream.
fn check(told: &Value, kind: &str, key: &str, own: &Value, written: &str) {
    assert_eq!(told["type"], kind, "{told}");
    assert_eq!(&told[key], own, "{told}");
    assert_eq!(told["source_type"], written);
    for key in ["timestamp", "id", "cursor"] {
        assert!(told[key].is_string(), "{key} of {told}");
    }
    if key == "nodeState" {
        for (field, value) in own.as_object().unwrap() {
            let is_events = ["id", "timestamp"].contains(&&**field);
            assert!(is_events || told[field] == *value, "{field} of {told}");
        }
    } else {
        let most = [
            "type",
            key,
            "timestamp",
            "id",
            "cursor",
            "source_type",
            "errorMessage",
        ];
        let more = told
            .as_object()
            .unwrap()
            .keys()
            .find(|key| !most.contains(&&***key));
        assert_eq!(more, None, "{told}");
    }
    match kind.ends_with(".failed") {
        true => assert_eq!(told["errorMessage"], "it broke"),
        false => assert!(told.get("errorMessage").is_none(), "{told}"),
    }
}

#[tokio::test]
async fn each_of_the_services_events_comes_in_its_shape_and_order() {
    let server = server().await;
    let address = server.address();
    let (mut socket, mut events) = pair(address, PROJECT).await;
    let published = TYPES.iter().enumerate().map(|(n, (kind, key))| {
        let written = if n % 2 == 0 {
            (*kind).to_owned()
        } else {
            kind.replace('.', "_")
        };
        let mut event = json!({ "type": written, "timestamp": "2026-01-02T03:04:05Z" });
        event[*key] = object(n, key);
        if kind.ends_with(".failed") {
            event["errorMessage"] = "it broke".into();
        }
        event
    });
    let published: Vec<Value> = published.collect();
    let (status, answer) = post(address, &json!(published)).await;
    assert_eq!((status, &answer["rejected"]), (202, &json!([])));
    for (event, (kind, key)) in published.iter().zip(TYPES) {
        let written = event["type"].as_str().unwrap();
        for told in [socket.next().await.unwrap(), events.next().await.unwrap()] {
            check(&told, kind, key, &event[key], written);
            assert_eq!(told["timestamp"], "2026-01-02T03:04:05.000Z");
            if events.last_id.is_some() {
                assert_eq!(told["cursor"].as_str(), events.last_id.as_deref());
            }
        }
    }
}

#[tokio::test]
async fn an_event_with_flat_data_gives_the_same_object() {
    let server = server().await;
    let address = server.address();
    let (mut socket, _) = pair(address, PROJECT).await;
    for (n, (kind, key)) in TYPES.iter().enumerate() {
        let mut data = object(n, key);
        let fields = data.as_object_mut().unwrap();
        let own = fields.remove("id").unwrap();
        let id = match *key {
            "job" => "job_id",
            "run" if kind.starts_with("workflow") => "execution_id",
            "run" => "run_id",
            "message" => "message_id",
            _ => "step_id",
        };
        fields.insert(id.into(), own);
        let mut sent = data.clone();
        if kind.ends_with(".failed") {
            sent["error"] = "it broke".into();
        }
        post(address, &json!({ "type": kind, "data": sent })).await;
        let told = socket.next().await.unwrap();
        assert_eq!(told["type"], *kind, "{told}");
        for (field, value) in data.as_object().unwrap() {
            assert_eq!(&told[*key][field], value, "{field} of {told}");
        }
        let failed = kind.ends_with(".failed");
        assert_eq!(told["errorMessage"] == "it broke", failed, "{told}");
    }
    post(address, &json!({ "type": "task.assigned", "project_id": "p1", "data": { "task_id": "t", "agent_id": "a" } })).await;
    let told = socket.next().await.unwrap();
    assert_eq!(told["type"], "task.assigned");
    assert_eq!(told["data"], json!({ "task_id": "t", "agent_id": "a" }));
    assert!(told["timestamp"].is_string() && told["cursor"].is_string());
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await.unwrap()["type"], "pong");
    socket.send(&json!({ "type": "dance" })).await;
    let error = socket.next().await.unwrap();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("error"), &json!("unknown_event"))
    );
}

#[tokio::test]
async fn a_stream_has_the_events_of_its_thing_and_no_others() {
    let server = server().await;
    let address = server.address();
    for (path, key, kind) in [
        ("ingest/x", "job", "ingest.job.created"),
        ("agent-runs/x", "run", "agent.run.created"),
        ("workflows/runs/x", "run", "workflow.run.created"),
    ] {
        let (mut socket, mut events) = pair(address, &format!("{PROJECT}/{path}")).await;
        let of = |project: &str, id: &str| {
            let mut event = json!({ "type": kind });
            event[key] = json!({ "id": id, "project_id": project });
            event
        };
        let all = json!([of("p2", "x"), of("p1", "y"), of("p1", "x")]);
        post(address, &all).await;
        for told in [socket.next().await.unwrap(), events.next().await.unwrap()] {
            assert_eq!(
                told[key],
                json!({ "id": "x", "project_id": "p1" }),
                "{told}"
            );
        }
    }
}

#[tokio::test]
async fn a_thing_with_any_name_has_a_stream() {
    let server = server().await;
    let address = server.address();
    let path = "/api/stream/projects/My%20Team/ingest/a%2Fb%3F";
    let (mut socket, _) = pair(address, path).await;
    post(
        address,
        &json!({ "type": "ingest.job.created", "job": { "id": "a/b?", "project_id": "My Team" } }),
    )
    .await;
    let told = socket.next().await.unwrap();
    assert_eq!(told["job"]["id"], "a/b?");
}

#[tokio::test]
async fn the_right_is_asked_for_before_the_stream_begins() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let token = observer("ann", &["p1"]);
    for rest in ["", "/ingest/x", "/agent-runs/x", "/workflows/runs/x"] {
        for (token, project, status) in [(None, "p1", 401), (Some(&token), "p2", 403)] {
            let query = token.map_or(String::new(), |token| format!("?token={token}"));
            let path = format!("/api/stream/projects/{project}{rest}{query}");
            let socket = DoorClient::open(address, &path).await.map(|_| ());
            assert_eq!(socket.unwrap_err(), status, "{path}");
            let (code, body) = EventClient::open(address, &path, &[])
                .await
                .map(|_| ())
                .unwrap_err();
            assert_eq!(code, status, "{path}");
            assert!(body["error"]["message"].is_string(), "{body}");
        }
        let path = format!("/api/stream/projects/p1{rest}?token={token}");
        assert!(DoorClient::open(address, &path).await.is_ok());
        assert!(EventClient::open(address, &path, &[]).await.is_ok());
    }
    let metrics = server.metrics().text();
    let counted = metrics
        .lines()
        .find(|line| line.contains("streams") && line.contains("forbidden_room"));
    assert!(
        counted.is_some_and(|line| line.ends_with(" 8")),
        "{counted:?}"
    );
}

#[tokio::test]
async fn a_client_that_takes_anything_has_events_and_a_page_is_told_how_to_ask() {
    let server = server().await;
    let address = server.address();
    let url = format!("http://{address}{PROJECT}");
    let get = async |accept| {
        let request = reqwest::Client::new().get(&url).header("accept", accept);
        request.send().await.unwrap()
    };
    for accept in [
        "*/*",
        "text/event-stream",
        "application/json, text/event-stream;q=0.9",
    ] {
        assert_eq!(get(accept).await.status(), 200, "{accept}");
    }
    assert_eq!(
        get("text/html,application/xml;q=0.9,*/*;q=0.8")
            .await
            .status(),
        406
    );
    let asked = get("application/json").await;
    assert_eq!(asked.status(), 406);
    let body = asked.text().await.unwrap();
    assert!(
        body.contains("WebSocket") && body.contains("text/event-stream"),
        "{body}"
    );
    assert_eq!(refused(address, "streams", "bad_request").await, 2);
    let (status, body) = EventClient::open(address, &format!("{PROJECT}?curser=x"), &[])
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(status, 400);
    assert!(body.to_string().contains("did you mean cursor"), "{body}");
}

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

#[tokio::test]
async fn a_client_goes_on_from_its_cursor() {
    let server = server().await;
    let address = server.address();
    let path = format!("{PROJECT}/ingest/x");
    let job = |kind: &str| json!({ "type": format!("ingest.job.{kind}"), "job": { "id": "x", "project_id": "p1" } });
    let (mut socket, mut events) = pair(address, &path).await;
    post(address, &job("created")).await;
    let cursor = socket.until("ingest.job.created").await["cursor"].clone();
    events.until("ingest.job.created").await;
    let last = events.last_id.clone().unwrap();
    assert_eq!(cursor, *last);
    drop((socket, events));
    post(address, &job("completed")).await;
    let mut socket = DoorClient::open(address, &format!("{path}?cursor={last}"))
        .await
        .unwrap();
    let mut events = EventClient::open(address, &path, &[("Last-Event-ID", &last)])
        .await
        .unwrap();
    let mut polyfill = EventClient::open(address, &format!("{path}?lastEventId={last}"), &[])
        .await
        .unwrap();
    socket.until("connection").await;
    events.until("connection").await;
    polyfill.until("connection").await;
    // It may still wait for its flush when they resume: then it follows.
    for mut told in [
        [socket.next().await, socket.next().await],
        [events.next().await, events.next().await],
        [polyfill.next().await, polyfill.next().await],
    ] {
        told.sort_by_key(|told| told.as_ref().map(|told| told["type"].to_string()));
        let [completed, resumed] = told.map(Option::unwrap);
        assert_eq!(completed["type"], "ingest.job.completed");
        assert_eq!(
            (&resumed["type"], &resumed["complete"]),
            (&json!("resumed"), &json!(true))
        );
    }
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
