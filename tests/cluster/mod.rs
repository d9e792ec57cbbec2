//! Several nodes that share a journal on a real engine, and all that may fail of them: docs/cluster.md lists it.

mod actions;
mod away;
mod bus;
mod drain;
mod emissions;
mod engine;
mod failover;
mod forks;
mod kills;
mod load;
mod nodes;
mod operations;
mod parked;
mod promotions;
mod rolling;
mod screen;
mod sentinel;
mod stalls;
mod together;
mod trial;
mod ways;

use std::{net::SocketAddr, path::Path};

use kit::{
    Client, PATIENCE, START_SECRET, counted_in, get, post,
    process::{self, Process},
    redis::Redis,
    server_with, until,
};
use serde_json::{Value, json};
use stoa::{config::JournalKind, server::Running};

/// A node of the deployment that an engine keeps.
async fn node(engine: &Redis, name: &str) -> Running {
    node_at(&engine.url(), name).await
}

/// A node whose engine is at this address.
async fn node_at(url: &str, name: &str) -> Running {
    server_with(|config| {
        config.journal.kind = JournalKind::Redis;
        config.journal.url = url.to_owned().into();
        config.cluster.node_id = name.into();
    })
    .await
}

/// Waits until each of these nodes knows all others.
async fn linked(nodes: &[&Running]) {
    let others = nodes.len() as u64 - 1;
    until("the nodes to know each other", async || {
        let knows = |node: &&Running| counted_in(node, "stoa_cluster_nodes") == others;
        nodes.iter().all(knows).then_some(())
    })
    .await;
}

/// A node that is a process of its own, with further variables of its environment. A long run that names a folder in
/// `CHAOS_LOGS` finds its log there.
fn process_at(url: &str, name: &str, port: u16, further: &[(&str, &str)]) -> Process {
    let mut serve = process::serve_in_memory();
    serve
        .env("STOA_JOURNAL__KIND", "redis")
        .env("STOA_JOURNAL__URL", url)
        .env("STOA_CLUSTER__NODE_ID", name)
        .env("STOA_SERVER__PORT", port.to_string())
        .env("STOA_AUTHENTICATION__START_SECRET", START_SECRET)
        .envs(further.iter().copied());
    // Others go on meanwhile.
    tokio::task::block_in_place(|| match std::env::var_os("CHAOS_LOGS") {
        Some(folder) => {
            let times = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
            let log = format!("{name}-{port}-{}.log", times.as_millis());
            Process::logged(&mut serve, &Path::new(&folder).join(log))
        }
        None => Process::listening(serve.stderr(std::process::Stdio::null())),
    })
}

/// An event of a task of its own.
fn task(id: &str) -> Value {
    json!({ "id": id, "type": "task.created", "project_id": "p", "data": { "task_id": id, "name": id } })
}

/// Publishes events that are taken at once.
async fn take(address: SocketAddr, ids: &[&str]) {
    for id in ids {
        let (status, answer) = post(address, &task(id)).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    }
}

/// Publishes an event until it is acknowledged; the answer.
async fn until_taken(address: SocketAddr, id: &str) -> Value {
    until(&format!("{id} to be taken"), async || {
        let (status, answer) = post(address, &task(id)).await;
        assert!(status == 202 || status == 503, "{status} {answer}");
        (status == 202).then_some(answer)
    })
    .await
}

/// Waits until an event is refused because the engine can't be used; the sentence.
async fn until_refused(address: SocketAddr, id: &str) -> String {
    until("a refusal", async || {
        let (status, answer) = post(address, &task(id)).await;
        assert!(status == 202 || status == 503, "{status} {answer}");
        let error = &answer["error"];
        assert!(
            status == 202 || error["code"] == "unavailable",
            "{status} {answer}"
        );
        (status == 503).then(|| error["message"].to_string())
    })
    .await
}

/// Waits until a node says that it is ready, or that its journal is not.
async fn until_ready(address: SocketAddr, is_ready: bool) {
    until(&format!("readiness to be {is_ready}"), async || {
        let (status, answer) = get(address, "/readyz").await;
        let journal = &answer["parts"]["journal"]["status"];
        let expected = if is_ready { "ok" } else { "down" };
        (status == if is_ready { 200 } else { 503 } && journal == expected).then_some(())
    })
    .await;
    // It lives, however its engine is.
    assert_eq!(get(address, "/healthz").await.0, 200);
}

/// The next event of this name. A connection that lives on pings alone would be waited at for ever.
async fn event(client: &mut Client, name: &str) -> Value {
    let came = tokio::time::timeout(PATIENCE, client.event(name)).await;
    came.unwrap_or_else(|_| panic!("no {name}; there are {:?}", client.events))
}

/// The next updates are these, in this order.
async fn told(client: &mut Client, ids: &[&str]) -> Value {
    let mut cursor = Value::Null;
    for id in ids {
        let mut update = event(client, "task_update").await;
        assert_eq!(update["id"], *id, "of {ids:?}");
        cursor = update["cursor"].take();
    }
    cursor
}

/// All nodes have just these tasks.
async fn tasks(addresses: &[SocketAddr], ids: &[&str]) {
    let mut states = Vec::new();
    for address in addresses {
        let tasks = until(&format!("the tasks {ids:?}"), async || {
            let (_, mut state) = get(*address, "/api/v1/state").await;
            let tasks = state["tasks"].take();
            let all = tasks.as_object()?;
            let has_all = ids.iter().all(|id| all.contains_key(*id));
            (has_all && all.len() == ids.len()).then(|| tasks.clone())
        })
        .await;
        states.push(tasks);
    }
    for state in &states {
        assert_eq!(*state, states[0]);
    }
}
