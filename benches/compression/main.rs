//! Compression of messages: bytes on the wire and the server's processor time, with and without it, in one run.
//!
//! The same updates go to 10, 100 and 1,000 observers that take them compressed or as they are, in turns, three times;
//! every number is the median. What compressing alone costs is measured beside it, by level.
//! `cargo bench --bench compression -- --observers 1000 --seconds 5`. Ends with code 1 when an update is compressed more
//! than once.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod load;

use std::{
    hint::black_box,
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use kit::{
    bench::{argument, median, verdict},
    child::{Child, can_pin, this_program},
};
use load::{Asked, Found};
use stoa::{config::Config, net::deflate::deflate};

/// The rounds of each measurement.
const ROUNDS: usize = 3;
/// The time for which one level is measured.
const LEVEL_TIME: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve"] => serve(),
        ["load", asked] => {
            load::run(&serde_json::from_str(asked).expect("what is asked"));
            ExitCode::SUCCESS
        }
        _ => compare(),
    }
}

fn serve() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut config = Config::default();
        config.server.port = 0;
        // The fan-out is measured; the disk has a benchmark of its own.
        config.journal.kind = stoa::config::JournalKind::Memory;
        let running = stoa::server::start(&config).await.expect("it starts");
        println!("{}", running.address());
        std::io::stdout().flush().expect("stdout");
        // It ends when its stdin does.
        tokio::task::spawn_blocking(|| std::io::stdin().lines().count())
            .await
            .ok();
    });
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    let observers = argument("--observers", 1_000);
    let seconds = u32::try_from(argument("--seconds", 5)).expect("not that long");
    let pinned = can_pin();
    let mut faults = Vec::new();
    let mut rows = Vec::new();
    for many in [observers / 100, observers / 10, observers] {
        let (mut plain, mut compressed) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            plain.push(measure(many, seconds, false, pinned));
            compressed.push(measure(many, seconds, true, pinned));
        }
        for found in &compressed {
            if found.made > found.updates || found.compressed < found.deliveries {
                faults.push(format!(
                    "{many} observers: {} updates were compressed {} times, and {} of {} deliveries came so",
                    found.updates, found.made, found.compressed, found.deliveries
                ));
            }
        }
        rows.push((many, plain, compressed));
    }
    let update = rows[0].1[0].update.clone();
    let cores = if pinned {
        "server and load on a core each"
    } else {
        "server and load not pinned to cores"
    };
    println!(
        "\n## Updates of {} bytes, 20 in a second for {seconds} s, {cores}, median of {ROUNDS} rounds\n",
        update.len()
    );
    println!(
        "| observers | | as it is | compressed | compressed / as it is |\n|--:|---|--:|--:|--:|"
    );
    for (many, plain, compressed) in &rows {
        let row = |name: &str, digits: usize, value: &dyn Fn(&Found) -> f64| {
            let of = |found: &[Found]| median(found.iter().map(value));
            let (plain, compressed) = (of(plain), of(compressed));
            println!(
                "| {many} | {name} | {plain:.digits$} | {compressed:.digits$} | {:.2} |",
                compressed / plain
            );
        };
        let deliveries = |f: &Found| f.deliveries as f64;
        row("bytes on the wire, each delivery", 0, &|f| {
            f.bytes as f64 / deliveries(f)
        });
        row("processor time, each delivery, µs", 2, &|f| {
            f.cpu * 1e6 / deliveries(f)
        });
        row("– of that in the kernel, µs", 2, &|f| {
            f.kernel * 1e6 / deliveries(f)
        });
        row("processor time, each update, ms", 3, &|f| {
            f.cpu * 1e3 / f.updates as f64
        });
        row("latency p50, ms", 2, &|f| f.p50);
        row("latency p99, ms", 2, &|f| f.p99);
        let made = median(compressed.iter().map(|f| f.made as f64 / f.updates as f64));
        println!("| {many} | messages compressed, each update | 0 | {made:.2} | |");
    }
    println!(
        "\nWhat compressing this update alone takes:\n\n| level | µs | bytes |\n|--:|--:|--:|"
    );
    for level in [1, 3, 4, 6, 9] {
        let (micros, bytes) = alone(update.as_bytes(), level);
        println!("| {level} | {micros:.1} | {bytes} |");
    }
    verdict(
        &faults,
        "Every update was compressed once, however many took it.",
    )
}

/// The time of compressing a text once, in microseconds, and the bytes that it becomes.
fn alone(text: &[u8], level: u32) -> (f64, usize) {
    let (begun, mut times, mut bytes) = (Instant::now(), 0_u32, 0);
    while begun.elapsed() < LEVEL_TIME {
        bytes = deflate(black_box(text), level, 0, <[u8]>::len).expect("it gets smaller");
        times += 1;
    }
    (
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(times),
        bytes,
    )
}

fn measure(observers: usize, seconds: u32, compressed: bool, pinned: bool) -> Found {
    let this = this_program();
    let mut serving = Child::start(&this, &["serve"], pinned.then_some("0"));
    let asked = Asked {
        address: serving.line().parse().expect("an address"),
        process: serving.id(),
        observers,
        seconds,
        compressed,
    };
    let asked = serde_json::to_string(&asked).expect("JSON");
    let mut loading = Child::start(&this, &["load", &asked], pinned.then_some("1"));
    serde_json::from_str(&loading.line()).expect("what was found")
}
