//! Actions: whose agents may be acted on, who is told, and what counts as an answer.

use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

use kit::{
    Client,
    guarded::{grant, guarded, publish, request, token},
    server, server_with,
};

fn holder(role: Role, projects: &[&str]) -> String {
    token(&Grant {
        user: Some(format!("{}-{}", role.as_str(), projects.join("-"))),
        projects: Some(projects.iter().map(ToString::to_string).collect()),
        ..grant(role)
    })
}

async fn client(address: std::net::SocketAddr, token: &str) -> Client {
    Client::connect(address, json!({ "token": token })).await.0
}

/// The next action that a performer is asked for: the id of its answer, and the action.
async fn asked(performer: &mut Client) -> (String, Value) {
    loop {
        let found = performer
            .other
            .iter()
            .position(|t| t.contains("\"agent_action\""));
        if let Some(at) = found {
            let packet = performer.other.remove(at);
            let body = packet.find('[').expect("an event");
            let mut event: Value = serde_json::from_str(&packet[body..]).expect("JSON");
            return (packet[2..body].to_owned(), event[1].take());
        }
        let text = performer.text().await.expect("it stays");
        performer.other.push(text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_actions_are_its_projects() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    for (agent, project) in [("a1", "p1"), ("a2", "p2"), ("both", "p1"), ("both", "p2")] {
        publish(
            address,
            &json!({ "type": "agent.registered", "project_id": project, "data": { "agent_id": agent } }),
        )
        .await;
    }
    let (one, two) = (["p1"], ["p2"]);
    let mut operator = client(address, &holder(Role::Operator, &two)).await;
    let mut stranger = client(address, &holder(Role::Operator, &one)).await;
    let mut spy = client(address, &holder(Role::Producer, &one)).await;
    // Of another project's agent it may not even be in the room; in that of an id which both have, it hears of its own.
    let room = |agent: &str| json!({ "room": format!("agent:{agent}:actions") });
    let refused = spy.call("join_room", room("a2")).await;
    assert_eq!(refused["error"]["code"], "forbidden_room", "{refused}");
    assert_eq!(spy.call("join_room", room("both")).await["status"], "ok");
    let act = json!({ "agent_id": "a2", "action": "deploy", "params": { "password": "hunter2" } });
    let nobody = operator.call("agent_action", act.clone()).await;
    assert_eq!(nobody["error"]["code"], "unavailable", "{nobody}");

    let mut own = client(address, &holder(Role::Producer, &two)).await;
    for agent in ["a2", "both"] {
        assert_eq!(own.call("join_room", room(agent)).await["status"], "ok");
    }
    for (project, code) in [
        (None, "forbidden"),
        (Some("p2"), "forbidden"),
        // Its own project has no such agent that anybody performs for.
        (Some("p1"), "unavailable"),
    ] {
        let act = json!({ "agent_id": "a2", "action": "x", "project_id": project });
        let answer = stranger.call("agent_action", act.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{act}: {answer}");
    }

    let answer = operator.call("agent_action", act.clone()).await;
    let (id, action) = asked(&mut own).await;
    assert_eq!(action["action_id"], answer["action_id"]);
    assert_eq!(action["params"]["password"], "hunter2");
    own.send_text(&format!("43{id}[\"done\"]")).await;
    let result = operator.event("agent_action_result").await;
    let result = match result["status"].as_str() {
        Some("error") => operator.event("agent_action_result").await,
        _ => result,
    };
    assert_eq!(
        (&result["status"], &result["result"]),
        (&json!("ok"), &json!("done"))
    );

    // Of an agent in two projects the one who holds both must say which; who holds one is not told of the other.
    let mut admin = client(address, &kit::guarded::admin()).await;
    let both = json!({ "agent_id": "both", "action": "stop" });
    let unclear = admin.call("agent_action", both.clone()).await;
    assert_eq!(unclear["error"]["code"], "bad_request", "{unclear}");
    assert_eq!(operator.call("agent_action", both).await["status"], "ok");
    assert_eq!(asked(&mut own).await.1["project_id"], "p2");
    spy.so_far().await;
    let heard = spy.other.iter().any(|text| text.contains("agent_action"));
    assert!(!heard, "{:?}", spy.other);
    let both = json!({ "agent_id": "both", "action": "stop", "project_id": "p1" });
    assert_eq!(admin.call("agent_action", both).await["status"], "ok");
    assert_eq!(asked(&mut spy).await.1["project_id"], "p1");
    server.shutdown().await;
}

/// A producer whose token names no projects, with the rooms of these agents' actions.
async fn performer_of_all(address: std::net::SocketAddr, agents: &[&str]) -> Client {
    let all = token(&Grant {
        user: Some("all".into()),
        rooms: Some(vec!["*".into()]),
        ..grant(Role::Producer)
    });
    let mut performer = client(address, &all).await;
    for agent in agents {
        let room = json!({ "room": format!("agent:{agent}:actions") });
        assert_eq!(performer.call("join_room", room).await["status"], "ok");
    }
    performer
}

fn registered(agent: &str, project: &str) -> Value {
    json!({ "type": "agent.registered", "project_id": project, "data": { "agent_id": agent } })
}

/// Publishes for a project with a token for this one only.
async fn claim(address: std::net::SocketAddr, agent: &str, project: &str) {
    let token = holder(Role::Producer, &[project]);
    let event = registered(agent, project);
    let (status, answer) = request("POST", address, "/api/v1/events", &token, Some(&event)).await;
    assert_eq!(status, 202, "{answer}");
}

/// A performer for all projects is reached by an operator of one only where the agent is this one's.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_one_project_reaches_no_agent_of_another() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    for (agent, project) in [("a1", "p1"), ("a2", "p2"), ("both", "p1"), ("both", "p2")] {
        publish(address, &registered(agent, project)).await;
    }
    let shared = json!({ "type": "agent.registered", "data": { "agent_id": "shared" } });
    publish(address, &shared).await;
    publish(address, &registered("p2/a", "p1")).await;
    // A producer limited to p1 proves nothing by naming another's agent.
    for agent in ["a2", "both", "shared", "claimed"] {
        claim(address, agent, "p1").await;
    }
    let agents = ["a1", "a2", "both", "shared", "claimed", "later", "p2/a"];
    let mut performer = performer_of_all(address, &agents).await;
    let mut operator = client(address, &holder(Role::Operator, &["p1"])).await;
    for (agent, project, code) in [
        ("a2", Some("p1"), "unavailable"),
        ("a2", Some("p2"), "forbidden"),
        ("a2", None, "unavailable"),
        ("both", Some("p1"), "unavailable"),
        ("both", None, "unavailable"),
        ("shared", Some("p1"), "unavailable"),
        ("shared", None, "unavailable"),
        ("claimed", Some("p1"), "unavailable"),
        ("claimed", None, "unavailable"),
        ("later", Some("p1"), "unavailable"),
        ("later", None, "forbidden"),
        ("p2/a", Some("p1"), "unavailable"),
        ("p2/a", None, "unavailable"),
    ] {
        let act = json!({ "agent_id": agent, "action": "stop", "project_id": project });
        let answer = operator.call("agent_action", act.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{act}: {answer}");
    }
    performer.so_far().await;
    let heard = |performer: &Client| {
        let packets = performer.other.iter();
        packets
            .filter(|text| text.contains("\"agent_action\""))
            .count()
    };
    assert_eq!(heard(&performer), 0, "{:?}", performer.other);
    // It is reached where the agent is certainly p1's, and where it says itself that it acts for p1's.
    let act = json!({ "agent_id": "a1", "action": "stop", "project_id": "p1" });
    assert_eq!(operator.call("agent_action", act).await["status"], "ok");
    assert_eq!(asked(&mut performer).await.1["agent_id"], "a1");
    for agent in ["both", "later"] {
        let room = json!({ "room": format!("agent:p1/{agent}:actions") });
        assert_eq!(performer.call("join_room", room).await["status"], "ok");
        let act = json!({ "agent_id": agent, "action": "stop", "project_id": "p1" });
        assert_eq!(operator.call("agent_action", act).await["status"], "ok");
        let (_, told) = asked(&mut performer).await;
        assert_eq!(
            (&told["agent_id"], &told["project_id"]),
            (&json!(agent), &json!("p1"))
        );
    }
    performer.so_far().await;
    assert_eq!(heard(&performer), 0, "once each: {:?}", performer.other);
    server.shutdown().await;
}

/// By naming another's agent in its own project a limited producer neither takes it nor keeps others from it.
#[tokio::test(flavor = "multi_thread")]
async fn claiming_an_agents_id_neither_takes_nor_hinders_its_actions() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(address, &registered("a2", "p2")).await;
    for agent in ["a2", "unregistered"] {
        claim(address, agent, "p1").await;
    }
    let mut thief = client(address, &holder(Role::Producer, &["p1"])).await;
    for agent in ["a2", "unregistered"] {
        let room = json!({ "room": format!("agent:{agent}:actions") });
        assert_eq!(thief.call("join_room", room).await["status"], "ok");
    }
    let mut performer = performer_of_all(address, &["a2", "unregistered"]).await;
    let mut admin = client(address, &kit::guarded::admin()).await;
    for (agent, project) in [("a2", json!("p2")), ("unregistered", Value::Null)] {
        let act = json!({ "agent_id": agent, "action": "stop" });
        let answer = admin.call("agent_action", act).await;
        assert_eq!(answer["status"], "ok", "{agent}: {answer}");
        assert_eq!(asked(&mut performer).await.1["project_id"], project);
    }
    // The namesake in p1 is acted on by those of p1.
    let mut own = client(address, &holder(Role::Operator, &["p1"])).await;
    let act = json!({ "agent_id": "a2", "action": "own" });
    assert_eq!(own.call("agent_action", act).await["status"], "ok");
    assert_eq!(asked(&mut thief).await.1["action"], "own");
    thief.so_far().await;
    let heard = thief.other.iter().any(|text| text.contains("agent_action"));
    assert!(!heard, "{:?}", thief.other);
    server.shutdown().await;
}

/// Of an agent that the server had to forget no claim says whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_agent_is_no_limited_producers() {
    let server = guarded(|config| config.access.max_known.set(4).unwrap()).await;
    let address = server.address();
    publish(address, &registered("a2", "p2")).await;
    for n in 0..8 {
        publish(address, &registered(&format!("other{n}"), "p2")).await;
    }
    claim(address, "a2", "p1").await;
    let mut thief = client(address, &holder(Role::Producer, &["p1"])).await;
    let room = json!({ "room": "agent:a2:actions" });
    assert_eq!(thief.call("join_room", room).await["status"], "ok");
    let mut admin = client(address, &kit::guarded::admin()).await;
    let act = json!({ "agent_id": "a2", "action": "stop" });
    let answer = admin.call("agent_action", act).await;
    assert_eq!(answer["error"]["code"], "bad_request", "{answer}");
    let mut performer = performer_of_all(address, &["a2"]).await;
    let mut operator = client(address, &holder(Role::Operator, &["p1"])).await;
    let act = json!({ "agent_id": "a2", "action": "stop", "project_id": "p1" });
    assert_eq!(operator.call("agent_action", act).await["status"], "ok");
    assert_eq!(asked(&mut thief).await.1["project_id"], "p1");
    performer.so_far().await;
    assert!(performer.other.is_empty(), "{:?}", performer.other);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_names_agents_performs_for_no_other() {
    let server = guarded(|_| {}).await;
    let mine = "Senior [QA]";
    let worker = token(&Grant {
        agents: Some(vec!["a1".into(), mine.into()]),
        ..grant(Role::Producer)
    });
    let mut worker = client(server.address(), &worker).await;
    for (agent, code) in [
        ("a1", Value::Null),
        ("Senior%20%5BQA%5D", Value::Null),
        ("a2", json!("forbidden_room")),
    ] {
        let room = json!({ "room": format!("agent:{agent}:actions") });
        let answer = worker.call("join_room", room).await;
        assert_eq!(answer["error"]["code"], code, "{agent}: {answer}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_is_an_answer() {
    let server = server().await;
    let address = server.address();
    let (mut operator, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let (mut performer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    performer
        .call("join_room", json!({ "room": "agent:a:actions" }))
        .await;
    let act = json!({ "agent_id": "a", "action": "x" });
    let placeholder = "{\"_placeholder\":true,\"num\":0}";
    for (kind, body, binary, expected) in [
        ("43", "[]".to_owned(), false, json!(null)),
        ("43", String::new(), false, json!(null)),
        ("43", "[1,2]".to_owned(), false, json!(1)),
        (
            "43",
            "[{\"n\":NaN,\"half\":\"\\ud83d\"}]".to_owned(),
            false,
            json!({ "n": null, "half": "\u{fffd}" }),
        ),
        ("461-", format!("[{placeholder}]"), true, json!("AQL/")),
        (
            "461-",
            format!("[{{\"blob\":{placeholder}}}]"),
            true,
            json!({ "blob": "AQL/" }),
        ),
    ] {
        operator.call("agent_action", act.clone()).await;
        let (id, _) = asked(&mut performer).await;
        performer.send_text(&format!("{kind}{id}{body}")).await;
        if binary {
            performer.send_binary(vec![1, 2, 255]).await;
        }
        let result = operator.event("agent_action_result").await;
        assert_eq!(
            (&result["status"], &result["result"]),
            (&json!("ok"), &expected),
            "{body}"
        );
    }
    operator.call("agent_action", act).await;
    let (id, _) = asked(&mut performer).await;
    performer.send_text(&format!("43{id}[{{")).await;
    let result = operator.event("agent_action_result").await;
    assert_eq!(
        (&result["status"], &result["error"]["code"]),
        (&json!("error"), &json!("bad_request")),
        "{result}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_so_many_actions_under_way_and_no_more() {
    let server = server_with(|config| {
        config.server.max_actions_in_flight.set(3).unwrap();
        config.server.max_action_bytes.set(3_000).unwrap();
        config.server.action_timeout.set(600.0).unwrap();
    })
    .await;
    let address = server.address();
    let (mut operator, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let (mut performer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    performer
        .call("join_room", json!({ "room": "agent:a:actions" }))
        .await;
    let act = |len: usize| json!({ "agent_id": "a", "action": "x", "params": { "fill": "x".repeat(len) } });
    for len in [1_500, 0] {
        assert_eq!(
            operator.call("agent_action", act(len)).await["status"],
            "ok"
        );
    }
    // Too many bytes, though not too many actions.
    let answer = operator.call("agent_action", act(1_500)).await;
    assert_eq!(answer["error"]["code"], "rate_limited", "{answer}");
    assert_eq!(operator.call("agent_action", act(0)).await["status"], "ok");
    for _ in 0..1_000 {
        let answer = operator.call("agent_action", act(0)).await;
        assert_eq!(answer["error"]["code"], "rate_limited", "{answer}");
        operator.events.clear();
    }
    // An answer makes room for another one.
    let (id, _) = asked(&mut performer).await;
    performer.send_text(&format!("43{id}[]")).await;
    operator.event("agent_action_result").await;
    assert_eq!(operator.call("agent_action", act(0)).await["status"], "ok");
    server.shutdown().await;
}

/// Ids of an action are read as those of events are: what names the project must not be passed over.
#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_an_action_are_read_as_those_of_events() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    for project in ["p1", "p2", "7"] {
        publish(address, &registered("same", project)).await;
    }
    let event =
        json!({ "type": "agent.registered", "project_id": "p1", "data": { "agent_id": 7 } });
    publish(address, &event).await;
    let mut performer = performer_of_all(address, &["same", "7"]).await;
    let mut admin = client(address, &kit::guarded::admin()).await;
    for (act, agent, project) in [
        (
            json!({ "agent_id": " same\n", "project_id": " p2 " }),
            "same",
            "p2",
        ),
        (
            json!({ "agent_id": "same", "projectId": "p2" }),
            "same",
            "p2",
        ),
        (json!({ "agentId": "same", "project": "p1" }), "same", "p1"),
        (
            json!({ "agent_id": "same", "project_id": "", "project": 7 }),
            "same",
            "7",
        ),
        (json!({ "agent_id": 7, "project_id": null }), "7", "p1"),
    ] {
        let mut full = act.clone();
        full["action"] = "stop".into();
        let answer = admin.call("agent_action", full).await;
        assert_eq!(answer["status"], "ok", "{act}: {answer}");
        let (_, action) = asked(&mut performer).await;
        assert_eq!(
            (&action["agent_id"], &action["project_id"]),
            (&json!(agent), &json!(project))
        );
    }
    for act in [
        json!({ "agent_id": " ", "action": "stop" }),
        json!({ "agent_id": ["same"], "action": "stop" }),
        json!({ "agent_id": "same", "action": "stop", "project": { "id": "p1" } }),
    ] {
        let answer = admin.call("agent_action", act.clone()).await;
        assert_eq!(answer["error"]["code"], "bad_request", "{act}: {answer}");
    }
    server.shutdown().await;
}
