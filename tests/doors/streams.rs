//! `/api/stream/projects/…`: the events of a project, a job, an agent's run and a workflow's run.

use std::net::SocketAddr;

use kit::{
    door::DoorClient,
    events::EventClient,
    guarded::{guarded, observer},
    post, refused, server,
};
use serde_json::{Value, json};

pub(crate) const PROJECT: &str = "/api/stream/projects/p1";

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
        let request = kit::http_client().get(&url).header("accept", accept);
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
