//! Log lines that are written once a minute for each name.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::observe::quoted;

/// The time for which a name is not logged again.
const QUIET: Duration = Duration::from_secs(60);
/// Names that are remembered; clients choose them.
const MAX_NAMES: usize = 256;
/// Characters of a name that are logged.
const MAX_SHOWN: usize = 64;

/// The names of the last minute, with how often each came since it was last logged.
#[derive(Debug, Default)]
pub(crate) struct OncePerMinute(Mutex<HashMap<String, (Instant, u64)>>);

impl OncePerMinute {
    /// Counts a name. Returns how often it came since it was last logged, if it is to be logged now.
    pub(crate) fn due(&self, kind: &str, name: &str) -> Option<u64> {
        let now = Instant::now();
        let name: String = name.chars().take(MAX_SHOWN).collect();
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{kind} {name}");
        if let Some((since, count)) = names.get_mut(&key) {
            *count += 1;
            if now.duration_since(*since) < QUIET {
                return None;
            }
            *since = now;
            return Some(std::mem::take(count));
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, (since, _)| now.duration_since(*since) < QUIET);
        }
        // Beyond the bound names go unlogged; the counters count them all the same.
        if names.len() >= MAX_NAMES {
            return None;
        }
        names.insert(key, (now, 0));
        Some(1)
    }
}

/// A name as it is logged.
pub(crate) fn shown(name: &str) -> String {
    let name: String = name.chars().take(MAX_SHOWN).collect();
    quoted(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_one_short_line() {
        let name = format!("a\nb\u{1b}[31m\u{202e}ü{}", "x".repeat(100));
        let line = shown(&name);
        assert!(line.starts_with(r"a\nb\u{1b}[31m\u{202e}üx"), "{line}");
        assert_eq!(line.matches('x').count(), MAX_SHOWN - 10);
        let reason = quoted(&"ü".repeat(1_000_000));
        assert_eq!(reason, format!("{}…", "ü".repeat(300)));
    }

    #[test]
    fn a_name_is_logged_once_and_names_are_bounded() {
        let told = OncePerMinute::default();
        assert_eq!(told.due("unhandled", "typing"), Some(1));
        assert_eq!(told.due("unhandled", "typing"), None);
        assert_eq!(told.due("timeout", "typing"), Some(1));
        let logged = (0..1_000).filter(|n| told.due("unhandled", &n.to_string()).is_some());
        assert_eq!(logged.count(), MAX_NAMES - 2);
    }
}
