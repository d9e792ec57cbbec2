//! Streams that go on in a further body: remembered for a while, and bounded in number and in bytes.
//!
//! A body begins with the state in which the last one of its thread ended. A body that broke off, or was refused in the middle,
//! may be sent again whole, or go on where it ended: its first message tells which, so both states are remembered.

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
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The state in which the last body that was answered ended.
    pub(super) state: Option<Translator>,
    /// The body since then that was not answered.
    pub(super) broken: Option<Broken>,
}

/// A body that broke off.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    /// A hash of its first message.
    pub(super) first: u64,
    /// The state in which it ended.
    pub(super) state: Translator,
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
        kept.is_some_and(|kept| {
            let broken = kept.broken.as_ref().map(|broken| &broken.state);
            let mut states = kept.state.iter().chain(broken);
            states.any(Translator::is_open)
        })
    }

    /// The thread as it was left.
    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        let mut table = self.table();
        self.expire(&mut table, key);
        table.entries.get(key).map(|entry| entry.kept.clone())
    }

    /// Remembers a thread as it is now.
    pub(super) fn put(&self, key: Key, kept: Kept) {
        let mut table = self.table();
        table.remove(&key);
        let states = kept
            .state
            .iter()
            .chain(kept.broken.as_ref().map(|broken| &broken.state));
        let held = states.map(Translator::held).sum::<usize>() + size_of::<(Key, Entry)>();
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
            broken: None,
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
}
