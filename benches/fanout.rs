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
//! server `name@program` is Stoa as another build of this benchmark has it. The last column is the first server's figure by
//! that of each other.
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

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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
            let pinned = !arguments.contains(&"--unpinned") && pinning();
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
        let medians: Vec<f64> = self.0.iter().map(|found| median(found, &value)).collect();
        let values = medians.iter().map(|value| format!("{value:.digits$}"));
        let ratios = medians[1..]
            .iter()
            .map(|other| format!("{:.2}", medians[0] / other));
        let cells: Vec<String> = values.chain(ratios).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn median(all: &[Found], value: impl Fn(&Found) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A child, gone with this value.
struct Gone(Child);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Measures a server: the address and the process of what is asked are its own.
fn measure(server: &str, asked: Asked, pinned: bool) -> Found {
    let (name, program) = match server.split_once('@') {
        Some((_, program)) => ("stoa", program.into()),
        None => (server, this()),
    };
    let mut serving = Gone(start(&program, &["serve", name], pinned.then_some("0")));
    let asked = Asked {
        address: Some(first_line(&mut serving.0).parse().expect("an address")),
        process: serving.0.id(),
        ..asked
    };
    let asked = serde_json::to_string(&asked).expect("JSON");
    let core = pinned.then_some("1");
    let mut loading = Gone(start(&this(), &["load", &asked], core));
    let found = first_line(&mut loading.0);
    serde_json::from_str(&found).unwrap_or_else(|_| panic!("the load at {server} failed"))
}

fn this() -> PathBuf {
    std::env::current_exe().expect("this program")
}

fn start(program: &Path, arguments: &[&str], core: Option<&str>) -> Child {
    let mut command = match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // A child ends when its stdin does: with this process, however that ends.
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().expect("a child process")
}

fn first_line(child: &mut Child) -> String {
    let out = child.stdout.take().expect("its stdout");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    line.trim().to_owned()
}

fn pinning() -> bool {
    let check = Command::new("taskset")
        .args(["-c", "0,1", "true"])
        .stderr(Stdio::null())
        .status();
    std::thread::available_parallelism().is_ok_and(|n| n.get() > 1)
        && check.is_ok_and(|s| s.success())
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
