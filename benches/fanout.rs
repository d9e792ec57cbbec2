//! The cost of a thousand observers: Stoa beside plain socketioxide, in one run, with the same bytes to the same clients.
//!
//! Each server is a child process of this one, and so is the load, so that what a client costs isn't counted as the
//! server's. Where `taskset` is there and two cores are, the server has one to itself and the load another.
//!
//! Two measurements of each: 20 updates a second (20,000 deliveries), the everyday case; and as many as go with 64
//! updates in flight. The servers take turns, three times, and every number is the median: what else the machine does
//! falls on both. `cargo bench --bench fanout -- --observers 1000 --seconds 5`.
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
    process::{Child, Command, Stdio},
};

use load::{Asked, Found};
use measuring::Phase;
use servers::Started;

/// The rounds of measuring each server.
const ROUNDS: usize = 3;

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
            let observers = number(&arguments, "--observers", 1_000);
            let seconds = number(&arguments, "--seconds", 5);
            match value(&arguments, "--users") {
                Some(users) => {
                    let many = users.split(',').map(|n| n.parse().expect("a number"));
                    let many: Vec<usize> = many.collect();
                    users::compare(&many, observers, seconds, ROUNDS, pinning());
                }
                None => compare(observers, seconds),
            }
        }
    }
}

fn compare(observers: usize, seconds: usize) {
    let pinned = pinning();
    let (mut stoa, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let found = measure("stoa", observers, seconds, None, None, pinned);
        let update = Some(found.update.clone());
        stoa.push(found);
        plain.push(measure("plain", observers, seconds, update, None, pinned));
    }
    let cores = if pinned {
        "server and load on a core each"
    } else {
        "server and load not pinned to cores"
    };
    println!(
        "\n## {observers} observers, an update of {} bytes, {cores}, median of {ROUNDS} rounds\n",
        stoa[0].update.len()
    );
    println!("| | Stoa | plain socketioxide | Stoa / plain |\n|---|--:|--:|--:|");
    let table = Table {
        stoa: &stoa,
        plain: &plain,
    };
    println!("| **20 updates/s, {seconds} s** | | | |");
    let calm = |f: &Found| f.calm.clone();
    table.rows(calm, 20.0 * observers as f64);
    println!("| **as fast as it goes, 64 in flight** | | | |");
    let full = |f: &Found| f.full.clone().expect("it was measured");
    table.row("deliveries/s", 0, |f| {
        full(f).deliveries as f64 / full(f).seconds
    });
    table.row("server's share of its core", 2, |f| {
        full(f).cpu / full(f).seconds
    });
    table.rows(full, 1e6);
    println!(
        "\nStoa's clients also got {} packets that it sends by itself (aggregates) at 20 updates/s, plain's {}.",
        stoa[0].calm.others, plain[0].calm.others
    );
}

/// The findings on both servers.
struct Table<'a> {
    stoa: &'a [Found],
    plain: &'a [Found],
}

impl Table<'_> {
    /// The figures of both phases; processor time for so many deliveries.
    fn rows(&self, phase: impl Fn(&Found) -> Phase, many: f64) {
        let of_many = |f: &Found| many / phase(f).deliveries.max(1) as f64 * 1e3;
        self.row("deliveries", 0, |f| phase(f).deliveries as f64);
        let name = format!("processor time of {many} deliveries, ms");
        self.row(&name, 1, |f| phase(f).cpu * of_many(f));
        self.row("– of that in the kernel, ms", 1, |f| {
            phase(f).kernel * of_many(f)
        });
        self.row("latency p50, ms", 2, |f| phase(f).p50);
        self.row("latency p99, ms", 2, |f| phase(f).p99);
        self.row("resident memory, MiB", 1, |f| phase(f).rss / 1024.0);
    }

    fn row(&self, name: &str, digits: usize, value: impl Fn(&Found) -> f64) {
        let (stoa, plain) = (median(self.stoa, &value), median(self.plain, &value));
        println!(
            "| {name} | {stoa:.digits$} | {plain:.digits$} | {:.2} |",
            stoa / plain
        );
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

fn measure(
    server: &str,
    observers: usize,
    seconds: usize,
    update: Option<String>,
    users: Option<usize>,
    pinned: bool,
) -> Found {
    let mut serving = Gone(start(&["serve", server], pinned.then_some("0")));
    let asked = Asked {
        address: first_line(&mut serving.0).parse().expect("an address"),
        process: serving.0.id(),
        observers,
        seconds,
        update,
        users,
    };
    let asked = serde_json::to_string(&asked).expect("JSON");
    let mut loading = Gone(start(&["load", &asked], pinned.then_some("1")));
    serde_json::from_str(&first_line(&mut loading.0)).expect("what was found")
}

fn start(arguments: &[&str], core: Option<&str>) -> Child {
    let this = std::env::current_exe().expect("this program");
    let mut command = match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(this);
            command
        }
        None => Command::new(this),
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

fn value<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    let mut arguments = arguments.iter().skip_while(|argument| **argument != name);
    arguments.nth(1).copied()
}
