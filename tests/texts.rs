//! Texts of agents over the wire: what is said and thought, and when a text is whole.

use std::collections::{HashMap, HashSet, VecDeque};

use kit::{
    Client, counted_in, get,
    guarded::{guarded, observer, publish, request},
    post, server, until_folded,
};
use serde_json::{Value, json};

fn text(kind: &str, project: &str, message: &str, more: &Value) -> Value {
    let mut data = json!({ "message_id": message, "agent_id": "ada", "role": "assistant" });
    for (key, value) in more.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({ "type": kind, "project_id": project, "data": data })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_comes_whole_and_in_order_and_its_end_is_told() {
    let server = server().await;
    let address = server.address();
    let types = json!({ "filters": { "types": ["message_appended", "task_update"] } });
    let (mut client, _) = Client::connect(address, types).await;
    let piece = |kind: &str, content: String| {
        text(
            &format!("agent.{kind}.appended"),
            "p",
            "m",
            &json!({ "content": content }),
        )
    };
    let mut events = vec![text("agent.message.started", "p", "m", &json!({}))];
    for n in 0..40 {
        events.push(piece("reasoning", format!("thought {n}, ")));
        events.push(piece("message", format!("word {n}, ")));
    }
    let kind = json!({ "kind": "reasoning" });
    events.push(text("agent.message.completed", "p", "m", &kind));
    let stop = json!({ "finish_reason": "stop" });
    events.push(text("agent.message.completed", "p", "m", &stop));
    let (status, answer) = post(address, &Value::Array(events)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(83)), "{answer}");

    let (mut said, mut thought, mut updates) = (String::new(), String::new(), 0);
    let (mut began, mut whole) = (false, false);
    while !whole {
        let update = client.event("message_appended").await;
        let data = &update["data"];
        updates += 1;
        let source = update["source_type"].as_str().unwrap();
        began |= source == "agent.message.started";
        assert!(began && update["priority"] == "low", "{update}");
        let content = data["content"].as_str().unwrap();
        let reasoning = data["kind"] == "reasoning";
        match reasoning {
            true => thought.push_str(content),
            false => said.push_str(content),
        }
        assert_eq!(
            data.get("final").is_some(),
            source.ends_with("completed"),
            "{update}"
        );
        whole = data["final"] == true && !reasoning;
    }
    let all = |word: &str| (0..40).map(|n| format!("{word} {n}, ")).collect::<String>();
    assert_eq!((said, thought), (all("word"), all("thought")));
    assert!(updates < 60, "{updates}: nothing was joined");

    // The history has all of it, and the agent is not what its texts are.
    until_folded(address, &answer["cursor"]).await;
    let ends = "/api/v1/events?type=agent.message.completed";
    let (_, history) = get(address, ends).await;
    assert_eq!(history["events"].as_array().unwrap().len(), 2, "{history}");
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(state["agents"], json!({}), "{state}");

    let again = json!({ "type": "task.retried", "data": { "task_id": "t", "agent_id": "ada", "attempt": 2, "error": "Timeout" } });
    assert_eq!(post(address, &again).await.0, 202);
    let retried = client.event("task_update").await;
    assert_eq!(
        (
            &retried["animation"],
            &retried["hint"]["motion"],
            &retried["priority"],
            &retried["data"]["change_type"]
        ),
        (
            &json!("flash"),
            &json!("retry"),
            &json!("normal"),
            &json!("retried")
        )
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thoughts_stay_in_their_project() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mine, theirs) = (observer("ann", &["mine"]), observer("bob", &["theirs"]));
    let (mut ann, _) = Client::connect(address, json!({ "token": mine })).await;
    let (mut bob, _) = Client::connect(address, json!({ "token": theirs })).await;
    let secret = json!({ "content": "the secret plan", "to_agent_id": "eve" });
    publish(
        address,
        &text("agent.reasoning.appended", "mine", "m1", &secret),
    )
    .await;
    publish(
        address,
        &text("agent.message.completed", "theirs", "m2", &json!({})),
    )
    .await;
    let thought = ann.event("message_appended").await;
    assert_eq!(
        (&thought["hint"]["from"], &thought["hint"]["to"]),
        (&json!("ada"), &json!("eve"))
    );
    // Bob's own comes after Ann's, which he did not get.
    let own = bob.event("message_appended").await;
    assert_eq!(own["data"]["message_id"], "m2", "{own}");
    assert!(!format!("{:?}", bob.so_far().await).contains("secret"));
    let path = "/api/v1/events?limit=100";
    let (status, history) = request("GET", address, path, &theirs, None).await;
    assert!(
        status == 200 && !history.to_string().contains("secret"),
        "{history}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_and_plans_are_told_listed_bounded_and_stay_in_their_project() {
    let server = guarded(|config| {
        config.performance.max_artifacts.set(4).unwrap();
        config.performance.max_plan_items.set(2).unwrap();
    })
    .await;
    let address = server.address();
    let (mine, theirs) = (observer("ann", &["mine"]), observer("bob", &["theirs"]));
    let (mut ann, _) = Client::connect(address, json!({ "token": mine })).await;
    let (mut bob, _) = Client::connect(address, json!({ "token": theirs })).await;
    for n in 0..6 {
        let data = json!({ "artifact_id": format!("f{n}"), "name": "the secret plan", "agent_id": "ada", "url": "javascript:alert(1)" });
        let made = json!({ "type": "artifact.created", "project_id": "mine", "data": data });
        publish(address, &made).await;
    }
    let items = json!([{ "id": "t1", "title": "the secret plan" }, { "id": "t2" }, { "id": "t3" }]);
    let plan = json!({ "type": "plan.updated", "project_id": "mine", "data": { "items": items } });
    publish(address, &plan).await;
    let other = json!({ "type": "artifact.created", "project_id": "theirs", "data": { "artifact_id": "g" } });
    publish(address, &other).await;

    let made = ann.event("artifact_update").await;
    assert_eq!(
        (
            &made["animation"],
            &made["hint"]["motion"],
            &made["hint"]["intensity"]
        ),
        (&json!("celebrate"), &json!("drop"), &json!(0.3))
    );
    let planned = ann.event("plan_update").await;
    assert_eq!(
        (&planned["plan_id"], &planned["data"]["items"]),
        (&json!("plan"), &items)
    );
    // Bob's own comes after the others, and he got none of those.
    let own = bob.event("artifact_update").await;
    assert_eq!(own["artifact_id"], "g", "{own}");
    assert!(!format!("{:?}", bob.so_far().await).contains("secret"));

    let (_, state) = request("GET", address, "/api/v1/state", &mine, None).await;
    let listed: Vec<_> = state["artifacts"].as_object().unwrap().keys().collect();
    assert!(
        listed.len() <= 4 && listed.contains(&&"f5".to_owned()),
        "{state}"
    );
    let tasks: Vec<_> = state["tasks"].as_object().unwrap().keys().collect();
    assert_eq!(tasks, ["t1", "t2"], "{state}");
    let (_, state) = request("GET", address, "/api/v1/state", &theirs, None).await;
    assert!(
        !state.to_string().contains("secret") && state["tasks"] == json!({}),
        "{state}"
    );
    for counter in [
        "stoa_state_facts_dropped_total{reason=\"items\"}",
        "stoa_state_evicted_total{kind=\"artifacts\",reason=\"count\"}",
    ] {
        assert!(counted_in(&server, counter) >= 1, "{counter}");
    }
    let long = json!({ "type": "artifact.created", "project_id": "mine", "data": { "artifact_id": "x".repeat(5_000) } });
    let producer = kit::guarded::producer();
    let (status, refused) =
        request("POST", address, "/api/v1/events", &producer, Some(&long)).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (400, &json!("too_large")),
        "{refused}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marcus_and_his_workers_are_heard_each_line_by_itself() {
    let server = server().await;
    let address = server.address();
    let types = json!({ "filters": { "types": ["message_appended"] } });
    let (mut client, _) = Client::connect(address, types).await;
    let lines: Vec<Value> = std::fs::read_to_string("tests/data/marcus-conversations.jsonl")
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said: Vec<&Value> = lines
        .iter()
        .filter(|line| {
            matches!(
                line["event"].as_str(),
                Some("worker_communication" | "pm_thinking")
            )
        })
        .collect();
    assert_eq!(said.len(), 335 + 74);
    let (status, answer) = post(address, &Value::from(lines.clone())).await;
    assert_eq!(status, 202, "{answer}");
    let mut ids = HashSet::new();
    // A talk with one worker keeps its order, and so do thoughts.
    let mut due: HashMap<String, VecDeque<&Value>> = HashMap::new();
    for line in &said {
        let with = line["worker_id"].to_string();
        due.entry(with).or_default().push_back(line);
    }
    for _ in &said {
        let update = client.event("message_appended").await;
        let (data, worker) = (&update["data"], &update["data"]["worker_id"]);
        let line = due
            .get_mut(&worker.to_string())
            .and_then(VecDeque::pop_front);
        let line = line.unwrap_or_else(|| panic!("nobody said {update}"));
        let marcus = json!("marcus");
        let (text, from, to) = match line["conversation_type"].as_str() {
            Some("worker_to_pm") => (&line["message"], worker, &marcus),
            Some("pm_to_worker") => (&line["message"], &marcus, worker),
            _ => (&line["thought"], &marcus, &Value::Null),
        };
        assert_eq!(
            (
                &data["content"],
                &data["agent_id"],
                &data["to_agent_id"],
                &data["final"]
            ),
            (text, from, to, &json!(true)),
            "{update}"
        );
        assert_eq!(
            (&update["priority"], &data["message_id"]),
            (&json!("low"), &update["id"])
        );
        assert_eq!(data.get("kind").is_some(), to.is_null());
        assert!(ids.insert(update["id"].to_string()), "{update}");
    }
    server.shutdown().await;
}
