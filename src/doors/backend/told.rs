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

/// The name for all that come beyond the bound.
const OTHERS: &str = "…";

/// The names of the last minute by the kind of what is told, with how often each came since it was last logged. A client that
/// invents names fills the room of one kind.
#[derive(Debug, Default)]
pub(crate) struct OncePerMinute(Mutex<HashMap<&'static str, Names>>);

type Names = HashMap<String, (Instant, u64)>;

impl OncePerMinute {
    /// Counts a name. Returns how often it came since it was last logged, if it is to be logged now. Beyond the bound all
    /// names are as one; the counters count each.
    pub(crate) fn due(&self, kind: &'static str, name: &str) -> Option<u64> {
        let now = Instant::now();
        let mut name: String = name.chars().take(MAX_SHOWN).collect();
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = kinds.entry(kind).or_default();
        if names.len() >= MAX_NAMES && !names.contains_key(&name) {
            names.retain(|_, (since, _)| now.duration_since(*since) < QUIET);
            if names.len() >= MAX_NAMES {
                name = OTHERS.to_owned();
            }
        }
        let Some((since, count)) = names.get_mut(&name) else {
            names.insert(name, (now, 0));
            return Some(1);
        };
        *count += 1;
        if now.duration_since(*since) < QUIET {
            return None;
        }
        *since = now;
        Some(std::mem::take(count))
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
        let others = 1;
        assert_eq!(logged.count(), MAX_NAMES - 1 + others);
        assert_eq!(
            told.due("no_connection", "chat"),
            Some(1),
            "of another kind"
        );
    }
}
