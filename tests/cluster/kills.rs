//! kill -9 of nodes and of the engine, again and again, under load.

use kit::{
    process::{Process, free_port},
    redis::Redis,
};

use super::{
    load::{Dice, Load, Scale, number},
    node, process_at,
};

const NODES: [&str; 3] = ["one", "two", "three"];
/// More of both make a longer run of the same: `CHAOS_ROUNDS=100 CHAOS_OBSERVERS=1000`.
const ROUNDS: u64 = 6;
const OBSERVERS: u64 = 12;
/// Acknowledged events between two kills.
const EVENTS: u64 = 300;

/// Every acknowledged event is in the history of every node, and comes to each observer who may see it once, in order,
/// whatever is killed and wherever it goes with its cursor.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_reaches_everybody_once_whatever_is_killed() {
    let Some(mut engine) = Redis::lasting().await else {
        return;
    };
    let url = engine.url();
    let start = |name: &str, port| process_at(&url, name, port, &[]);
    let mut nodes: Vec<Process> = NODES.map(|name| start(name, free_port())).into();
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let scale = Scale {
        observers: number("CHAOS_OBSERVERS", OBSERVERS),
        producers_hop: true,
    };
    let load = Load::begin(&addresses, scale).await;
    let seed = number("CHAOS_SEED", 7);
    let mut dice = Dice::new(seed);
    for round in 0..number("CHAOS_ROUNDS", ROUNDS) {
        load.more(EVENTS).await;
        // Each once, then any.
        let victim = if round < 4 { round } else { dice.below(4) };
        let victim = usize::try_from(victim).unwrap();
        if victim < nodes.len() {
            let port = nodes.remove(victim).kill();
            nodes.insert(victim, start(NODES[victim], port));
        } else {
            engine.kill();
            engine.again().await;
        }
    }
    load.more(EVENTS).await;
    load.judge(&addresses).await;
}

/// Observers go from door to door for a while, and each is judged.
async fn move_between(doors: &[std::net::SocketAddr]) {
    let scale = Scale {
        observers: number("CHAOS_OBSERVERS", OBSERVERS),
        producers_hop: false,
    };
    let load = Load::begin(doors, scale).await;
    load.more(ROUNDS * EVENTS).await;
    load.judge(doors).await;
}

/// Observers go from node to node while events are published, and each goes on from its cursor: nothing is missing and
/// nothing comes twice, in the middle of what they missed as well.
#[tokio::test(flavor = "multi_thread")]
async fn observers_that_move_with_their_cursors_get_each_event_once() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    move_between(&[one.address(), two.address()]).await;
    one.shutdown().await;
    two.shutdown().await;
}

/// The same with one node, which needs no engine.
#[tokio::test(flavor = "multi_thread")]
async fn observers_that_come_back_with_their_cursors_get_each_event_once() {
    let one = kit::server().await;
    move_between(&[one.address()]).await;
    one.shutdown().await;
}
