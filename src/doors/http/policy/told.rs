//! The log lines about refused names of pages and hosts. The user of such a page sees an error of the browser that says
//! little; the operator reads here which name to add where.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, header::ORIGIN};

/// Names that are logged before there is a pause: a client can make one up for each request.
const MOST: usize = 64;
/// The length of the pause.
const PAUSE: Duration = Duration::from_secs(3_600);
/// Characters of an origin that a line quotes.
const SHOWN: usize = 80;

/// Logs each name once.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Names>);

/// The names that were logged.
#[derive(Debug, Default)]
struct Names {
    told: HashSet<String>,
    /// The time at which the names became as many as are logged.
    full: Option<Instant>,
}

/// Whether a name is to be logged.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// The name is new.
    Now,
    /// The name is new, and no other is logged for a while.
    Last,
    /// The name was logged already, or too many others were.
    Never,
}

impl Names {
    fn turn(&mut self, name: &str, now: Instant) -> Turn {
        if self.told.contains(name) {
            return Turn::Never;
        }
        if let Some(full) = self.full {
            if now.duration_since(full) < PAUSE {
                return Turn::Never;
            }
            *self = Self::default();
        }
        self.told.insert(name.to_owned());
        if self.told.len() < MOST {
            return Turn::Now;
        }
        self.full = Some(now);
        Turn::Last
    }
}

impl Told {
    /// Logs a page that was refused, if it named its origin: without one there is nothing to add to the settings.
    pub(super) fn page(&self, headers: &HeaderMap) {
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let Some(origin) = origin else { return };
        let origin: String = origin.chars().take(SHOWN).collect();
        self.once(&origin, || match origin.as_str() {
            "null" => tracing::warn!(
                "a page without an origin of its own (a file, a sandboxed frame) was refused: serve it over http"
            ),
            _ => tracing::warn!(
                origin,
                "a page of {origin} was refused: add this origin to [server] cors_allowed_origins if it may connect"
            ),
        });
    }

    /// Logs a host that the server doesn't answer to.
    pub(super) fn host(&self, host: &str) {
        self.once(host, || {
            tracing::warn!(
                host,
                "a request to {host} was refused: add the name to [server] hosts if this server is reached by it"
            );
        });
    }

    fn once(&self, name: &str, tell: impl FnOnce()) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = names.turn(name, Instant::now());
        drop(names);
        if turn == Turn::Never {
            return;
        }
        tell();
        if turn == Turn::Last {
            tracing::warn!(
                "so many origins and hosts were refused that others are not told for an hour; stoa_requests_refused_total counts them"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_turn_once_and_made_up_ones_take_no_more_than_their_part() {
        let mut names = Names::default();
        let start = Instant::now();
        assert_eq!(names.turn("a", start), Turn::Now);
        assert_eq!(names.turn("a", start + 2 * PAUSE), Turn::Never);
        for n in 1..MOST - 1 {
            assert_eq!(names.turn(&n.to_string(), start), Turn::Now, "{n}");
        }
        assert_eq!(names.turn("b", start), Turn::Last);
        for n in MOST..10 * MOST {
            assert_eq!(names.turn(&n.to_string(), start), Turn::Never, "{n}");
        }
        assert_eq!(names.told.len(), MOST);
        // A flood of names does not keep later names from being logged.
        assert_eq!(names.turn("c", start + PAUSE), Turn::Now);
        assert_eq!(names.told.len(), 1);
    }
}
