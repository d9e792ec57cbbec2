//! Tokens and costs over the wire: the sums of the state and of the updates, over kill -9, and for each who sees only a part.

use std::collections::BTreeMap;

use kit::{
    Client, counted_in, get,
    guarded::{guarded, observer, publish, request},
    post,
    process::{Process, serve},
    server_with, until_folded,
};
use serde_json::{Value, json};

/// The end of a model call, by its number.
fn call(n: u64) -> Value {
    let failed = n.is_multiple_of(7);
    json!({ "id": format!("call-{n}"), "type": if failed { "llm.failed" } else { "llm.completed" }, "project_id": format!("p{}", n % 2), "data": {
        "call_id": n, "model": format!("m{}", n % 3), "agent_id": format!("a{}", n % 4), "run_id": format!("r{}", n % 6), "task_id": format!("t{n}"),
        "input_tokens": n, "output_tokens": "3", "cost_usd": 0.1,
    } })
}

/// Calls, tokens and cost of each thing.
type Sums = BTreeMap<String, (u64, u64, f64)>;

fn thing(kind: &str, id: &str, project: &str) -> String {
    match kind {
        "project" => format!("project {id}"),
        kind => format!("{kind} {project}/{id}"),
    }
}

fn add(sums: &mut Sums, thing: String, usage: &Value) {
    let of = |key: &str| usage[key].as_u64().expect("a number");
    let sum = sums.entry(thing).or_default();
    let cost = sum.2 + usage["cost_usd"].as_f64().expect("a cost");
    *sum = (
        sum.0 + of("calls"),
        sum.1 + of("input_tokens"),
        (cost * 1e9).round() / 1e9,
    );
    let by_model = usage["by_model"].as_object().expect("models");
    let calls: u64 = by_model
        .values()
        .map(|m| m["calls"].as_u64().unwrap())
        .sum();
    assert!(calls <= of("calls"), "{usage}");
}

fn in_state(state: &Value) -> Sums {
    let mut sums = Sums::new();
    for (kind, map) in [
        ("agent", "agents"),
        ("run", "runs"),
        ("project", "projects"),
    ] {
        for thing_of in state[map].as_object().expect("a map").values() {
            let (id, project) = (thing_of["id"].as_str(), thing_of["project_id"].as_str());
            let name = thing(kind, id.unwrap(), project.unwrap_or_default());
            if thing_of["usage"].is_object() {
                add(&mut sums, name, &thing_of["usage"]);
            }
        }
    }
    sums
}

/// A client that adds up what it is told.
#[derive(Default)]
struct Seen {
    sums: Sums,
    cursor: String,
    updates: usize,
}

impl Seen {
    fn take(&mut self, name: &str, update: &Value) {
        if name == "usage_update" {
            let (scope, project) = (&update["scope"], update["project_id"].as_str());
            let name = thing(
                scope["kind"].as_str().unwrap(),
                scope["id"].as_str().unwrap(),
                project.unwrap_or_default(),
            );
            add(&mut self.sums, name, update);
            self.updates += 1;
        }
        if let Some(cursor) = update["cursor"].as_str() {
            cursor.clone_into(&mut self.cursor);
        }
    }

    /// Reads until it has everything up to this place.
    async fn until(&mut self, client: &mut Client, end: &str) {
        while self.cursor != end {
            let (name, update) = client.next().await.expect("an update");
            self.take(&name, &update);
        }
    }
}

