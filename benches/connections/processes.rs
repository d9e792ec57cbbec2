//! The children: servers and loads, each on a core of its own, with enough descriptors.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

/// Descriptors that a process needs beside those of its connections.
const SPARE: usize = 100;

/// A child process, gone with this value.
pub(crate) struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program with these arguments on a core, for so many connections.
    pub(crate) fn start(arguments: &[&str], core: &str, connections: usize) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut words = Vec::new();
        if *PINNED {
            words.extend(["taskset".into(), "-c".into(), core.into()]);
        }
        if let Some(descriptors) = raised(connections + SPARE) {
            words.extend(["prlimit".into(), format!("--nofile={descriptors}").into()]);
        }
        words.push(this.into_os_string());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let out = BufReader::new(child.stdout.take().expect("its stdout"));
        Self { child, out }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the child ended; its stderr says why");
        line.trim().to_owned()
    }

    /// Lets the child go on.
    pub(crate) fn go(&mut self) {
        let input = self.child.stdin.as_mut().expect("its stdin");
        input.write_all(b"\n").expect("it reads");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether children are pinned.
static PINNED: LazyLock<bool> = LazyLock::new(|| {
    let check = Command::new("taskset")
        .args(["-c", "0,1", "true"])
        .stderr(Stdio::null())
        .status();
    std::thread::available_parallelism().is_ok_and(|n| n.get() > 1)
        && check.is_ok_and(|status| status.success())
});

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
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.split_whitespace().next());
        let now: f64 = kib.expect("its memory").parse().expect("a number");
        if (now - before).abs() < 64.0 {
            return now;
        }
        before = now;
    }
}
