//! The kit of the tests and the benchmarks: servers, and clients of every kind. All are real, and talk over the wire.

pub mod account;
pub mod appends;
pub mod application;
pub mod bench;
pub mod child;
mod client;
pub mod crowd;
pub mod disk;
pub mod door;
pub mod events;
pub mod guarded;
mod http;
pub mod metrics;
pub mod polling;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod replay;
pub mod script;
mod server;
pub mod socket;
pub mod source;
mod waiting;
pub mod watched;
pub mod wire;

use std::{fs::OpenOptions, io::Write, time::Duration};

pub use client::Client;
pub use http::{get, http_client, post, post_raw, until_folded};
pub use metrics::{counted, counted_in, metrics, refused};
pub use server::{START_SECRET, config, server, server_with};
pub use waiting::{until, wait_for};

/// Nothing in these tests takes this long unless it is broken, on a slow and busy machine too: it is only waited for when
/// something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Says past what the test runner swallows that a test can't run on this machine; where everything must run, it fails. A
/// runner that swallows all names a file for it.
pub fn not_checked(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "not checked: {why}");
    writeln!(std::io::stderr(), "NOT CHECKED: {why}").expect("stderr");
    if let Some(path) = std::env::var_os("NOT_CHECKED") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.expect("a file"), "NOT CHECKED: {why}").expect("written");
    }
}
