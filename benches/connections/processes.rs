//! The children of this benchmark: with enough descriptors, and their memory.

use std::time::Duration;

use kit::{
    child::{Child, can_pin, this_program},
    process::memory,
};

/// Descriptors that a process needs beside those of its connections.
const SPARE: usize = 100;

/// Starts this program with these arguments on a core, for so many connections.
pub(crate) fn start(arguments: &[&str], core: &str, connections: usize) -> Child {
    let files = raised(connections + SPARE);
    let core = can_pin().then_some(core);
    Child::limited(&this_program(), arguments, core, files)
}

/// The limit of descriptors to give a child; none where it has enough as it is.
fn raised(needed: usize) -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    let (soft, hard): (usize, usize) = (numbers.next()?, numbers.next()?);
    assert!(
        needed <= hard,
        "{needed} descriptors are needed and {hard} are allowed: raise the hard limit (ulimit -Hn) or lower --clients"
    );
    (needed > soft).then_some(hard)
}

/// The resident memory of a process in KiB, once it has stopped to change.
pub(crate) fn resident(process: u32) -> f64 {
    let mut before = f64::NAN;
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = memory(process, "VmRSS").expect("it lives") as f64;
        if (now - before).abs() < 64.0 {
            return now;
        }
        before = now;
    }
}
