//! Claiming what is another's: first, after a flood that was to make the server forget, or by an id that two have.

use serde_json::{Value, json};

use super::{history, post, producer_of};
use kit::{
    Client,
    guarded::{guarded, observer, publish},
};

/// An event of each kind that has owners.
fn of_each_kind(id: &str, mark: &str, project: Option<&str>, who: &Value) -> Vec<Value> {
    let kinds = [
        ("agent.run.started", "run_id"),
        ("workflow.run.started", "execution_id"),
        ("ingest.job.started", "job_id"),
        ("workflow.updated", "workflow_id"),
    ];
    kinds
        .iter()
        .map(|(name, key)| {
            let mut data = json!({ *key: id, "note": mark });
            data.as_object_mut()
                .unwrap()
                .extend(who.as_object().unwrap().clone());
            json!({ "type": name, "project_id": project, "data": data })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_claims_first_gets_nothing_of_what_the_platform_says_later() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let narrow = producer_of("mallory", &["p1"]);
    let claims = of_each_kind(
        "run-42",
        "mine",
        Some("p1"),
        &json!({ "owner_id": "mallory" }),
    );
    assert_eq!(post(address, &narrow, &json!(claims)).await.0, 202);
    let spying = observer("mallory", &["p1"]);
    let rooms = [
        "run:run-42",
        "execution:run-42",
        "job:run-42",
        "workflow:run-42",
    ];
    let (mut mallory, hello) =
        Client::connect(address, json!({ "token": spying, "rooms": rooms })).await;
    let (mut bob, _) = Client::connect(address, json!({ "token": observer("bob", &[]) })).await;
    // With its project, and without one.
    let mut secrets = of_each_kind("run-42", "secret", Some("p2"), &json!({ "user_id": "bob" }));
    secrets.extend(of_each_kind(
        "run-42",
        "secret",
        None,
        &json!({ "user_id": "bob" }),
    ));
    publish(address, &json!(secrets)).await;
    publish(
        address,
        &json!({ "type": "task.created", "project_id": "p1", "data": { "task_id": "last" } }),
    )
    .await;
    mallory
        .event_where("task_update", |u| u["data"]["task_id"] == "last")
        .await;
    assert!(
        !format!("{:?}", mallory.events).contains("secret"),
        "{:?}",
        mallory.events
    );
    // By none of the other ways either.
    let past = history(address, &spying, "").await;
    assert_eq!(past.len(), 5, "{past:?}");
    assert!(!json!(past).to_string().contains("secret"));
    mallory
        .call("resume", json!({ "cursor": hello["cursor"] }))
        .await;
    mallory.event("resumed").await;
    let state = mallory.call("get_state", json!({})).await;
    assert!(!state.to_string().contains("secret"), "{state}");
    assert!(!format!("{:?}", mallory.events).contains("secret"));
    // The owner gets all of them, and p2's own producer is let in.
    bob.call("ping", Value::Null).await;
    assert_eq!(history(address, &observer("bob", &[]), "").await.len(), 8);
    let own = producer_of("svc2", &["p2"]);
    let further = of_each_kind("run-42", "more", Some("p2"), &json!({ "owner_id": "bob" }));
    let (status, answer) = post(address, &own, &json!(further)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(4)), "{answer}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_makes_the_server_forget_nothing_of_another_project() {
    let server = guarded(|config| config.access.max_known.set(200).unwrap()).await;
    let address = server.address();
    let bobs = |n: usize, project: Option<&str>| json!({ "type": "agent.run.updated", "project_id": project, "data": { "run_id": "bobs-run", "n": n, "user_id": "bob" } });
    publish(address, &json!([bobs(1, Some("p2")), bobs(2, Some("p2"))])).await;
    publish(
        address,
        &json!({ "type": "task.created", "project_id": "p2", "data": { "task_id": "bobs-task" } }),
    )
    .await;
    let own = producer_of("svc2", &["p2"]);
    let job = json!({ "type": "ingest.job.started", "project_id": "p2", "data": { "job_id": "bobs-job", "owner_id": "bob" } });
    assert_eq!(post(address, &own, &job).await.0, 202);
    let narrow = producer_of("mallory", &["p1"]);
    for call in 0..4 {
        let flood: Vec<_> = (0..500)
            .map(|n| json!({ "type": "agent.run.started", "project_id": "p1", "data": { "run_id": format!("r{call}-{n}"), "task_id": format!("t{call}-{n}"), "job_id": format!("j{call}-{n}") } }))
            .collect();
        assert_eq!(
            post(address, &narrow, &json!(flood)).await.1["accepted"],
            500
        );
    }
    let claim = json!({ "type": "agent.run.updated", "project_id": "p1", "data": { "run_id": "bobs-run", "owner_id": "mallory" } });
    post(address, &narrow, &claim).await;
    publish(address, &json!([bobs(3, Some("p2")), bobs(4, None)])).await;
    // The task is p2's, whatever was said since.
    publish(
        address,
        &json!({ "type": "task.progress", "data": { "task_id": "bobs-task", "progress": 5 } }),
    )
    .await;
    let spying = observer("mallory", &["p1"]);
    let of_run = history(address, &spying, "&run_id=bobs-run").await;
    assert!(
        of_run.iter().all(|event| event["project_id"] == "p1"),
        "{of_run:?}"
    );
    assert!(
        !json!(history(address, &spying, "").await)
            .to_string()
            .contains("bobs-task")
    );
    let seen = history(address, &observer("bob", &[]), "&run_id=bobs-run").await;
    let seen: Vec<_> = seen
        .iter()
        .map(|event| event["data"]["n"].clone())
        .collect();
    assert_eq!(seen, [1, 2, 3, 4]);
    let (_, page) = crate::settled::request(
        "GET",
        address,
        "/api/v1/events?limit=1000&type=task.progress",
        &observer("eve", &["p2"]),
        None,
    )
    .await;
    assert_eq!(page["events"][0]["project_id"], "p2", "{page}");
    // p2's producer goes on, and the owner that it named is still the owner there.
    let (status, answer) = post(address, &own, &bobs(5, Some("p2"))).await;
    assert_eq!(status, 202, "{answer}");
    let taking = json!({ "type": "ingest.job.updated", "project_id": "p2", "data": { "job_id": "bobs-job", "owner_id": "eve" } });
    assert_eq!(
        post(address, &own, &taking).await.1["error"]["code"],
        "forbidden"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_had_to_forget_is_shown_to_fewer() {
    let server = guarded(|config| config.access.max_known.set(10).unwrap()).await;
    let address = server.address();
    let task = |n: usize, project: Option<&str>| json!({ "type": "task.updated", "project_id": project, "data": { "task_id": format!("t{n}"), "note": format!("n{n}") } });
    let many: Vec<_> = (0..50).map(|n| task(n, Some("p2"))).collect();
    publish(address, &json!(many)).await;
    publish(address, &json!([task(0, None), task(49, None)])).await;
    assert_eq!(
        history(address, &observer("ann", &["p1"]), "").await.len(),
        0
    );
    // Things that are still known are the project's.
    assert_eq!(
        history(address, &observer("eve", &["p2"]), "").await.len(),
        51
    );
    server.shutdown().await;
}

/// The platform's own events push the run out of what is known; then nobody limited can make it its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_claimed_by_nobody_limited() {
    let server = guarded(|config| config.access.max_known.set(20).unwrap()).await;
    let address = server.address();
    let bobs = |n: usize, project: Option<&str>, user: Option<&str>| json!({ "type": "agent.run.updated", "project_id": project, "data": { "run_id": "bobs-run", "n": n, "user_id": user } });
    publish(address, &bobs(1, Some("p2"), Some("bob"))).await;
    let many: Vec<_> = (0..200)
        .map(|n| json!({ "type": "agent.run.started", "project_id": "p2", "data": { "run_id": format!("r{n}") } }))
        .collect();
    publish(address, &json!(many)).await;
    // It is really forgotten: said without its project, it is not given back to p2.
    publish(address, &bobs(2, None, None)).await;
    let admin = kit::guarded::admin();
    let of_run = history(address, &admin, "&run_id=bobs-run").await;
    assert_eq!(of_run[1]["project_id"], Value::Null, "{of_run:?}");

    let narrow = producer_of("mallory", &["p1"]);
    let claim = json!({ "type": "agent.run.updated", "project_id": "p1", "data": { "run_id": "bobs-run", "n": 3, "owner_id": "mallory" } });
    assert_eq!(post(address, &narrow, &claim).await.0, 202);
    let spying = observer("mallory", &["p1"]);
    let auth = json!({ "token": spying, "rooms": ["run:bobs-run"] });
    let (mut mallory, _) = Client::connect(address, auth).await;
    publish(
        address,
        &json!([bobs(4, Some("p2"), None), bobs(5, None, None)]),
    )
    .await;
    let last = json!({ "type": "task.created", "project_id": "p1", "data": { "task_id": "last" } });
    publish(address, &last).await;
    mallory
        .event_where("task_update", |u| u["data"]["task_id"] == "last")
        .await;
    let numbers = |events: &[Value]| -> Vec<u64> {
        let said = events.iter();
        said.filter_map(|event| event["data"]["n"].as_u64())
            .collect()
    };
    let live: Vec<Value> = mallory.events.drain(..).map(|(_, update)| update).collect();
    // Its own claim may have waited in a window until mallory was there.
    assert!(numbers(&live).iter().all(|n| *n == 3), "{live:?}");
    // Its own event is all that mallory has of it, and as an event of the project: a colleague sees it, too, for it has no owner.
    let eve = observer("eve", &["p1"]);
    for (who, token) in [("mallory", &spying), ("eve", &eve)] {
        let seen = history(address, token, "&run_id=bobs-run").await;
        assert_eq!(numbers(&seen), [3], "{who}");
    }
    let state = mallory.call("get_state", json!({})).await;
    let runs = state["runs"].to_string();
    assert!(
        !runs.contains("\"n\":1") && !runs.contains("r199"),
        "{runs}"
    );
    // p2's producer goes on as before.
    let own = producer_of("svc2", &["p2"]);
    let further = bobs(6, Some("p2"), Some("bob"));
    assert_eq!(post(address, &own, &further).await.0, 202);
    let seen = history(address, &observer("dora", &["p2"]), "&run_id=bobs-run").await;
    assert!(
        numbers(&seen).contains(&4) && !numbers(&seen).contains(&3),
        "{seen:?}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_agents_of_one_name_have_rooms_of_their_own() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let token = observer("ann", &["p1", "p2"]);
    let auth = json!({ "token": token, "rooms": ["agent:p2/writer"] });
    let (mut ann, _) = Client::connect(address, auth).await;
    ann.call("leave_room", json!("observers")).await;
    ann.call("leave_room", json!("general")).await;
    ann.so_far().await;
    let status = |project: &str| json!({ "type": "agent.status_changed", "project_id": project, "data": { "agent_id": "writer", "new_status": "working", "of": project } });
    publish(address, &json!([status("p1"), status("p2")])).await;
    let update = ann.event("agent_update").await;
    assert_eq!(update["data"]["of"], "p2");
    assert!(!format!("{:?}", ann.so_far().await).contains("\"p1\""));
    // The room of one's own project only.
    let auth = json!({ "token": observer("eve", &["p1"]) });
    let (mut eve, _) = Client::connect(address, auth).await;
    for (room, may) in [
        ("agent:p1/writer", true),
        ("agent:p2/writer", false),
        ("task:p2/t", false),
        ("run:p2/r", false),
    ] {
        let answer = eve.call("join_room", json!(room)).await;
        assert_eq!(answer["status"] == "ok", may, "{room}: {answer}");
    }
    for room in [
        "agent:a/b/c",
        "agent:/a",
        "agent:a/",
        "project:a/b",
        "user:a/b",
    ] {
        let answer = eve.call("join_room", json!(room)).await;
        assert_eq!(answer["error"]["code"], "bad_request", "{room}: {answer}");
    }
    server.shutdown().await;
}
