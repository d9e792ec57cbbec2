//! The bounds of every run, and the open files that it needs.

use super::target::Target;

/// The longest run and the longest warm-up, in seconds.
pub(super) const MAX_SECONDS: u64 = 3_600;
/// The most clients.
pub(super) const MAX_CLIENTS: u64 = 200_000;
/// The most updates of a closed loop that are on their way.
pub(super) const MAX_IN_FLIGHT: u64 = 4_096;
/// The most updates or events a second.
pub(super) const MAX_RATE: f64 = 1_000_000.0;
/// The largest update.
pub(super) const MAX_SIZE: u64 = 8 * 1024 * 1024;
/// The most connections that are being opened at a time.
pub(super) const MAX_CONCURRENCY: u64 = 10_000;
/// The most threads.
pub(super) const MAX_THREADS: u64 = 64;
/// Connections from one address of this machine: below the ports that systems give out by themselves (28,232 on Linux).
pub(super) const PER_ADDRESS: usize = 20_000;
/// Open files beside the connections.
const OTHER_FILES: u64 = 64;

/// Refuses a run against somebody else's server, and one that this machine can't do.
///
/// # Errors
/// In words.
pub(super) fn check(target: &Target, clients: usize, is_mine: bool) -> Result<(), String> {
    if !target.is_loopback() && !is_mine {
        return Err(format!(
            "{} is not this machine, and a load like this one would be an attack on a server of somebody else: add \
             --yes-this-server-is-mine if it is yours",
            target.shown()
        ));
    }
    if clients > PER_ADDRESS && !target.has_many_sources() {
        return Err(format!(
            "--observers {clients}: there are ports for {PER_ADDRESS} connections from one address; more go to 127.0.0.1 \
             only, where each {PER_ADDRESS} come from an address of their own"
        ));
    }
    let files = clients as u64 * target.files_per_client() + OTHER_FILES;
    if let Some(allowed) = open_files(files).filter(|allowed| *allowed < files) {
        return Err(format!(
            "--observers {clients} needs {files} open files, and this process may have {allowed}: raise the limit with \
             `ulimit -n {files}`, as root if it is the hard limit"
        ));
    }
    Ok(())
}

/// The open files that this process may have, raised as far as it may raise them itself; `None` if there is no limit.
#[cfg(unix)]
fn open_files(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    if current >= wanted {
        return Some(current);
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).ok();
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn open_files(_wanted: u64) -> Option<u64> {
    None
}
