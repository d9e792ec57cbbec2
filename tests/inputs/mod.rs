//! Questions of agents to people over the wire: who sees them, who answers, who waits, and what a crash leaves of them.

mod life;
mod runs;

use kit::{
    Client, counted_in,
    guarded::{grant, guarded, observer, request, token},
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

fn holder(role: Role, user: &str, projects: &[&str]) -> String {
    token(&Grant {
        user: Some(user.into()),
        projects: Some(projects.iter().map(ToString::to_string).collect()),
        ..grant(role)
    })
}

fn asked(project: &str, id: &str, more: &Value) -> Value {
    let mut data = json!({ "request_id": id, "message": "Publish?", "options": ["yes", "no"], "agent_id": "ada",
        "task_id": "t1", "run_id": "r1", "kind": "confirmation" });
    for (key, value) in more.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({ "type": "input.requested", "project_id": project, "data": data })
}

fn answer(id: &str, value: &Value) -> Value {
    json!({ "agent_id": "ada", "action": "answer", "params": { "request_id": id, "value": value } })
}

fn path(id: &str, query: &str) -> String {
    format!("/api/v1/inputs/{id}?{query}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_the_project_answers_once_and_everybody_of_it_learns_that() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let agent = holder(Role::Producer, "agent", &["mine"]);
    let publish_as = async |token: &str, event: &Value| {
        let (status, told) = request("POST", address, "/api/v1/events", token, Some(event)).await;
        assert_eq!(status, 202, "{told}");
        told["cursor"].clone()
    };
    let (mine, theirs) = (observer("ann", &["mine"]), observer("bob", &["theirs"]));
    let (mut ann, _) = Client::connect(address, json!({ "token": mine })).await;
    let (mut bob, _) = Client::connect(address, json!({ "token": theirs })).await;
    let before = publish_as(&agent, &asked("mine", "q1", &json!({}))).await;
    let foreign = holder(Role::Producer, "foreign", &["theirs"]);
    publish_as(
        &foreign,
        &asked("theirs", "q1", &json!({ "message": "Theirs?" })),
    )
    .await;

    // It is told at once, loud, and stands in the state of those who see its project.
    let update = ann.event("input_update").await;
    assert_eq!(
        (
            &update["status"],
            &update["priority"],
            &update["animation"],
            &update["hint"]["motion"]
        ),
        (
            &json!("open"),
            &json!("high"),
            &json!("alert"),
            &json!("ask")
        )
    );
    assert_eq!(bob.event("input_update").await["message"], "Theirs?");
    let (_, state) = request("GET", address, "/api/v1/state", &mine, None).await;
    let open = &state["inputs"]["q1"];
    assert_eq!(
        (
            &open["message"],
            &open["options"],
            &open["agent_id"],
            &state["counts"]["inputs"]
        ),
        (
            &json!("Publish?"),
            &json!(["yes", "no"]),
            &json!("ada"),
            &json!(1)
        ),
        "{state}"
    );
    assert_eq!(state["agents"]["ada"]["status"], "waiting", "{state}");
    assert!(!state.to_string().contains("Theirs"), "{state}");

    // The agent waits; others than those who see the project, or who asked, learn nothing.
    let waiting = {
        let agent = agent.clone();
        let path = path("q1", "wait=30&project_id=mine");
        tokio::spawn(async move { request("GET", address, &path, &agent, None).await })
    };
    let (status, told) = request(
        "GET",
        address,
        &path("q1", "project_id=mine"),
        &theirs,
        None,
    )
    .await;
    assert_eq!(
        (status, &told["error"]["code"]),
        (404, &json!("not_found")),
        "{told}"
    );
    // An observer, a producer and an operator of another project can't answer it.
    let observing = ann.call("agent_action", answer("q1", &json!("yes"))).await;
    assert_eq!(observing["error"]["code"], "forbidden", "{observing}");
    let value = json!({ "value": "no" });
    for (token, code) in [(&agent, "forbidden"), (&mine, "forbidden")] {
        let (status, told) =
            request("POST", address, "/api/v1/inputs/q1", token, Some(&value)).await;
        assert_eq!(
            (status, &told["error"]["code"]),
            (403, &json!(code)),
            "{told}"
        );
    }
    let (stranger, _) = Client::connect(
        address,
        json!({ "token": holder(Role::Operator, "eve", &["other"]) }),
    )
    .await;
    let mut stranger = stranger;
    let unknown = stranger
        .call("agent_action", answer("q1", &json!("no")))
        .await;
    assert_eq!(unknown["error"]["code"], "not_found", "{unknown}");

    // Two operators at once: one answer counts, and the other operator is told so.
    let operators = ["olga", "otto"].map(|user| holder(Role::Operator, user, &["mine"]));
    let answers = operators.clone().map(|token| {
        tokio::spawn(async move {
            let (mut client, _) = Client::connect(address, json!({ "token": token })).await;
            client
                .call("agent_action", answer("q1", &json!("yes")))
                .await
        })
    });
    let mut told = Vec::new();
    for answer in answers {
        told.push(answer.await.unwrap());
    }
    told.sort_by_key(|answer| answer["status"] != "ok");
    assert_eq!(
        (
            &told[0]["status"],
            &told[0]["result"]["answer"],
            &told[1]["error"]["code"]
        ),
        (&json!("ok"), &json!("yes"), &json!("closed")),
        "{told:?}"
    );
    assert_eq!(counted_in(&server, "stoa_inputs_answered_total"), 1);
    let (status, found) = waiting.await.unwrap();
    assert_eq!(
        (
            status,
            &found["status"],
            &found["answer"],
            &found["outcome"]
        ),
        (200, &json!("received"), &json!("yes"), &json!("answered")),
        "{found}"
    );
    let by = found["answered_by"].as_str().unwrap().to_owned();
    assert!(["olga", "otto"].contains(&by.as_str()), "{found}");

    // Who only watches gets it, too, and nobody of another project does.
    let received = ann
        .event_where("input_update", |update| update["status"] == "received")
        .await;
    assert_eq!(
        (
            &received["answer"],
            &received["answered_by"],
            &received["agent_id"],
            &received["task_id"],
            &received["run_id"]
        ),
        (
            &json!("yes"),
            &json!(by),
            &json!("ada"),
            &json!("t1"),
            &json!("r1")
        ),
        "{received}"
    );
    assert!(!format!("{:?}", bob.so_far().await).contains("received"));
    let (_, state) = request("GET", address, "/api/v1/state", &mine, None).await;
    assert_eq!(state["inputs"], json!({}), "{state}");
    assert_ne!(state["agents"]["ada"]["status"], "waiting", "{state}");
    let (_, history) = request("GET", address, "/api/v1/events?type=input.*", &mine, None).await;
    let events = history["events"].as_array().unwrap();
    let types: Vec<_> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["input.requested", "input.received"], "{history}");
    assert_eq!(events[1]["producer"], format!("user:{by}"), "{history}");
    // The same operator that did not hear of its success is told of it; a second answer is none.
    let [olga, otto] = &operators;
    let (first, other) = match by.as_str() {
        "olga" => (olga, otto),
        _ => (otto, olga),
    };
    let yes = json!({ "value": "yes", "project_id": "mine" });
    let (status, same) = request("POST", address, "/api/v1/inputs/q1", first, Some(&yes)).await;
    assert_eq!((status, &same["duplicate"]), (200, &json!(true)), "{same}");
    let (status, late) = request("POST", address, "/api/v1/inputs/q1", other, Some(&yes)).await;
    assert_eq!(
        (status, &late["error"]["code"]),
        (409, &json!("closed")),
        "{late}"
    );
    assert!(
        late["error"]["message"].as_str().unwrap().contains(&by),
        "{late}"
    );

    // Who comes back with a cursor of before gets both.
    let (mut back, _) = Client::connect(address, json!({ "token": mine, "cursor": before })).await;
    let resumed = back
        .event_where("input_update", |update| update["status"] == "received")
        .await;
    assert_eq!(resumed["answer"], "yes");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_may_wait_whatever_it_may_see_and_what_is_wrong_is_said() {
    let server = guarded(|config| {
        config.inputs.max_answer_bytes.set(64).unwrap();
        config.inputs.max_waits_per_client.set(1).unwrap();
    })
    .await;
    let address = server.address();
    // A producer without projects sees no project; its own question it does.
    let asker = token(&Grant {
        user: Some("asker".into()),
        ..grant(Role::Producer)
    });
    let operator = holder(Role::Operator, "olga", &["p", "q"]);
    let ask = async |event: &Value| {
        let (status, told) = request("POST", address, "/api/v1/events", &asker, Some(event)).await;
        assert_eq!(status, 202, "{told}");
    };
    ask(&asked("p", "q1", &json!({}))).await;
    ask(&asked("q", "q1", &json!({}))).await;
    let (status, open) = request("GET", address, &path("q1", "project_id=p"), &asker, None).await;
    assert_eq!((status, &open["status"]), (200, &json!("open")), "{open}");
    let other = token(&Grant {
        user: Some("other".into()),
        ..grant(Role::Producer)
    });
    let (status, _) = request("GET", address, &path("q1", "project_id=p"), &other, None).await;
    assert_eq!(status, 404);

    let answer = async |id: &str, body: Value| {
        let path = format!("/api/v1/inputs/{id}");
        let (status, told) = request("POST", address, &path, &operator, Some(&body)).await;
        (status, told["error"]["code"].clone())
    };
    let yes = json!({ "value": "yes", "project_id": "p" });
    assert_eq!(
        answer("q1", json!({ "value": "yes" })).await,
        (400, json!("bad_request")),
        "two projects"
    );
    assert_eq!(
        answer("q1", json!({ "project_id": "p" })).await,
        (400, json!("bad_request"))
    );
    assert_eq!(
        answer("nobody-asked", yes.clone()).await,
        (404, json!("not_found"))
    );
    let long = json!({ "value": "x".repeat(63), "project_id": "p" });
    assert_eq!(answer("q1", long).await, (413, json!("too_large")));
    // An answer that came too late is refused, and the agent is told that the time is over.
    ask(&asked(
        "p",
        "late",
        &json!({ "expires_at": "2026-01-01T00:00:00Z" }),
    ))
    .await;
    assert_eq!(answer("late", yes.clone()).await, (409, json!("closed")));
    let (_, late) = request("GET", address, &path("late", "wait=30"), &asker, None).await;
    assert_eq!(late["status"], "expired", "{late}");
    // The agent takes one back: the first word counts.
    ask(&asked("p", "gone", &json!({}))).await;
    ask(&json!({ "type": "input.expired", "project_id": "p", "data": { "request_id": "gone" } }))
        .await;
    assert_eq!(answer("gone", yes.clone()).await, (409, json!("closed")));
    ask(&json!({ "type": "input.received", "project_id": "p", "data": { "request_id": "gone", "answer": "forged" } })).await;
    let (_, gone) = request("GET", address, &path("gone", ""), &asker, None).await;
    assert_eq!(
        (&gone["status"], gone.get("answer")),
        (&json!("expired"), None),
        "{gone}"
    );

    // One client has so many requests that wait; when one is answered the next has its place.
    let waiting = {
        let asker = asker.clone();
        let path = path("q1", "project_id=p&wait=30");
        tokio::spawn(async move { request("GET", address, &path, &asker, None).await })
    };
    let waits = || counted_in(&server, "stoa_input_waits");
    while waits() == 0 {
        tokio::task::yield_now().await;
    }
    let (status, full) = request(
        "GET",
        address,
        &path("q1", "project_id=p&wait=1"),
        &asker,
        None,
    )
    .await;
    assert_eq!(
        (status, &full["error"]["code"]),
        (429, &json!("rate_limited")),
        "{full}"
    );
    assert!(
        full["error"]["message"]
            .as_str()
            .unwrap()
            .contains("max_waits_per_client"),
        "{full}"
    );
    assert_eq!(
        counted_in(
            &server,
            "stoa_requests_refused_total{door=\"http\",code=\"rate_limited\"}"
        ),
        1
    );
    assert_eq!(answer("q1", yes).await, (200, Value::Null));
    assert_eq!(waiting.await.unwrap().1["answer"], "yes");
    while waits() != 0 {
        tokio::task::yield_now().await;
    }
    server.shutdown().await;
}
