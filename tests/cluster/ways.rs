//! The way between a node and the engine: refused, cut behind a request, held, or with a former primary.

use kit::{Client, get, proxy::Proxy, redis::Redis, until};
use serde_json::{Value, json};

use super::{
    event, node, node_at, take, task, tasks, told, until_ready, until_refused, until_taken,
};

/// Each dial ends at once, ten times and more: the node goes on trying, and is there when the engine is.
#[tokio::test(flavor = "multi_thread")]
async fn ten_dials_that_fail_wedge_nothing() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let way = Proxy::to(engine.port()).await;
    let (one, two) = (node_at(&way.url(), "one").await, node(&engine, "two").await);
    let (mut client, _) = Client::connect(one.address(), json!({})).await;
    take(one.address(), &["a"]).await;
    told(&mut client, &["a"]).await;
    way.close();
    let before = way.begun();
    until_ready(one.address(), false).await;
    take(two.address(), &["b"]).await;
    until("ten dials", async || {
        (way.begun() >= before + 10).then_some(())
    })
    .await;
    until_refused(one.address(), "c").await;
    way.open();
    told(&mut client, &["b"]).await;
    until_taken(one.address(), "c").await;
    told(&mut client, &["c"]).await;
    until_ready(one.address(), true).await;
    one.shutdown().await;
    two.shutdown().await;
}

/// The number of times that an event is in the history.
async fn kept(address: std::net::SocketAddr, id: &str) -> usize {
    let (_, history) = get(address, "/api/v1/events?limit=1000").await;
    let events = history["events"].as_array().expect("events");
    events.iter().filter(|event| event["id"] == id).count()
}

/// The connection ends behind an append, before or amid its answer: the event is kept once, and its producer is told the
/// same, by the node's own second try or by its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_behind_an_append_keeps_the_event_once() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let way = Proxy::to(engine.port()).await;
    let server = node_at(&way.url(), "one").await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    for (after, times) in [(0, 1), (1, 1), (9, 1), (0, 2), (1, 2), (9, 2)] {
        let id = format!("after-{after}-{times}");
        way.cut(&id, after, times);
        let answer = until_taken(address, &id).await;
        // Cut once, the node itself tries again, and nobody notices.
        let own = answer["accepted"] == 1 && answer["duplicates"] == 0;
        let again = answer["accepted"] == 0 && answer["duplicates"] == 1;
        assert!(own || (again && times == 2), "{after} {times}: {answer}");
        assert_eq!(way.cuts_left(), 0);
        let cursor = told(&mut client, &[&id]).await;
        let (_, same) = kit::post(address, &task(&id)).await;
        assert_eq!(
            (&same["duplicates"], kept(address, &id).await),
            (&json!(1), 1)
        );
        assert_eq!(same["cursor"], answer["cursor"], "{cursor}");
    }
    take(address, &["end"]).await;
    told(&mut client, &["end"]).await;
    server.shutdown().await;
}

/// One node is cut off from the engine while others go on: it tells what it knows, refuses, and has it all afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_misses_nothing() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let way = Proxy::to(engine.port()).await;
    let (one, two) = (node(&engine, "one").await, node_at(&way.url(), "two").await);
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    take(two.address(), &["a"]).await;
    told(&mut here, &["a"]).await;
    let cursor = told(&mut there, &["a"]).await;
    let parts: [(&str, &dyn Fn()); 2] =
        [("held", &|| way.hold()), ("swallowed", &|| way.swallow())];
    let mut all: Vec<String> = vec!["a".into()];
    for (name, begin) in parts {
        begin();
        let refused = format!("{name}-refused");
        until_refused(two.address(), &refused).await;
        until_ready(two.address(), false).await;
        let ids = [1, 2, 3].map(|n| format!("{name}-{n}"));
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        take(one.address(), &ids).await;
        way.open();
        until_taken(two.address(), &refused).await;
        until_ready(two.address(), true).await;
        // The refused one came to the engine when it could.
        for client in [&mut here, &mut there] {
            let mut came = Vec::new();
            for _ in 0..4 {
                let mut update = event(client, "task_update").await;
                came.push(update["id"].take());
            }
            let in_order: Vec<&Value> = came.iter().filter(|id| **id != *refused).collect();
            assert_eq!(in_order, ids, "{came:?}");
        }
        all.extend(ids.iter().map(ToString::to_string));
        all.push(refused);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    tasks(&[one.address(), two.address()], &all).await;
    let (mut back, _) = Client::connect(two.address(), json!({ "cursor": cursor })).await;
    let resumed = event(&mut back, "resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(all.len() - 1))
    );
    one.shutdown().await;
    two.shutdown().await;
}

/// The primary becomes a replica under the nodes' open connections: they refuse, and go on with the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_is_not_written_to_and_not_believed() {
    let Some(former) = Redis::start().await else {
        return;
    };
    let Some(promoted) = Redis::start().await else {
        return;
    };
    let way = Proxy::to(former.port()).await;
    let server = node_at(&way.url(), "one").await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    take(address, &["a", "b"]).await;
    let cursor = told(&mut client, &["a", "b"]).await;
    promoted.follow(&former).await;
    promoted.promote().await;
    former.follow(&promoted).await;
    let why = until_refused(address, "c").await;
    assert!(why.to_lowercase().contains("replica"), "it says why: {why}");
    until_ready(address, false).await;
    way.lead_to(promoted.port());
    until_taken(address, "c").await;
    told(&mut client, &["c"]).await;
    until_ready(address, true).await;
    let (mut back, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    told(&mut back, &["c"]).await;
    assert_eq!(event(&mut back, "resumed").await["complete"], true);
    tasks(&[address], &["a", "b", "c"]).await;
    server.shutdown().await;
}

/// A client comes with a cursor that is ahead of a node without its engine: it waits, and is not given an older state.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_ahead_of_a_node_without_its_engine_waits_for_it() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let way = Proxy::to(engine.port()).await;
    let (one, two) = (node(&engine, "one").await, node_at(&way.url(), "two").await);
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    way.close();
    until_ready(two.address(), false).await;
    take(one.address(), &["a", "b"]).await;
    let cursor = told(&mut here, &["a", "b"]).await;
    let (address, before) = (two.address(), way.begun());
    let coming =
        tokio::spawn(async move { Client::connect(address, json!({ "cursor": cursor })).await });
    // Three connections are tried again, each at most once a second by then.
    until("many dials", async || {
        (way.begun() >= before + 12).then_some(())
    })
    .await;
    way.open();
    let (mut moved, _) = coming.await.expect("it comes in");
    let resumed = event(&mut moved, "resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(0)),
        "{resumed}"
    );
    take(one.address(), &["c"]).await;
    told(&mut moved, &["c"]).await;
    one.shutdown().await;
    two.shutdown().await;
}
