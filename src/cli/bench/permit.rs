//! The permission of a run: whose server it loads, and whether this machine can do it.

use super::{limits::PER_ADDRESS, target::Target};

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
