//! The processor time and the memory of a process and its children, as Linux counts them.

use std::{collections::HashMap, fs};

/// The ticks of a second in `/proc`: the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The use of a process and all its descendants.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    pub(super) rss_bytes: u64,
}

/// The use of a process and its descendants; `None` if there is no such process, or no way to know.
pub(super) fn usage(pid: u32) -> Option<Usage> {
    let mut family = vec![stat(pid)?];
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let found = name
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(stat);
        if let Some(found) = found {
            children.entry(found.parent).or_default().push(found);
        }
    }
    let mut usage = Usage::default();
    while let Some(member) = family.pop() {
        usage.cpu_seconds += member.cpu_seconds;
        usage.rss_bytes += rss(member.pid);
        family.extend(children.remove(&member.pid).unwrap_or_default());
    }
    Some(usage)
}

/// The processor time of this process, where it can be known.
pub(super) fn own_cpu_seconds() -> Option<f64> {
    stat(std::process::id()).map(|stat| stat.cpu_seconds)
}

struct Stat {
    pid: u32,
    parent: u32,
    cpu_seconds: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; the fields after it begin with the state.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        cpu_seconds: (number(11)? + number(12)?) as f64 / TICKS_PER_SECOND,
    })
}

fn rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_counted_with_its_children() {
        let alone = usage(std::process::id()).expect("this process");
        assert!(alone.rss_bytes > 100_000);
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("a child");
        let both = usage(std::process::id()).expect("this process").rss_bytes;
        let own = rss(std::process::id());
        child.kill().expect("ends");
        child.wait().expect("ends");
        assert!(both > own, "{both} of both, {own} of one");
        assert!(usage(u32::MAX).is_none());
    }
}
