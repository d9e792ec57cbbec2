//! A thousand observers of one real server watch Marcus at work for a minute: nothing may be lost, doubled or out of
//! order for any of them, and the updates must come within their budgets.
//!
//! `cargo bench --bench observers -- --observers 1000 --seconds 60`; `STOA_BIN` names another server than the one built
//! here. Ends with code 1 when an event is not accounted for.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use kit::{
    account::{self, Account, BUDGETS},
    replay, script,
};

/// The built server, on a free port; gone with this value.
struct Server {
    process: Child,
    address: SocketAddr,
    /// Goes with the server, and its journal with it.
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_stoa"));
        let binary = std::env::var_os("STOA_BIN").map_or(built, PathBuf::from);
        let binary = binary.canonicalize().expect("the server's binary is there");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let process = Command::new(binary)
            .args([
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                &address.port().to_string(),
            ])
            // Elsewhere than here: a config.toml that lies here is not what is measured.
            .current_dir(folder.path())
            .env("STOA_LOG__LEVEL", "warn")
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let server = Self {
            process,
            address,
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the server doesn't listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Seconds of processor time so far, and kibibytes of memory now; where there is no `/proc`, neither.
    fn cost(&self) -> Option<(f64, u64)> {
        let (program, kernel) = kit::process::processor(self.process.id())?;
        let rss = kit::process::memory(self.process.id(), "VmRSS")?;
        Some((program + kernel, rss))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn main() -> ExitCode {
    let (observers, seconds) = (argument("--observers", 1_000), argument("--seconds", 60));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/marcus-events.jsonl");
    let script = script::Script::load(&file);
    let server = Server::start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let length = Duration::from_secs(seconds as u64);
    let run = runtime.block_on(replay::run(server.address, &script, observers, length));
    let cost = server.cost();
    drop(server);
    let account = account::account(&script, &run);

    println!(
        "\n## {observers} observers, {} events in {:.1} s\n",
        script.lines.len(),
        run.took.as_secs_f64()
    );
    let (each, coalesced) = account.each;
    println!(
        "Each observer got {each} updates, which stand for {} with {coalesced} coalesced; {} deliveries in all ({:.0}/s) and {} of aggregates.",
        each + coalesced,
        account.deliveries,
        account.deliveries as f64 / run.took.as_secs_f64(),
        account.aggregates
    );
    if let Some((cpu, rss)) = cost {
        println!(
            "The server took {cpu:.2} s of processor time and {} MiB of memory.",
            rss / 1024
        );
    }
    println!(
        "\nMilliseconds from the publishing call of an update's first event to its receipt:\n"
    );
    println!(
        "| priority | deliveries | p50 | p99 | max | budget (p99) | |\n|---|--:|--:|--:|--:|--:|---|"
    );
    for (priority, budget) in BUDGETS {
        row(&account, priority, budget);
    }
    println!();
    for (of, different) in &account.sequences {
        println!("Different sequences among the {of} observers: {different}");
    }
    if account.faults.is_empty() {
        println!("Every event is accounted for at every observer, once and in order.");
        return ExitCode::SUCCESS;
    }
    println!("\n**Faults:**\n");
    account
        .faults
        .iter()
        .for_each(|fault| println!("- {fault}"));
    ExitCode::FAILURE
}

fn row(account: &Account, priority: &str, budget: u64) {
    let print = |name: &str, all: &[Duration], verdict: &str| {
        let at = |share: f64| ms(all[((all.len() - 1) as f64 * share) as usize]);
        println!(
            "| {name} | {} | {} | {} | {} | {budget} | {verdict} |",
            all.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    };
    let Some(all) = account.latencies.get(priority) else {
        return println!("| {priority} | 0 | | | | {budget} | |");
    };
    let p99 = all[(all.len() - 1) * 99 / 100];
    let within = p99 <= Duration::from_millis(budget);
    print(priority, all, if within { "within" } else { "**over**" });
    if let Some(coalesced) = account.coalesced.get(priority) {
        print("– of those, coalesced (their window counts)", coalesced, "");
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}

fn argument(name: &str, otherwise: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).map_or(otherwise, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} takes a number"))
    })
}
