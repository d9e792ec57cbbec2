//! Nodes side by side: what one is told, all tell.

use kit::{
    Client, get,
    guarded::{admin, guarded, observer, request},
    post,
    redis::Redis,
    until,
};
use serde_json::{Value, json};
use stoa::config::JournalKind;

use super::node;

fn task(id: &str, task: &str) -> Value {
    json!({ "id": id, "type": "task.created", "project_id": "p", "data": { "task_id": task, "name": task } })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_on_one_node_is_told_by_all_and_a_cursor_is_good_on_each() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    for n in 0..10 {
        let address = if n % 2 == 0 {
            one.address()
        } else {
            two.address()
        };
        let (status, answer) = post(address, &task(&format!("e{n}"), &format!("t{n}"))).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    }
    // The same event at another node is known there.
    let (_, again) = post(two.address(), &task("e0", "t0")).await;
    assert_eq!(again["duplicates"], 1, "{again}");
    let mut cursor = Value::Null;
    for n in 0..10 {
        let update = here.event("task_update").await;
        assert_eq!(update["id"], format!("e{n}"), "{update}");
        let same = there.event("task_update").await;
        assert_eq!(
            (&same["id"], &same["cursor"]),
            (&update["id"], &update["cursor"])
        );
        if n == 4 {
            cursor = update["cursor"].clone();
        }
    }
    // A client that moves to the other node gets just what it missed.
    here.close().await;
    let (mut moved, hello) = Client::connect(two.address(), json!({ "cursor": cursor })).await;
    assert_eq!(hello["cursor"], cursor);
    for n in 5..10 {
        let update = moved.event("task_update").await;
        assert_eq!(update["id"], format!("e{n}"), "{update}");
    }
    let resumed = moved.event("resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(5))
    );
    let state = async |address| get(address, "/api/v1/state").await.1["tasks"].clone();
    assert_eq!(state(one.address()).await, state(two.address()).await);
    one.shutdown().await;
    two.shutdown().await;
}

/// A thing that one node was told of without a project is at home where another node is told that it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_learns_from_the_events_of_others() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    post(one.address(), &task("e1", "t1")).await;
    let known = |body: &Value| {
        body["tasks"]
            .as_object()
            .is_some_and(|tasks| !tasks.is_empty())
    };
    until("the other node to know", async || {
        let (_, state) = get(two.address(), "/api/v1/state").await;
        known(&state).then_some(())
    })
    .await;
    let done = json!({ "id": "e2", "type": "task.completed", "data": { "task_id": "t1" } });
    post(two.address(), &done).await;
    for address in [one.address(), two.address()] {
        until("the task to be done, as one task", async || {
            let (_, state) = get(address, "/api/v1/state").await;
            let tasks = state["tasks"].as_object()?;
            let all: Vec<&Value> = tasks.values().collect();
            (all.len() == 1 && all[0]["status"] == "done").then_some(())
        })
        .await;
    }
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_later_has_the_state_and_the_history() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let one = node(&engine, "one").await;
    let events: Vec<Value> = (0..50)
        .map(|n| task(&format!("e{n}"), &format!("t{n}")))
        .collect();
    let (_, answer) = post(one.address(), &Value::from(events)).await;
    assert_eq!(answer["accepted"], 50, "{answer}");
    one.shutdown().await;
    let two = node(&engine, "two").await;
    let (_, state) = get(two.address(), "/api/v1/state").await;
    assert_eq!(
        state["tasks"].as_object().map(serde_json::Map::len),
        Some(50)
    );
    let (_, history) = get(two.address(), "/api/v1/events?limit=1000").await;
    assert_eq!(history["events"].as_array().map(Vec::len), Some(50));
    let (mut late, _) = Client::connect(two.address(), json!({ "cursor": answer["cursor"] })).await;
    assert_eq!(late.event("resumed").await["complete"], true);
    two.shutdown().await;
}

/// A user who is kept out by one node is kept out by all, and comes in again where the ban is lifted anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_holds_on_all_nodes() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let guarded = async |name: &str| {
        guarded(|config| {
            config.journal.kind = JournalKind::Redis;
            config.journal.url = url.clone().into();
            config.cluster.node_id = name.into();
        })
        .await
    };
    let (one, two) = (guarded("one").await, guarded("two").await);
    let zeno = json!({ "token": observer("zeno", &["*"]) });
    let (mut there, _) = Client::connect(two.address(), zeno.clone()).await;
    let bans = "/api/v1/admin/bans";
    let ban = json!({ "user": "zeno", "reason": "loud" });
    let (status, answer) = request("POST", one.address(), bans, &admin(), Some(&ban)).await;
    assert_eq!(status, 200, "{answer}");
    // Its connection with the other node ends.
    until("the end of the connection", async || {
        there.next().await.is_none().then_some(())
    })
    .await;
    let refused = Client::open(two.address(), "/", zeno.clone()).await;
    assert!(refused.is_err());
    let (_, listed) = request("GET", two.address(), bans, &admin(), None).await;
    assert_eq!(listed["bans"][0]["user"], "zeno", "{listed}");
    let lift = format!("{bans}?user=zeno");
    let (status, answer) = request("DELETE", two.address(), &lift, &admin(), None).await;
    assert_eq!(status, 200, "{answer}");
    until("zeno to be let in", async || {
        Client::open(one.address(), "/", zeno.clone()).await.ok()
    })
    .await;
    one.shutdown().await;
    two.shutdown().await;
}
