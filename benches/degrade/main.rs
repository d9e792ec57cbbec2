//! Twice the load that the machine holds: the steps of degradation come in order and go again, what is urgent stays in its
//! budget, and nothing is lost that may not be.
//!
//! `cargo bench --bench degrade -- --seconds 20 --observers 20`. First a server that may not degrade is given as much as it
//! takes, then one with the default settings is offered twice that, then a tenth of it until all is as usual again.
#![allow(clippy::expect_used, clippy::print_stdout)]

mod offer;
mod watch;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use kit::{
    bench::{argument, verdict},
    process::{Process, free_port, json},
};
use offer::{Offer, Offered};
use watch::Watch;

/// The time after which a server that is offered little must be as usual again.
const RECOVERY: Duration = Duration::from_secs(120);
/// The names of the steps, as the figures have them.
const STEPS: [&str; 4] = ["normal", "larger_batches", "low_coalesced", "low_refused"];
/// The budgets from accepted to written, in milliseconds.
const BUDGETS: [(&str, f64); 4] = [
    ("critical", 50.0),
    ("high", 50.0),
    ("normal", 100.0),
    ("low", 500.0),
];

async fn start(folder: &std::path::Path, degrade: bool) -> Process {
    let settings = [("STOA_PACE__DEGRADE", degrade.to_string())];
    let journal = folder.join(format!("{degrade}.db"));
    Process::start(&journal, free_port(), &settings).await
}

#[tokio::main]
async fn main() -> ExitCode {
    let seconds = argument("--seconds", 20) as u64;
    let observers = argument("--observers", 20);
    let length = Duration::from_secs(seconds);
    let folder = tempfile::tempdir().expect("a folder");

    let server = start(folder.path(), false).await;
    let watch = Watch::begin(server.address, observers).await;
    let held = offer::as_much_as_it_takes(server.address, length / 2).await;
    let capacity = held.accepted() as f64 / (length / 2).as_secs_f64();
    drop(watch);
    drop(server);
    println!("The machine holds {capacity:.0} events a second with {observers} observers.\n");

    let server = start(folder.path(), true).await;
    let address = server.address;
    let watch = Watch::begin(address, observers).await;
    let mut offer = Offer::begin(address, capacity * 2.0);
    tokio::time::sleep(length).await;
    let under_load = json(address, "/api/v1/performance").await.expect("figures");
    offer.set_rate(capacity / 10.0);
    let begun = Instant::now();
    while watch.step() != 0 || begun.elapsed() < Duration::from_secs(6) {
        if begun.elapsed() > RECOVERY {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let recovered = begun.elapsed();
    let offered = offer.end().await;
    let lost = watch.missing(&offered).await;
    let steps = watch.steps();
    let mut faults = report(&offered, &under_load, &watch, &steps, recovered, seconds);
    faults.extend(lost);
    let none = "Urgent updates stayed in their budget, each step came and went in order, and nothing was lost that may not be.";
    verdict(&faults, none)
}

/// Prints the figures; returns the faults.
fn report(
    offered: &Offered,
    under_load: &serde_json::Value,
    watch: &Watch,
    steps: &[(f64, u64)],
    recovered: Duration,
    seconds: u64,
) -> Vec<String> {
    let mut faults = Vec::new();
    println!(
        "| priority | offered | accepted | refused | accepted to socket, p99 ms | call to client, p50 / p99 ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for (level, (name, budget)) in BUDGETS.into_iter().enumerate() {
        let p99 = under_load["latency_ms"][name]["p99"].as_f64();
        let (p50, client) = watch.latency(level);
        let [count, accepted, refused] = offered.counts(level);
        println!(
            "| {name} | {count} | {accepted} | {refused} | {} | {p50:.1} / {client:.1} |",
            p99.map_or("–".into(), |ms| format!("{ms:.1}"))
        );
        if level < 2 && p99.is_none_or(|ms| ms > budget) {
            faults.push(format!("{name} is beyond its {budget} ms: {p99:?}"));
        }
        if level < 3 && refused > 0 {
            faults.push(format!("{refused} events of priority {name} were refused"));
        }
    }
    println!("\nSteps, with the second at which they began (twice the load until {seconds}):");
    for (at, step) in steps {
        println!("{at:.1} {}", STEPS[*step as usize]);
    }
    println!(
        "\nAs usual {:.1} s after the load.",
        recovered.as_secs_f64()
    );
    if !steps.windows(2).all(|two| two[0].1.abs_diff(two[1].1) == 1) {
        faults.push("a step was left out".into());
    }
    if steps.iter().map(|(_, step)| *step).max() != Some(3) {
        faults.push("the last step was not seen".into());
    }
    if steps.last().map(|(_, step)| *step) != Some(0) {
        faults.push("it did not come back".into());
    }
    faults
}
