//! The cost of the way out: Stoa beside plain socketioxide and a raw upper bound, in one run, with the same bytes to the
//! same clients.
//!
//! Each server is a child process of this one, and so is the load, so that what a client costs isn't counted as the
//! server's. Where `taskset` is there and two cores are, the server has one to itself and the load another
//! (`--unpinned`: the system places both).
//!
//! Measured are 20 updates a second, the everyday case; and as many as go with so many updates in flight (`--in-flight
//! 1,64`). The servers take turns, `--rounds` times, and every number is the median: what else the machine does falls on
//! all of them. Each client holds each update against the one before it, and the sums tell what is missing: a run in which
//! an update is lost, doubled or out of order ends with an error.
//!
//! `cargo bench --bench fanout -- --observers 100,1000 --seconds 5 --servers stoa,plain,plain-single,raw,raw-coalescing`. A
//! server `name@program` is Stoa as another build of this benchmark has it, `stoa-lean` Stoa whose observers take lean updates,
//! `stoa-single` and `stoa-threads-2` Stoa in another flavour of the runtime; `stoa:0-1` has the cores 0 and 1, of which the load
//! has the second, too. The last column is the first server's figure by that of each other.
//!
//! The server `emit` is Stoa that is given the same update as an emission, and keeps none: `--servers stoa,emit,plain`.
//!
//! `serve raw --port 8001` runs one of the servers for another load; [`servers`] names them.
//!
//! With `--users 1,1000,10000` it measures something else: 20 updates a second to the same observers while so many
//! different users are connected with tokens, of whom only the observers may see the updates. Each connection needs one
//! descriptor on each side: `ulimit -n` must be above the number of users.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

#[path = "fanout/load.rs"]
mod load;
#[path = "fanout/measuring.rs"]
mod measuring;
#[path = "fanout/servers/mod.rs"]
mod servers;
#[path = "fanout/users.rs"]
mod users;

use kit::{
    bench::median,
    child::{Child, can_pin, this_program},
};
use load::{Asked, Found};
use measuring::Phase;
use servers::Started;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", name] => servers::serve(name, Started::Child),
        // As `cargo bench --bench fanout -- serve raw --port 8001`: cargo adds a flag of its own.
        ["serve", name, "--port", port, ..] => {
            servers::serve(name, Started::Alone(port.parse().expect("a port")));
        }
        ["load", asked] => load::run(serde_json::from_str(asked).expect("what is asked")),
        _ => {
            let many = numbers(&arguments, "--observers", "1000");
            let seconds = number(&arguments, "--seconds", 5);
            let rounds = number(&arguments, "--rounds", 3);
            let pinned = !arguments.contains(&"--unpinned") && can_pin();
            match value(&arguments, "--users") {
                Some(_) => {
                    let users = numbers(&arguments, "--users", "");
                    users::compare(&users, many[0], seconds, rounds, pinned);
                }
                None => {
                    let servers = value(&arguments, "--servers").unwrap_or("stoa,plain");
                    let run = Run {
                        servers: servers.split(',').collect(),
                        seconds,
                        in_flight: numbers(&arguments, "--in-flight", "64"),
                        rounds,
                        pinned,
                    };
                    for observers in many {
                        run.compare(observers);
                    }
                }
            }
        }
    }
}

/// One comparison.
struct Run<'a> {
    servers: Vec<&'a str>,
    seconds: usize,
    in_flight: Vec<usize>,
    rounds: usize,
    pinned: bool,
}

