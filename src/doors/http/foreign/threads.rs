//! Streams that go on in a further body: remembered for a while, and bounded in number and in bytes.
//!
//! A body begins with the state in which the last one of its thread ended. A body that broke off, or was refused in the middle,
//! may be sent again whole, or go on where it ended: its number tells which, or its first message, so both states are
//! remembered. One with a number may be sent again after it was answered, too: whoever lost the answer can't know.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    journal::FlowId,
    observe::TranslationMetrics,
    translate::{Language, StreamContext, Translator, TranslatorLimits},
};

/// The bounds on streams.
#[derive(Debug, Clone, Copy)]
pub struct ThreadLimits {
    /// The most threads.
    pub threads: usize,
    /// Bytes of memory that they hold.
    pub bytes: usize,
    /// The time for which a thread is remembered after its last body.
    pub ttl: Duration,
    /// The bounds on each stream.
    pub translator: TranslatorLimits,
}

/// The name of a thread: it is its producer's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    producer: FlowId,
    language: Language,
    /// The project, the agent, the thread and the run that were said.
    said: [Option<Arc<str>>; 4],
}

impl Key {
    pub(super) fn new(producer: FlowId, language: Language, context: &StreamContext) -> Self {
        Self {
            producer,
            language,
            said: [
                context.project.clone(),
                context.agent.clone(),
                context.thread.clone(),
                context.run.clone(),
            ],
        }
    }
}

/// A stream between two bodies.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// The state in which the next body begins; none at the beginning of the stream.
    pub(super) state: Option<Translator>,
    /// The newest body, as far as it may come again.
    pub(super) newest: Option<Newest>,
}

/// The newest body of a stream, which may come again.
#[derive(Debug, Clone)]
pub(super) enum Newest {
    /// The body was answered.
    Answered {
        /// Its number.
        number: u64,
        /// The state in which it began.
        before: Option<Translator>,
    },
    /// The body broke off; the stream's state is that in which it began.
    Broken {
        /// The mark by which it is known.
        mark: Mark,
        /// The state in which it ended.
        state: Translator,
    },
}

/// The mark by which a body is known that is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The number that its sender gave it.
    Number(u64),
    /// A hash of its first message.
    First(u64),
}

impl Mark {
    /// The number, if it is one.
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::First(_) => None,
        }
    }
}

impl Kept {
    /// The number of the newest body, if it has one.
    pub(super) fn number(&self) -> Option<u64> {
        match &self.newest {
            Some(Newest::Answered { number, .. }) => Some(*number),
            Some(Newest::Broken { mark, .. }) => mark.number(),
            None => None,
        }
    }

    /// The state in which the body with this mark begins, and the one in which it goes on with a body that broke off.
    pub(super) fn before(self, mark: Mark) -> (Option<Translator>, Option<Translator>) {
        match self.newest {
            Some(Newest::Answered { number, before }) if mark == Mark::Number(number) => {
                (before, None)
            }
            Some(Newest::Broken { mark: other, state }) if mark != other => {
                (self.state, Some(state))
            }
            _ => (self.state, None),
        }
    }

    /// All states that are remembered.
    fn states(&self) -> impl Iterator<Item = &Translator> {
        let other = match &self.newest {
            Some(Newest::Answered { before, .. }) => before.as_ref(),
            Some(Newest::Broken { state, .. }) => Some(state),
            None => None,
        };
        self.state.iter().chain(other)
    }
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    used: Instant,
    held: usize,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    held: usize,
}

/// Streams that go on in a further body.
#[derive(Debug)]
pub struct Threads {
    limits: ThreadLimits,
    metrics: TranslationMetrics,
    table: Mutex<Table>,
}

impl Threads {
    /// No thread yet.
    pub fn new(limits: ThreadLimits, metrics: TranslationMetrics) -> Arc<Self> {
        Arc::new(Self {
            limits,
            metrics,
            table: Mutex::default(),
        })
    }

    /// The bounds on each stream.
    pub(super) fn limits(&self) -> TranslatorLimits {
        self.limits.translator
    }

    /// Whether a run of this thread goes on.
    pub(super) fn is_open(&self, key: &Key) -> bool {
        let mut table = self.table();
        self.expire(&mut table, key);
        let kept = table.entries.get(key).map(|entry| &entry.kept);
        kept.is_some_and(|kept| kept.states().any(Translator::is_open))
    }

