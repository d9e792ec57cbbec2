//! `stoa bench` with the real binary: against a real server, and against servers that lose, double, reorder or stall.

mod fake;
mod fanout;
mod others;
mod refusals;
mod returning;

use std::{net::SocketAddr, process::Stdio};

use serde_json::Value;

/// The outcome of a run.
struct Outcome {
    code: i32,
    /// The JSON on stdout.
    report: Value,
    stderr: String,
}

impl Outcome {
    fn number(&self, pointer: &str) -> f64 {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("{pointer} in {}", self.report))
    }

    /// Fails unless all went well.
    fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stderr, self.report);
        assert_eq!(self.report["ok"], true, "{}", self.report);
        for key in ["lost", "doubled", "out_of_order", "disconnected"] {
            assert_eq!(self.report[key], 0, "{key}: {}", self.report);
        }
        self
    }
}

/// Runs the command with these words, and `--json`.
async fn bench(scenario: &str, server: SocketAddr, words: &[&str]) -> Outcome {
    bench_at(scenario, &format!("http://{server}"), words).await
}

/// The same for a server at this address.
async fn bench_at(scenario: &str, url: &str, words: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = tokio::process::Command::new(kit::process::binary());
    command
        .args(["bench", scenario, url, "--json"])
        .args(words)
        .env_remove("STOA_TOKEN")
        .env_remove("STOA_PRODUCER_TOKEN")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(kit::PATIENCE * 2, command.output())
        .await
        .expect("it ends")
        .expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = match output.stdout.as_slice() {
        [] => Value::Null,
        text => serde_json::from_slice(text).expect("one JSON object"),
    };
    Outcome {
        code: output.status.code().expect("it ended by itself"),
        report,
        stderr,
    }
}