impl Run<'_> {
    fn compare(&self, observers: usize) {
        let (mut all, mut update) = (vec![Vec::new(); self.servers.len()], None);
        for _ in 0..self.rounds {
            for (server, found) in self.servers.iter().zip(&mut all) {
                let is_stoa = server.starts_with("stoa") || server.contains('@');
                assert!(is_stoa || update.is_some(), "the first server is a Stoa");
                let asked = Asked {
                    observers,
                    seconds: self.seconds,
                    in_flight: self.in_flight.iter().map(|n| *n as u64).collect(),
                    update: update.clone().filter(|_| !is_stoa),
                    lean: server.starts_with("stoa-lean"),
                    emits: *server == "emit",
                    ..Asked::default()
                };
                let measured = measure(server, asked, self.pinned);
                update.get_or_insert_with(|| measured.update.clone());
                found.push(measured);
            }
        }
        let cores = if self.pinned {
            "server and load on a core each"
        } else {
            "server and load not pinned to cores"
        };
        println!(
            "\n## {observers} observers, an update of {} bytes, {cores}, median of {} rounds\n",
            all[0][0].update.len(),
            self.rounds
        );
        let names = self.servers.iter().map(|s| s.split('@').next());
        let names: Vec<&str> = names.map(Option::unwrap_or_default).collect();
        let by = names[1..].iter().map(|n| format!("{} / {n}", names[0]));
        println!(
            "| | {} | {} |\n|---|{}",
            names.join(" | "),
            by.collect::<Vec<_>>().join(" | "),
            "--:|".repeat(names.len() * 2 - 1)
        );
        let table = Table(&all);
        println!("| **20 updates/s, {} s** |", self.seconds);
        table.rows(|f| f.calm.clone());
        for (at, in_flight) in self.in_flight.iter().enumerate() {
            println!("| **as fast as it goes, {in_flight} in flight** |");
            let full = |f: &Found| f.full[at].clone();
            table.row("deliveries/s", 0, |f| {
                full(f).deliveries as f64 / full(f).seconds
            });
            table.row("server's share of its core", 2, |f| {
                full(f).cpu / full(f).seconds
            });
            table.rows(full);
        }
        let others = all.iter().map(|found| found[0].calm.others.to_string());
        let others: Vec<String> = others.collect();
        println!(
            "\nPackets beside the updates at 20 updates/s: {}.",
            others.join(", ")
        );
    }
}

/// The findings on each server.
struct Table<'a>(&'a [Vec<Found>]);

impl Table<'_> {
    /// The figures of a phase.
    fn rows(&self, phase: impl Fn(&Found) -> Phase) {
        let each = |f: &Found| 1e6 / phase(f).deliveries.max(1) as f64;
        self.row("deliveries", 0, |f| phase(f).deliveries as f64);
        self.row("processor time of a delivery, µs", 3, |f| {
            phase(f).cpu * each(f)
        });
        self.row("– of that in the kernel, µs", 3, |f| {
            phase(f).kernel * each(f)
        });
        self.row("latency p50, ms", 2, |f| phase(f).p50);
        self.row("latency p99, ms", 2, |f| phase(f).p99);
        self.row("resident memory, MiB", 1, |f| phase(f).rss / 1024.0);
    }

    fn row(&self, name: &str, digits: usize, value: impl Fn(&Found) -> f64) {
        let medians: Vec<f64> = self
            .0
            .iter()
            .map(|found| median(found.iter().map(&value)))
            .collect();
        let values = medians.iter().map(|value| format!("{value:.digits$}"));
        let ratios = medians[1..]
            .iter()
            .map(|other| format!("{:.2}", medians[0] / other));
        let cells: Vec<String> = values.chain(ratios).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// Measures a server: the address and the process of what is asked are its own.
fn measure(server: &str, asked: Asked, pinned: bool) -> Found {
    let (name, program) = match server.split_once('@') {
        Some((_, program)) => ("stoa", program.into()),
        None => (server, this_program()),
    };
    let (name, cores) = name.split_once(':').unwrap_or((name, "0"));
    let mut serving = Child::start(&program, &["serve", name], pinned.then_some(cores));
    let asked = Asked {
        address: Some(serving.line().parse().expect("an address")),
        process: serving.id(),
        ..asked
    };
    let asked = serde_json::to_string(&asked).expect("JSON");
    let core = pinned.then_some("1");
    let mut loading = Child::start(&this_program(), &["load", &asked], core);
    let found = loading.line();
    serde_json::from_str(&found).unwrap_or_else(|_| panic!("the load at {server} failed"))
}

fn number(arguments: &[&str], name: &str, otherwise: usize) -> usize {
    value(arguments, name).map_or(otherwise, |value| value.parse().expect("a number"))
}

fn numbers(arguments: &[&str], name: &str, otherwise: &str) -> Vec<usize> {
    let numbers = value(arguments, name).unwrap_or(otherwise).split(',');
    numbers.map(|n| n.parse().expect("a number")).collect()
}

fn value<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    let mut arguments = arguments.iter().skip_while(|argument| **argument != name);
    arguments.nth(1).copied()
}
