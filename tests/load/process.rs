//! A real server process on a port and a journal of its own, looked at from outside.
#![allow(dead_code, clippy::print_stdout)]

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A server that takes longer than this to start is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server; killed with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start to its first answer to `/readyz` that says so.
    pub(crate) ready_after: Duration,
}

/// A port that is free now, and that nobody gets who asks for any: a server that is started on it later, or once more, still
/// finds it free.
pub(crate) fn free_port() -> u16 {
    /// Below where systems take the ports from that they choose themselves.
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        // Processes that run at the same time begin at different places.
        let next = std::process::id() * 97 % COUNT + TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + next % COUNT).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Process {
    /// Starts `STOA_BIN`, or else `built`, with a journal in that file, and waits until it is ready.
    pub(crate) async fn start(
        built: &str,
        journal: &Path,
        port: u16,
        settings: &[(&str, String)],
    ) -> Self {
        let binary = std::env::var_os("STOA_BIN").map_or_else(|| built.into(), PathBuf::from);
        let binary = binary.canonicalize().expect("the server's binary is there");
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()])
            // Elsewhere than here: a config.toml that lies here is not what is measured.
            .current_dir(journal.parent().expect("the journal is in a folder"))
            .env("STOA_LOG__LEVEL", "error")
            .env("STOA_JOURNAL__PATH", journal)
            .envs(settings.iter().map(|(key, value)| (*key, value)))
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            ready_after: Duration::ZERO,
        };
        while !server.is_ready().await {
            assert!(begun.elapsed() < PATIENCE, "the server isn't ready");
            let ended = server.child.try_wait().expect("its state");
            assert!(ended.is_none(), "the server ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.ready_after = begun.elapsed();
        server
    }

    async fn is_ready(&self) -> bool {
        let answer = self.text("/readyz").await;
        answer.is_some_and(|text| text.contains("\"status\":\"ready\""))
    }

    /// What it answers to a `GET`; none when it doesn't.
    pub(crate) async fn text(&self, path: &str) -> Option<String> {
        text(self.address, path).await
    }

    /// SIGKILL: nothing is tidied up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, and waits for the orderly end.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.is_ok_and(|told| told.success()), "it can be told");
        self.child.wait().expect("it ends");
    }

    /// A line of `/proc/{id}/status` in kibibytes (`VmRSS`, `VmHWM`); none where there is no `/proc`.
    pub(crate) fn memory(&self, line: &str) -> Option<u64> {
        memory(self.child.id(), line)
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A line of a process's status in kibibytes.
pub(crate) fn memory(process: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let found = status.lines().find_map(|l| l.strip_prefix(line))?;
    let number = found.trim_start_matches(':').split_whitespace().next()?;
    number.parse().ok()
}

/// What a server answers to a `GET`, on a connection of its own.
pub(crate) async fn text(address: SocketAddr, path: &str) -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().build().ok()?;
    let answer = client.get(format!("http://{address}{path}")).send();
    answer.await.ok()?.text().await.ok()
}

/// The same as JSON.
pub(crate) async fn json(address: SocketAddr, path: &str) -> Option<Value> {
    serde_json::from_str(&text(address, path).await?).ok()
}

/// The sum of a counter's values whose line begins like that; 0 when there is none.
pub(crate) fn counter(metrics: &str, start: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

/// Prints the first faults, or the sentence that stands for none; the exit code that says the same.
pub(crate) fn verdict(faults: &[String], none: &str) -> ExitCode {
    if faults.is_empty() {
        println!("\n{none}");
        return ExitCode::SUCCESS;
    }
    println!("\n**Faults:**\n");
    for fault in faults.iter().take(20) {
        println!("- {fault}");
    }
    ExitCode::FAILURE
}

/// A number after `name` on the command line.
pub(crate) fn argument(name: &str, otherwise: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).map_or(otherwise, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} takes a number"))
    })
}
