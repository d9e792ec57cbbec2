//! The cost of connections that are idle, and of connecting: Stoa beside plain socketioxide.
//!
//! Each server is a child process of this one, and so is the load. Where `taskset` is there and two cores are, the
//! server has one to itself and the load another. Memory is the server's resident memory with so many clients less what
//! it was with a few, divided by their number; what the kernel holds for a socket is not in it.
//!
//! `cargo bench --bench connections -- --clients 2000,10000 --kinds websocket,tls,upgraded,polling,sse,guide --watch 10`: with
//! `--watch`, all WebSocket clients of Stoa get an update each second, for so many seconds.
//!
//! Every connection needs a descriptor on each side. The children get as many as the system lets this process have.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod clients;
mod processes;
mod servers;
mod streams;
mod watch;

use clients::{Asked, Connected};
use kit::bench::median;
use processes::{resident, start};
use watch::Watched;

/// The rounds of measuring each server.
const ROUNDS: usize = 3;
/// Clients that are connected before memory is first looked at: what a server sets up once is not theirs.
const FIRST: usize = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", "stoa"] => servers::stoa(None),
        ["serve", "encrypted", folder] => servers::stoa(Some(folder.as_ref())),
        ["serve", "plain"] => servers::plain(),
        ["load", asked] => clients::run(serde_json::from_str(asked).expect("what is asked")),
        _ => {
            let number = |name, otherwise| {
                value(&arguments, name).map_or(otherwise, |n| n.parse().expect("a number"))
            };
            let kinds =
                value(&arguments, "--kinds").unwrap_or("websocket,tls,upgraded,polling,sse,guide");
            let (rounds, watch) = (number("--rounds", ROUNDS), number("--watch", 0));
            for clients in value(&arguments, "--clients")
                .unwrap_or("2000,10000")
                .split(',')
            {
                let clients = clients.parse().expect("a number of clients");
                compare(clients, kinds, rounds, watch);
            }
        }
    }
}

fn value<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    let mut arguments = arguments.iter().skip_while(|argument| **argument != name);
    arguments.nth(1).copied()
}

/// One server with its clients.
struct Found {
    /// KiB of resident memory for each client.
    memory: f64,
    connected: Connected,
    watched: Option<Watched>,
}

/// Measures each kind of client; WebSockets with both servers in turns.
fn compare(clients: usize, kinds: &str, rounds: usize, watch: usize) {
    println!("\n## {clients} idle clients, median of {rounds} rounds\n");
    println!("| client | server | KiB each | connects/s | p50, ms | p99, ms |");
    println!("|---|---|--:|--:|--:|--:|");
    let mut watched = Vec::new();
    for kind in kinds.split(',') {
        let (mut stoa, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let watch = if kind == "websocket" { watch } else { 0 };
            stoa.push(measure("stoa", kind, clients, watch));
            if kind == "websocket" {
                plain.push(measure("plain", kind, clients, 0));
            }
        }
        row(kind, "Stoa", &stoa);
        if !plain.is_empty() {
            row(kind, "plain socketioxide", &plain);
            println!(
                "| {kind} | Stoa / plain | {:.2} | {:.2} | | |",
                median(stoa.iter().map(|f| f.memory)) / median(plain.iter().map(|f| f.memory)),
                median(stoa.iter().map(rate)) / median(plain.iter().map(rate))
            );
        }
        watched.extend(stoa.into_iter().filter_map(|found| found.watched));
    }
    for watched in watched {
        println!("\n{watched}");
    }
}

fn row(kind: &str, server: &str, found: &[Found]) {
    println!(
        "| {kind} | {server} | {:.1} | {:.0} | {:.1} | {:.1} |",
        median(found.iter().map(|f| f.memory)),
        median(found.iter().map(rate)),
        median(found.iter().map(|f| f.connected.p50)),
        median(found.iter().map(|f| f.connected.p99)),
    );
}

fn rate(found: &Found) -> f64 {
    found.connected.clients as f64 / found.connected.seconds
}

fn measure(server: &str, kind: &str, clients: usize, watch: usize) -> Found {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path");
    let descriptors = clients + FIRST;
    let mut serving = match kind {
        "tls" => start(&["serve", "encrypted", path], "0", descriptors),
        _ => start(&["serve", server], "0", descriptors),
    };
    let asked = Asked {
        address: serving.line().parse().expect("an address"),
        kind: kind.to_owned(),
        greets: server == "stoa",
        certificate: servers::certificate(path),
        first: FIRST,
        clients,
        watch,
    };
    let asked = serde_json::to_string(&asked).expect("JSON");
    let mut loading = start(&["load", &asked], "1", descriptors);
    loading.line();
    let before = resident(serving.id());
    loading.go();
    let connected = serde_json::from_str(&loading.line()).expect("what connecting took");
    let memory = (resident(serving.id()) - before) / clients as f64;
    loading.go();
    let watched = serde_json::from_str(&loading.line()).expect("what was watched");
    Found {
        memory,
        connected,
        watched,
    }
}
