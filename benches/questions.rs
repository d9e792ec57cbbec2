//! Questions beside a live stream: what `/readyz`, the statistics and the state cost the ordered loop when they are asked often.
//!
//! `cargo bench --bench questions`; also `--rate` (events/s), `--asked` (questions/s) and `--seconds` of each round. `STOA_BIN`
//! names another server than the one built here. The loop says how long its turns took (`stoa_hub_busy_seconds_total`): that is
//! compared, round by round, with what they took while nobody asked. Ends with code 1 on a fault or when a bound is broken.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use kit::watched::Watched;
use kit::{
    bench::argument,
    process::{Process, free_port},
};

/// The questions, one a round.
const ASKED: [&str; 4] = [
    "/readyz",
    "/api/v1/ws/stats",
    "/api/v1/ws/rooms",
    "/api/v1/state",
];
/// The loop may be so much busier while it is asked.
const TIMES: f64 = 1.5;
/// Connections over which questions are asked.
const CONNECTIONS: usize = 8;

fn main() -> ExitCode {
    let rate = argument("--rate", 500) as f64;
    let asked = argument("--asked", 500);
    let seconds = argument("--seconds", 5);
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let journal = folder.path().join("stoa.db");
    let faults = runtime.block_on(run(&journal, rate, asked, seconds as u64));
    runtime.shutdown_background();
    kit::bench::verdict(&faults, "The loop was no busier than it may be.")
}

async fn run(journal: &std::path::Path, rate: f64, asked: usize, seconds: u64) -> Vec<String> {
    let server = Process::start(journal, free_port(), &[]).await;
    let address = server.address;
    let watched = Watched::begin(address, 0, rate, |_| true);
    // The first seconds fill the state.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let round = Duration::from_secs(seconds);
    let (mut faults, mut rows) = (Vec::new(), Vec::new());
    for path in ASKED {
        let alone = busy_during(address, tokio::time::sleep(round)).await;
        let mut answered = 0;
        let asking = async { answered = ask(address, path, asked, round).await };
        let beside = busy_during(address, asking).await;
        rows.push((path, alone, beside, answered as f64 / round.as_secs_f64()));
        if beside > alone * TIMES {
            faults.push(format!(
                "{path}: the loop was {:.2} times as busy",
                beside / alone
            ));
        }
    }
    let (_, more) = watched.end().await;
    faults.extend(more);
    println!("\n## {asked} questions/s beside {rate} events/s\n");
    println!(
        "| asked | answered/s | the loop alone, ms/s | while asked | ratio |\n|---|--:|--:|--:|--:|"
    );
    for (path, alone, beside, answered) in rows {
        let ratio = beside / alone;
        println!(
            "| `{path}` | {answered:.0} | {:.1} | {:.1} | {ratio:.2} |",
            alone * 1e3,
            beside * 1e3
        );
    }
    faults
}

/// The part of this time in which the loop was busy.
async fn busy_during(address: SocketAddr, during: impl Future<Output = ()>) -> f64 {
    let (before, began) = (busy(address).await, Instant::now());
    during.await;
    (busy(address).await - before) / began.elapsed().as_secs_f64()
}

/// The time that the turns of the loop took so far, in seconds.
async fn busy(address: SocketAddr) -> f64 {
    let text = reqwest::get(format!("http://{address}/metrics"))
        .await
        .expect("answers");
    let text = text.text().await.expect("text");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("stoa_hub_busy_seconds_total "));
    value.expect("the counter").parse().expect("a number")
}

/// Asks so many times a second; how many answers there were.
async fn ask(
    address: SocketAddr,
    path: &'static str,
    each_second: usize,
    round: Duration,
) -> usize {
    let asking = (0..CONNECTIONS).map(|_| {
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build();
            let client = client.expect("a client");
            let pause = Duration::from_secs_f64(CONNECTIONS as f64 / each_second as f64);
            let (mut next, end) = (Instant::now(), Instant::now() + round);
            let mut answered = 0;
            while next < end {
                tokio::time::sleep_until(next.into()).await;
                next += pause;
                let answer = client.get(format!("http://{address}{path}")).send().await;
                let answer = answer.expect("answers");
                assert_eq!(answer.status(), 200, "{path}");
                answer.bytes().await.expect("the whole answer");
                answered += 1;
            }
            answered
        })
    });
    let mut answered = 0;
    for asking in asking.collect::<Vec<_>>() {
        answered += asking.await.expect("no panic");
    }
    answered
}