async fn publish_calls(address: std::net::SocketAddr, of: std::ops::Range<u64>) -> Value {
    let (status, answer) = post(address, &of.map(call).collect()).await;
    assert_eq!(status, 202, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_exact_over_kill_9_repetitions_and_resumes() {
    let folder = tempfile::tempdir().expect("folder");
    let start = |port: u16| {
        let mut command = serve(&folder.path().join("stoa.db"));
        Process::listening(command.env("STOA_SERVER__PORT", port.to_string()))
    };
    let stoa = start(0);
    for run in 0..6 {
        for project in ["p0", "p1"] {
            let begun = json!({ "type": "agent.run.started", "project_id": project, "data": { "run_id": format!("r{run}") } });
            assert_eq!(post(stoa.address, &begun).await.0, 202);
        }
    }
    publish_calls(stoa.address, 1..40).await;
    let (mut client, _) = Client::connect(stoa.address, json!({ "snapshot": true })).await;
    let snapshot = client.event("snapshot").await;
    let mut seen = Seen {
        sums: in_state(&snapshot),
        cursor: snapshot["cursor"].as_str().unwrap().to_owned(),
        updates: 0,
    };
    // Some updates of these are unsent when the server dies.
    publish_calls(stoa.address, 20..100).await;
    let port = stoa.kill();
    while let Some((name, update)) = client.next().await {
        seen.take(&name, &update);
    }
    let stoa = start(port);
    let again = publish_calls(stoa.address, 60..130).await;
    assert_eq!(again["duplicates"], 40, "{again}");
    let auth = json!({ "cursor": seen.cursor });
    let (mut client, _) = Client::connect(stoa.address, auth).await;
    let end = publish_calls(stoa.address, 130..140).await;
    seen.until(&mut client, end["cursor"].as_str().unwrap())
        .await;
    until_folded(stoa.address, &end["cursor"]).await;
    let (_, state) = get(stoa.address, "/api/v1/state").await;
    let mut expected = Sums::new();
    for n in 1..140 {
        let project = format!("p{}", n % 2);
        for name in [
            thing("agent", &format!("a{}", n % 4), &project),
            thing("run", &format!("r{}", n % 6), &project),
            thing("project", &project, ""),
        ] {
            let sum = expected.entry(name).or_default();
            *sum = (sum.0 + 1, sum.1 + n, ((sum.2 + 0.1) * 1e9).round() / 1e9);
        }
    }
    assert_eq!(in_state(&state), expected);
    assert_eq!(seen.sums, expected);
    stoa.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_are_few_updates_and_lose_none() {
    let server = server_with(|config| {
        config.performance.max_models.set(2).unwrap();
        config.performance.max_model_calls.set(3).unwrap();
    })
    .await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let mut seen = Seen::default();
    let started = |n: u64| json!({ "type": "llm.started", "project_id": "p0", "data": { "call_id": format!("s{n}"), "model": "m", "agent_id": "a0" } });
    let mut events: Vec<Value> = (0..5).map(started).collect();
    events.extend((1..=300).map(call));
    let wrong = json!({ "type": "llm.completed", "project_id": "p0", "data": { "agent_id": "a0", "input_tokens": -5, "output_tokens": "NaN", "cost_usd": 2e6 } });
    events.push(wrong);
    let (status, end) = post(address, &Value::Array(events)).await;
    assert_eq!(status, 202, "{end}");
    let mut thinks = 0;
    while seen.cursor != end["cursor"].as_str().unwrap() {
        let (name, update) = client.next().await.expect("an update");
        thinks += usize::from(name == "llm_update" && update["hint"]["motion"] == "think");
        seen.take(&name, &update);
    }
    // Two for each thing: the first at once, and all others together. An agent without a run is another audience.
    assert!(seen.updates <= 100, "{}", seen.updates);
    assert!(thinks > 0);
    until_folded(address, &end["cursor"]).await;
    let (_, state) = get(address, "/api/v1/state").await;
    let all = in_state(&state);
    assert_eq!(all["project p0"].0 + all["project p1"].0, 301);
    for (name, sum) in &all {
        assert_eq!(seen.sums.get(name), Some(sum), "{name}");
    }
    let agent = state["agents"].as_object().unwrap().values();
    let mut agent = agent.filter(|agent| agent["id"] == "a0" && agent["project_id"] == "p0");
    let agent = agent.next().expect("the agent");
    let ids: Vec<_> = agent["thinking"].as_array().unwrap().iter().collect();
    assert_eq!((ids.len(), &ids[0]["call_id"]), (3, &json!("s2")));
    for (reason, count) in [("model_calls", 2), ("numbers", 3)] {
        let name = format!("stoa_state_facts_dropped_total{{reason=\"{reason}\"}}");
        assert_eq!(counted_in(&server, &name), count, "{reason}");
    }
    assert!(counted_in(&server, "stoa_state_facts_dropped_total{reason=\"models\"}") > 100);
    let models = &state["projects"]["p0"]["usage"]["by_model"];
    assert_eq!(models.as_object().unwrap().len(), 3, "{models}");
    let alarm = json!({ "type": "guardrail.triggered", "project_id": "p0", "data": { "name": "No secrets", "agent_id": "a0", "reason": "A key" } });
    assert_eq!(post(address, &alarm).await.0, 202);
    let check = client.event("check_update").await;
    assert_eq!(
        (&check["priority"], &check["animation"], &check["name"]),
        (&json!("high"), &json!("flash"), &json!("No secrets"))
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_others_is_in_a_sum() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mine, theirs) = (observer("ann", &["mine"]), observer("bob", &["theirs"]));
    let (mut ann, _) = Client::connect(address, json!({ "token": mine })).await;
    let (mut bob, _) = Client::connect(address, json!({ "token": theirs })).await;
    // One agent works for both; a run of theirs is Ann's.
    publish(
        address,
        &json!({ "type": "agent.registered", "data": { "agent_id": "shared" } }),
    )
    .await;
    let used = |project: &str, tokens: u64, more: Value| {
        let mut data = json!({ "agent_id": "shared", "model": format!("model-of-{project}"), "input_tokens": tokens });
        for (key, value) in more.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        json!({ "type": "llm.completed", "project_id": project, "data": data })
    };
    publish(address, &used("mine", 1, json!({}))).await;
    publish(address, &used("theirs", 10, json!({}))).await;
    publish(
        address,
        &used("theirs", 100, json!({ "run_id": "r", "owner_id": "ann" })),
    )
    .await;
    publish(address, &used("mine", 1_000, json!({ "call_id": "last" }))).await;
    publish(
        address,
        &used("theirs", 10_000, json!({ "call_id": "last" })),
    )
    .await;

    let mut told = BTreeMap::new();
    for (name, client, last) in [("ann", &mut ann, 1_000), ("bob", &mut bob, 10_000)] {
        let tokens: &mut u64 = told.entry(name).or_default();
        while *tokens < last {
            let update = client
                .event_where("usage_update", |update| update["scope"]["kind"] == "agent")
                .await;
            assert_eq!(update["scope"]["id"], "shared", "{update}");
            *tokens += update["input_tokens"].as_u64().unwrap();
        }
    }
    assert_eq!(told, BTreeMap::from([("ann", 1_101), ("bob", 10_110)]));
    for (token, tokens, other) in [
        (&mine, 1_101, None),
        (&theirs, 10_110, Some("model-of-mine")),
    ] {
        let (_, state) = request("GET", address, "/api/v1/state", token, None).await;
        let usage = &state["agents"]["shared"]["usage"];
        assert_eq!(usage["input_tokens"], tokens, "{state}");
        assert!(
            other.is_none_or(|other| !state.to_string().contains(other)),
            "{state}"
        );
    }
    let (_, state) = request("GET", address, "/api/v1/state", &mine, None).await;
    assert_eq!(state["projects"]["mine"]["usage"]["input_tokens"], 1_001);
    server.shutdown().await;
}
