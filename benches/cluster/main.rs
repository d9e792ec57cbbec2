//! Several nodes in figures: a node's rate of events with its journal on an engine, the cost of telling the same observers by
//! one node and by two, and a node's answers while the engine is away.
//!
//! `cargo bench --bench cluster -- --seconds 3 --rounds 3`; a Redis or Valkey must be installed. All that is compared takes
//! turns in one run, and every number is the median of the rounds. Engine, nodes and load share the machine: ratios count.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod away;
mod fanout;
mod ingest;
mod nodes;

use std::time::Duration;

use kit::{bench::argument, redis::Redis};

fn main() {
    let rounds = argument("--rounds", 3);
    let limit = Duration::from_secs(argument("--seconds", 3) as u64);
    let observers = argument("--observers", 1_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        if Redis::start().await.is_none() {
            println!("NOT MEASURED: several nodes, without redis-server or valkey-server");
            return;
        }
        ingest::journals(rounds, limit).await;
        ingest::nodes(rounds, limit).await;
        fanout::compare(observers, rounds, limit).await;
        away::compare(limit).await;
    });
}
