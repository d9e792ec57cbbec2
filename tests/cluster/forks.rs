//! Engines whose history forks: a promoted replica, or a backup, that lacks the newest events.

use std::{collections::BTreeSet, net::SocketAddr};

use kit::{Client, get, proxy::Proxy, redis::Redis};
use serde_json::{Value, json};

use super::{event, node, node_at, take, tasks, told, until_taken};

/// The ids of what a client missed, in any order, and nothing twice.
async fn missed(address: SocketAddr, cursor: &Value) -> BTreeSet<String> {
    let (mut client, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    let resumed = event(&mut client, "resumed").await;
    assert_eq!(resumed["complete"], true, "{resumed}");
    let mut ids = BTreeSet::new();
    for (name, update) in client.events.drain(..) {
        if name == "task_update" {
            let id = update["id"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id), "it came twice: {update}");
        }
    }
    assert_eq!(resumed["replayed"], ids.len(), "{resumed} {ids:?}");
    client.close().await;
    ids
}

async fn last(address: SocketAddr) -> Value {
    get(address, "/readyz").await.1["parts"]["journal"]["last"].take()
}

/// The promoted replica lacks three events, and three others get their places before any node that has the lost ones
/// looks: the tops of the two histories are the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_grew_to_exactly_the_old_end_is_noticed() {
    let Some(mut engine) = Redis::start().await else {
        return;
    };
    let Some(replica) = Redis::start().await else {
        return;
    };
    let way = Proxy::to(engine.port()).await;
    let one = node_at(&way.url(), "one").await;
    let two = node_at(&way.url(), "two").await;
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    let (mut away, _) = Client::connect(two.address(), json!({})).await;
    take(one.address(), &["a", "b"]).await;
    replica.follow(&engine).await;
    replica.promote().await;
    take(one.address(), &["c", "d", "e"]).await;
    told(&mut here, &["a", "b", "c", "d", "e"]).await;
    let newest = told(&mut there, &["a", "b", "c", "d", "e"]).await;
    let cursor = told(&mut away, &["a", "b", "c"]).await;
    away.close().await;
    let top = last(two.address()).await;
    way.close();
    engine.kill();

    let three = node(&replica, "three").await;
    let (mut third, _) = Client::connect(three.address(), json!({})).await;
    take(three.address(), &["x", "y", "z"]).await;
    told(&mut third, &["x", "y", "z"]).await;
    assert_eq!(last(three.address()).await, top);
    way.lead_to(replica.port());
    way.open();
    // Those who have what was lost are told of the others alone, and the others of what was put back.
    told(&mut here, &["x", "y", "z"]).await;
    told(&mut there, &["x", "y", "z"]).await;
    told(&mut third, &["c", "d", "e"]).await;
    let all = ["a", "b", "c", "d", "e", "x", "y", "z"];
    let addresses = [one.address(), two.address(), three.address()];
    tasks(&addresses, &all).await;
    // A cursor of the history that ended means the same on each node, also on the one that never had it.
    let lacks: BTreeSet<String> = ["d", "e", "x", "y", "z"].map(str::to_owned).into();
    let others: BTreeSet<String> = ["x", "y", "z"].map(str::to_owned).into();
    for address in addresses {
        assert_eq!(missed(address, &cursor).await, lacks, "{address}");
        assert_eq!(missed(address, &newest).await, others, "{address}");
    }
    // The stream goes on for everybody.
    until_taken(two.address(), "f").await;
    for client in [&mut here, &mut there, &mut third] {
        told(client, &["f"]).await;
    }
    for server in [one, two, three] {
        server.shutdown().await;
    }
}

/// An older backup is put in place of the engine: what it lacks is put back.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_put_back_is_healed() {
    let Some(mut engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    take(one.address(), &["a", "b"]).await;
    let backup = engine.backup().await;
    take(two.address(), &["c", "d", "e"]).await;
    let cursor = told(&mut here, &["a", "b", "c"]).await;
    told(&mut here, &["d", "e"]).await;
    told(&mut there, &["a", "b", "c", "d", "e"]).await;
    engine.restore(&backup).await;
    until_taken(one.address(), "f").await;
    told(&mut here, &["f"]).await;
    told(&mut there, &["f"]).await;
    let addresses = [one.address(), two.address()];
    tasks(&addresses, &["a", "b", "c", "d", "e", "f"]).await;
    let lacks: BTreeSet<String> = ["d", "e", "f"].map(str::to_owned).into();
    for address in addresses {
        assert_eq!(missed(address, &cursor).await, lacks, "{address}");
    }
    // Nothing is kept twice, and what was put back is known by its id.
    let again = until_taken(two.address(), "c").await;
    assert_eq!(again["duplicates"], 1, "{again}");
    one.shutdown().await;
    two.shutdown().await;
}