    /// The thread as it was left.
    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        let mut table = self.table();
        self.expire(&mut table, key);
        table.entries.get(key).map(|entry| entry.kept.clone())
    }

    /// Remembers a thread as it is now, unless a later body has come meanwhile.
    pub(super) fn put(&self, key: Key, kept: Kept) {
        let mut table = self.table();
        let known = table
            .entries
            .get(&key)
            .and_then(|known| known.kept.number());
        if kept.number().is_some_and(|number| known > Some(number)) {
            return;
        }
        table.remove(&key);
        let states = kept.states().map(Translator::held);
        let held = states.sum::<usize>() + size_of::<(Key, Entry)>();
        if held <= self.limits.bytes {
            self.make_room(&mut table, held);
            table.held += held;
            let used = Instant::now();
            table.entries.insert(key, Entry { kept, used, held });
        } else {
            self.metrics.forgotten("thread_bytes", 1);
        }
        self.metrics.threads(table.entries.len());
    }

    /// Forgets a thread of which nothing is left to remember.
    pub(super) fn remove(&self, key: &Key) {
        let mut table = self.table();
        table.remove(key);
        self.metrics.threads(table.entries.len());
    }

    /// Forgets a thread that was quiet for too long.
    fn expire(&self, table: &mut Table, key: &Key) {
        let entry = table.entries.get(key);
        if entry.is_some_and(|entry| entry.used.elapsed() > self.limits.ttl) {
            table.remove(key);
            self.metrics.forgotten("thread_ttl", 1);
            self.metrics.threads(table.entries.len());
        }
    }

    /// Forgets threads until there is room for one more of so many bytes.
    fn make_room(&self, table: &mut Table, held: usize) {
        let lacks = |table: &Table| {
            if table.entries.len() >= self.limits.threads {
                Some("threads")
            } else if table.held + held > self.limits.bytes {
                Some("thread_bytes")
            } else {
                None
            }
        };
        while let Some(reason) = lacks(table) {
            let Some(key) = table.least() else { return };
            table.remove(&key);
            self.metrics.forgotten(reason, 1);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.held -= entry.held;
        }
    }

    /// The thread to forget first: of the turn with the most bytes the one that was quiet longest.
    fn least(&self) -> Option<Key> {
        let mut held = HashMap::<u64, usize>::new();
        for (key, entry) in &self.entries {
            *held.entry(key.producer.turn).or_default() += entry.held;
        }
        let (turn, _) = held.into_iter().max_by_key(|(turn, held)| (*held, *turn))?;
        let of_turn = self
            .entries
            .iter()
            .filter(|(key, _)| key.producer.turn == turn);
        let (key, _) = of_turn.min_by_key(|(_, entry)| entry.used)?;
        Some(key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(turn: u64, thread: &str) -> Key {
        Key {
            producer: FlowId { turn, producer: 0 },
            language: Language::AgUi,
            said: [None, None, Some(thread.into()), None],
        }
    }

    fn kept(limits: TranslatorLimits) -> Kept {
        let context = StreamContext::default();
        Kept {
            state: Some(Translator::new(Language::AgUi, context, limits)),
            newest: None,
        }
    }

    #[test]
    fn the_producer_with_the_most_threads_loses_one_first() {
        let translator = TranslatorLimits { open: 4, joined: 4 };
        let limits = ThreadLimits {
            threads: 3,
            bytes: 1 << 20,
            ttl: Duration::from_secs(60),
            translator,
        };
        let threads = Threads::new(limits, TranslationMetrics::default());
        threads.put(key(1, "quiet"), kept(translator));
        for name in ["a", "b", "c", "d"] {
            threads.put(key(2, name), kept(translator));
        }
        assert!(threads.get(&key(1, "quiet")).is_some());
        let left: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .filter(|name| threads.get(&key(2, name)).is_some())
            .collect();
        assert_eq!(left, ["c", "d"]);
        // A thread is remembered once, however often it goes on.
        threads.put(key(2, "d"), kept(translator));
        assert!(threads.get(&key(2, "c")).is_some());
    }

    #[test]
    fn threads_are_bounded_in_bytes_and_in_time() {
        let translator = TranslatorLimits { open: 4, joined: 4 };
        let limits = ThreadLimits {
            threads: 100,
            bytes: 3 * kept(translator).state.map_or(0, |state| state.held()),
            ttl: Duration::ZERO,
            translator,
        };
        let threads = Threads::new(limits, TranslationMetrics::default());
        for name in ["a", "b", "c", "d"] {
            threads.put(key(1, name), kept(translator));
        }
        assert!(threads.table().entries.len() < 3);
        assert!(threads.table().held <= limits.bytes);
        assert!(
            threads.get(&key(1, "d")).is_none(),
            "it was quiet for too long"
        );
        let none = ThreadLimits { bytes: 1, ..limits };
        let threads = Threads::new(none, TranslationMetrics::default());
        threads.put(key(1, "a"), kept(translator));
        assert!(threads.table().entries.is_empty());
    }

    #[test]
    fn the_newest_body_may_come_again_and_an_older_one_changes_nothing() {
        let translator = TranslatorLimits { open: 4, joined: 4 };
        let limits = ThreadLimits {
            threads: 3,
            bytes: 1 << 20,
            ttl: Duration::from_secs(60),
            translator,
        };
        let numbered = |number, is_first: bool| {
            let before = kept(translator).state.filter(|_| !is_first);
            Kept {
                newest: Some(Newest::Answered { number, before }),
                ..kept(translator)
            }
        };
        let begins = |kept: Kept, mark| {
            let (before, went_on) = kept.before(mark);
            (before.is_some(), went_on.is_some())
        };
        let (again, next) = (Mark::Number(4), Mark::Number(5));
        assert_eq!(begins(numbered(4, true), again), (false, false));
        assert_eq!(begins(numbered(4, true), next), (true, false));
        let broken = |mark| Kept {
            state: None,
            newest: kept(translator)
                .state
                .map(|state| Newest::Broken { mark, state }),
        };
        assert_eq!(begins(broken(again), again), (false, false));
        assert_eq!(begins(broken(again), next), (false, true));
        assert_eq!(begins(broken(Mark::First(4)), again), (false, true));
        let threads = Threads::new(limits, TranslationMetrics::default());
        for number in [4, 5, 4] {
            threads.put(key(1, "a"), numbered(number, false));
        }
        assert_eq!(
            threads.get(&key(1, "a")).and_then(|kept| kept.number()),
            Some(5)
        );
    }
}
