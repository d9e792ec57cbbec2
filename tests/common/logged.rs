//! The real binary as a child process whose log is kept.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::PATIENCE;

/// A server process; it ends with this value.
pub struct Logged {
    pub child: Child,
    pub address: SocketAddr,
    log: PathBuf,
}

/// The command that starts a server on this journal.
pub fn stoa(journal: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
    command
        .args(["serve", "--port", "0"])
        .env("STOA_LOG__FORMAT", "json")
        .env("STOA_JOURNAL__PATH", journal);
    command
}

impl Logged {
    /// Starts it, and waits until it listens. Its log goes to this file.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log");
        let stderr = file.try_clone().expect("a log");
        command.stdout(file).stderr(stderr).stdin(Stdio::null());
        let mut child = command.spawn().expect("starts");
        let started = Instant::now();
        let address = loop {
            let text = std::fs::read_to_string(log).expect("a log");
            let found = text.lines().find_map(|line| {
                let (_, rest) = line.split_once("\"address\":\"")?;
                rest.split_once('"')?.0.parse().ok()
            });
            if let Some(address) = found {
                break address;
            }
            let ended = child.try_wait().expect("waits");
            assert!(
                ended.is_none() && started.elapsed() < PATIENCE,
                "{ended:?} {text}"
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        Self {
            child,
            address,
            log: log.to_owned(),
        }
    }

    /// The lines of its log with these words.
    pub fn lines(&self, words: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).expect("a log");
        let lines = text.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let mut kill = Command::new("kill");
        kill.args([&format!("-{name}"), &id]).stderr(Stdio::null());
        kill.status().expect("kill");
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it goes on running");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
