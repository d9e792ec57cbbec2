//! The sessions that tell of themselves by hooks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    journal::FlowId,
    observe::WatchedMetrics,
    translate::{
        Words,
        claude::{Hook, Session},
    },
};

/// The sessions of a producer, by their ids, with the time of their last hook.
type Known = HashMap<(FlowId, String), (Arc<Remembered>, Instant)>;

/// Hooks that are taken at a time.
const AT_A_TIME: usize = 256;

/// The settings of the door.
#[derive(Debug, Clone, Copy)]
pub struct HooksOptions {
    /// The time after which a hook is answered whatever happens.
    pub answer_within: Duration,
    /// Sessions that are remembered.
    pub max_sessions: usize,
    /// The texts that are taken over.
    pub words: Words,
}

/// The sessions that tell of themselves.
#[derive(Debug)]
pub struct Hooks {
    pub(super) options: HooksOptions,
    pub(super) metrics: WatchedMetrics,
    /// A permit for each hook that is taken.
    pub(super) places: Arc<Semaphore>,
    sessions: Mutex<Known>,
}

/// A session, and the turn of its hooks.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) turn: Semaphore,
    pub(super) session: Mutex<Session>,
}

impl Hooks {
    /// No sessions yet.
    pub fn new(options: HooksOptions, metrics: WatchedMetrics) -> Arc<Self> {
        Arc::new(Self {
            options,
            metrics,
            places: Arc::new(Semaphore::new(AT_A_TIME)),
            sessions: Mutex::default(),
        })
    }

    /// The session of a hook. Of too many, the one that was silent for longest is forgotten.
    pub(super) fn session(
        &self,
        flow: FlowId,
        hook: &Hook,
        project: Option<&str>,
    ) -> Arc<Remembered> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (flow, hook.session().to_owned());
        let is_new = !sessions.contains_key(&key);
        if is_new && sessions.len() >= self.options.max_sessions {
            let silent = sessions.iter().min_by_key(|(_, (_, used))| *used);
            let silent = silent.map(|(key, _)| key.clone());
            silent.and_then(|key| sessions.remove(&key));
        }
        let (own, used) = sessions.entry(key).or_insert_with(|| {
            let session = Session::new(hook, project, self.options.words);
            let own = Remembered {
                turn: Semaphore::new(1),
                session: Mutex::new(session),
            };
            (Arc::new(own), Instant::now())
        });
        *used = Instant::now();
        own.clone()
    }
}
