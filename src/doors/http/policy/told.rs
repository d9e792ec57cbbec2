//! The log's lines about names that were refused: of pages, and of the server itself. Whoever opens such a page sees an error
//! of the browser that says little; whoever runs the server reads here what to add where.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, header::ORIGIN};

/// Names that are told before there is a pause: a client can make one up for each request.
const MOST: usize = 64;
/// The length of the pause.
const PAUSE: Duration = Duration::from_secs(3_600);
/// Characters of an origin that a line repeats.
const SHOWN: usize = 80;

/// Tells each name once.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Names>);

/// The names that were told.
#[derive(Debug, Default)]
struct Names {
    told: HashSet<String>,
    /// The moment at which there were as many names as are told.
    full: Option<Instant>,
}

/// Whether a name is to be told.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It is new.
    Now,
    /// The same, and no other is told for a while.
    Last,
    /// It was told, or too many others were.
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
    /// Tells of a page that was refused, if it said its origin: of what else a page embeds nothing can be let in.
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

    /// Tells of a host that the server does not answer to.
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
        // Nobody keeps the others from ever being told.
        assert_eq!(names.turn("c", start + PAUSE), Turn::Now);
        assert_eq!(names.told.len(), 1);
    }
}
