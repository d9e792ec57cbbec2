//! Figures of `/metrics`.

use std::{net::SocketAddr, path::Path};

use stoa::server::Running;

use crate::process::text;

/// The sum of the values whose lines begin like that, with a whole name and perhaps some of its labels; 0 when there is none.
///
/// # Panics
/// There are no figures of this name: what is asked of them would hold whatever happens.
pub fn sum(metrics: &str, start: &str) -> u64 {
    let name = start.split('{').next().unwrap_or_default();
    assert!(exists(metrics, name), "there is no {name}");
    let goes_on = |rest: &&str| start.contains('{') || rest.starts_with([' ', '{']);
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(start));
    let values = lines
        .filter(goes_on)
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

/// Whether there are figures of this name, or may be: a family without any isn't told.
fn exists(metrics: &str, name: &str) -> bool {
    // One text form names a counter without its ending.
    let short = name.strip_suffix("_total").unwrap_or(name);
    let mut types = metrics.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    let is_told = types.any(|rest| {
        rest.split(' ')
            .next()
            .is_some_and(|n| n == name || n == short)
    });
    let registered = format!("\"{}\"", short.trim_start_matches("stoa_"));
    is_told
        || is_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src"),
            &registered,
        )
}

/// Whether the text of a file in this folder has this in it.
fn is_in(folder: &Path, words: &str) -> bool {
    let mut paths = std::fs::read_dir(folder).expect("a folder").flatten();
    paths.any(|entry| match entry.path() {
        path if path.is_dir() => is_in(&path, words),
        path => std::fs::read_to_string(path).is_ok_and(|text| text.contains(words)),
    })
}

/// The sum of a server's values whose lines begin like that; 0 when there is none.
pub async fn counted(address: SocketAddr, start: &str) -> u64 {
    sum(&metrics(address).await, start)
}

/// The same of a server in this process.
pub fn counted_in(server: &Running, start: &str) -> u64 {
    sum(&server.metrics().text(), start)
}

/// All figures of a server.
pub async fn metrics(address: SocketAddr) -> String {
    text(address, "/metrics").await.expect("metrics")
}

/// The number of refusals by a door for a reason.
pub async fn refused(address: SocketAddr, door: &str, code: &str) -> u64 {
    let start = format!("stoa_requests_refused_total{{door=\"{door}\",code=\"{code}\"}}");
    counted(address, &start).await
}
