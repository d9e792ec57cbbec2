//! Nodes as processes of their own, and `stoa bench` as their load.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kit::process::{Process, free_port};
use serde_json::Value;

/// The built server, or that of `STOA_BIN`.
pub fn program() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_stoa"));
    std::env::var_os("STOA_BIN").map_or(built, PathBuf::from)
}

/// A node with these settings, on a core if one is named.
pub async fn node(folder: &Path, settings: &[(&str, &str)], core: Option<&str>) -> Process {
    let port = free_port();
    let mut command = match core.filter(|_| kit::child::can_pin()) {
        Some(core) => {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", core]).arg(program());
            pinned
        }
        None => Command::new(program()),
    };
    command
        .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()])
        // Elsewhere than here: a config.toml that lies here is not what is measured.
        .current_dir(folder)
        .env("STOA_LOG__LEVEL", "error")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Process::ready(&mut command, port).await
}

/// The settings of a node on this engine.
pub fn shared<'a>(url: &'a str, name: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("STOA_JOURNAL__KIND", "redis"),
        ("STOA_JOURNAL__URL", url),
        ("STOA_CLUSTER__NODE_ID", name),
    ]
}

/// The command of a load on a node; its result is one JSON object.
pub fn load(scenario: &str, node: &Process, seconds: u64, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(["bench", scenario, &format!("http://{}", node.address)])
        .args(["--json", "--warmup", "1", "--seconds", &seconds.to_string()])
        .args(["--pid", &node.id().to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// The result of a load, once it has ended.
pub fn result(load: std::process::Child) -> Value {
    let output = load.wait_with_output().expect("it ends");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(result["ok"], true, "{result}");
    result
}
