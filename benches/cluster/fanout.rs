//! The same observers told by one node, and by two: the processor time of a delivery, and deliveries a second.

use std::time::{Duration, Instant};

use kit::{
    bench::median,
    post,
    process::{Process, processor},
    redis::Redis,
    socket::Socket,
};
use serde_json::json;
use tokio::task::JoinSet;

use super::nodes::{node, shared};

/// Updates of one request.
const BATCH: usize = 20;
/// The rate of updates a second, where it is not as fast as it goes.
const CALM: u64 = 20;

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Deliveries a second.
    rate: f64,
    /// Processor time of a delivery on all nodes together, in µs.
    cost: f64,
}

/// A line of the table: its name, the phase, what is compared, and its digits.
type Row = (&'static str, usize, fn(&Found) -> f64, usize);

/// Compares one node on one core with two nodes on a core each.
pub async fn compare(observers: usize, rounds: usize, limit: Duration) {
    let cores = ["0", "1"];
    let mut found: [[Vec<Found>; 2]; 2] = Default::default();
    for _ in 0..rounds {
        for (count, found) in [1, 2].into_iter().zip(&mut found) {
            let (folder, engine) = (tempfile::tempdir().expect("a folder"), engine().await);
            let url = engine.url();
            let mut nodes = Vec::new();
            for (name, core) in ["a", "b"].into_iter().zip(cores).take(count) {
                nodes.push(node(folder.path(), &shared(&url, name), Some(core)).await);
            }
            let calm = CALM * limit.as_secs();
            let updates = usize::try_from(calm).expect("a number");
            found[0].push(told(&nodes, observers, updates, Some(CALM)).await);
            found[1].push(told(&nodes, observers, updates * 20, None).await);
        }
    }
    println!(
        "\n## {observers} observers of one node on one core, and of two nodes on a core each\n"
    );
    println!(
        "The load has no core of its own where there are two: the processor time is what counts.\n"
    );
    println!("| | one node | two nodes | two / one |\n|---|--:|--:|--:|");
    let of = |count: usize, phase: usize, what: fn(&Found) -> f64| {
        median(found[count][phase].iter().map(what))
    };
    let rows: [Row; 3] = [
        (
            "20 updates/s: processor time of a delivery, µs",
            0,
            |f| f.cost,
            2,
        ),
        (
            "as fast as it goes: processor time of a delivery, µs",
            1,
            |f| f.cost,
            2,
        ),
        ("as fast as it goes: deliveries/s", 1, |f| f.rate, 0),
    ];
    for (name, phase, what, digits) in rows {
        let (one, two) = (of(0, phase, what), of(1, phase, what));
        println!(
            "| {name} | {one:.digits$} | {two:.digits$} | {:.2} |",
            two / one
        );
    }
}

async fn engine() -> Redis {
    Redis::start().await.expect("one is installed")
}

/// Publishes so many updates on the first node, and waits until every observer has all of them.
async fn told(nodes: &[Process], observers: usize, updates: usize, rate: Option<u64>) -> Found {
    let mut watching = JoinSet::new();
    for n in 0..observers {
        let address = nodes[n % nodes.len()].address;
        let socket = Socket::connect(address, "{}", Some("connection_established")).await;
        let mut socket = socket.expect("it connects");
        watching.spawn(async move {
            let mut seen = 0;
            while seen < updates {
                let read = socket.read(|packet| {
                    seen += usize::from(packet.starts_with(b"[\"decision_event\""));
                });
                read.await.expect("it stays connected");
            }
            seen
        });
    }
    let cost = || -> f64 {
        let costs = nodes.iter().filter_map(|node| processor(node.id()));
        costs.map(|(user, kernel)| user + kernel).sum()
    };
    let (before, begun) = (cost(), Instant::now());
    let batch = if rate.is_some() { 1 } else { BATCH };
    for n in 0..updates / batch {
        if let Some(rate) = rate {
            let due = begun
                + Duration::from_secs(1) * u32::try_from(n).expect("few")
                    / u32::try_from(rate).expect("few");
            tokio::time::sleep_until(due.into()).await;
        }
        let events: Vec<_> = (0..batch)
            .map(|at| json!({ "type": "decision.made", "data": { "decision": "go on", "seq": n * batch + at } }))
            .collect();
        let (status, answer) = post(nodes[0].address, &json!(events)).await;
        assert_eq!(status, 202, "{answer}");
    }
    while let Some(seen) = watching.join_next().await {
        assert_eq!(seen.expect("no panic"), updates, "each update comes once");
    }
    let deliveries = (observers * updates) as f64;
    Found {
        rate: deliveries / begun.elapsed().as_secs_f64(),
        cost: (cost() - before) * 1e6 / deliveries,
    }
}
