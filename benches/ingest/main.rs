//! The way in: events a second that producers get acknowledged, beside a plain loop of inserts into the same kind of file.
//!
//! The server is a child process of this one, and so is the load. Where `taskset` is there and two cores are, the server has
//! one to itself and the load another; rows of the "whole machine" are not pinned. The server has its default settings and
//! a journal on disk. All cases take turns, and every number is the median of the rounds.
//!
//! `cargo bench --bench ingest -- --millis 2000 --rounds 3`; `--only publish` runs the cases with that word in their name.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod load;
#[path = "../journal/plain.rs"]
mod plain;
mod socket;

use std::{io::Read, path::Path, time::Duration};

use kit::{
    bench::median,
    child::{Child, can_pin, this_program},
};
use load::{Asked, Found, Way};
use stoa::{
    config::{Config, JournalDurability},
    journal::Durability,
};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    way: Way,
    durability: Durability,
    observers: usize,
    /// Whether server and load have a core each.
    pinned: bool,
    /// The events in a transaction of the plain loop beside it.
    batch: usize,
}

fn cases() -> Vec<Case> {
    let publish = |events, in_flight| Way::Publish { events, in_flight };
    let lines = |connections| Way::Lines { connections };
    let mut cases = Vec::new();
    for durability in [Durability::Process, Durability::Disk] {
        let case = |name, way, batch| Case {
            name,
            way,
            durability,
            observers: 0,
            pinned: true,
            batch,
        };
        cases.extend([
            case("publish, one in flight", publish(1, 1), 1),
            case("publish, 64 in flight", publish(1, 64), 32),
            case("publish, 512 in flight", publish(1, 512), 256),
            case("publish of 10, 64 in flight", publish(10, 64), 320),
            case("publish of 100, 8 in flight", publish(100, 8), 400),
            case("NDJSON, 1 connection", lines(1), 500),
            Case {
                pinned: false,
                ..case("NDJSON, 1 connection, whole machine", lines(1), 500)
            },
            Case {
                pinned: false,
                ..case("NDJSON, 4 connections, whole machine", lines(4), 2_000)
            },
            Case {
                pinned: false,
                ..case(
                    "publish, 512 in flight, whole machine",
                    publish(1, 512),
                    256,
                )
            },
            Case {
                observers: 10,
                ..case("publish, 64 in flight, 10 observers", publish(1, 64), 32)
            },
        ]);
    }
    cases
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", path, durability] => serve(path, durability),
        ["load", asked] => load::run(&serde_json::from_str(asked).expect("what is asked")),
        ["inserts", folder, durability, batch, millis] => {
            let limit = Duration::from_millis(millis.parse().expect("a number"));
            let batch = batch.parse().expect("a number");
            let rate = plain::inserted(Path::new(folder), durability_of(durability), batch, limit);
            println!("{rate}");
        }
        _ => compare(&arguments),
    }
}

fn compare(arguments: &[&str]) {
    let number = |name: &str, otherwise| {
        value(arguments, name).map_or(otherwise, |n| n.parse().expect("a number"))
    };
    let (rounds, millis) = (number("--rounds", 3), number("--millis", 2_000));
    let only = value(arguments, "--only").unwrap_or("");
    let folder = tempfile::tempdir().expect("a folder");
    let mut cases: Vec<(Case, Vec<(Found, f64)>)> = cases()
        .into_iter()
        .filter(|case| format!("{} {:?}", case.name, case.durability).contains(only))
        .map(|case| (case, Vec::new()))
        .collect();
    for _ in 0..rounds {
        for (case, found) in &mut cases {
            found.push(measure(case, millis as u64, folder.path()));
        }
    }
    println!("\n## The way in: acknowledged events a second\n");
    println!(
        "{rounds} rounds of {millis} ms; plain inserts: a loop with a transaction for each batch, on one core.\n"
    );
    println!(
        "| way in | durability | events/s | plain inserts/s (batch) | ratio | server, µs/event | of that kernel | p50, ms | p99, ms | updates sent |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (case, found) in &cases {
        let of = |value: &dyn Fn(&(Found, f64)) -> f64| median(found.iter().map(value));
        let rate = of(&|(found, _)| found.rate);
        let plain = of(&|(_, plain)| *plain);
        println!(
            "| {} | {:?} | {rate:.0} | {plain:.0} ({}) | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} | {:.0} |",
            case.name,
            case.durability,
            case.batch,
            rate / plain,
            of(&|(found, _)| found.cpu),
            of(&|(found, _)| found.kernel),
            of(&|(found, _)| found.p50),
            of(&|(found, _)| found.p99),
            of(&|(found, _)| found.delivered as f64),
        );
    }
}

fn measure(case: &Case, millis: u64, folder: &Path) -> (Found, f64) {
    let on = |core| (can_pin() && case.pinned).then_some(core);
    let durability = format!("{:?}", case.durability);
    let path = folder.join("ingest.db");
    let file = path.to_str().expect("a path");
    let this = this_program();
    let mut serving = Child::start(&this, &["serve", file, &durability], on("0"));
    let asked = Asked {
        address: serving.line().parse().expect("an address"),
        process: serving.id(),
        way: case.way,
        observers: case.observers,
        millis,
    };
    let asked = serde_json::to_string(&asked).expect("JSON");
    let mut loading = Child::start(&this, &["load", &asked], on("1"));
    let found = serde_json::from_str(&loading.line()).expect("what was found");
    drop((loading, serving));
    plain::remove(&path);
    let folder = folder.to_str().expect("a path");
    let (batch, millis) = (case.batch.to_string(), (millis / 2).to_string());
    let plain = ["inserts", folder, &durability, &batch, &millis];
    let mut inserting = Child::start(&this, &plain, can_pin().then_some("0"));
    let plain = inserting.line().parse().expect("a rate");
    (found, plain)
}

fn durability_of(name: &str) -> Durability {
    match name {
        "Disk" => Durability::Disk,
        _ => Durability::Process,
    }
}

fn serve(path: &str, durability: &str) {
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    let mut config = Config::default();
    config.server.port = 0;
    config.journal.path = path.into();
    config.journal.durability = match durability_of(durability) {
        Durability::Disk => JournalDurability::Disk,
        Durability::Process => JournalDurability::Process,
    };
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(async {
            let running = stoa::server::start(&config).await.expect("it starts");
            println!("{}", running.address());
            std::future::pending::<()>().await;
        });
}

fn value<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|a| *a == name)?;
    arguments.get(at + 1).copied()
}
