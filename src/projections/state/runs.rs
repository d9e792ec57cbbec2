//! The kinds of runs, in keys and by their names.

/// The kinds of runs, as numbers in keys.
pub(super) const AGENT_RUN: u8 = 0;
pub(super) const EXECUTION: u8 = 1;
pub(super) const JOB: u8 = 2;

/// The name of a kind of runs.
pub(super) fn run_kind(kind: u8) -> &'static str {
    match kind {
        EXECUTION => "execution",
        JOB => "job",
        _ => "agent_run",
    }
}

/// The number of a kind of runs.
pub(super) fn run_of(kind: &str) -> u8 {
    match kind {
        "execution" => EXECUTION,
        "job" => JOB,
        _ => AGENT_RUN,
    }
}
