//! The sessions that tell of themselves by hooks.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    access::Identity,
    journal::FlowId,
    observe::WatchedMetrics,
    translate::{
        Told, Words,
        claude::{Hook, Session},
    },
};

/// The sessions of a producer, by their ids, with the time of their last hook.
type Known = HashMap<(FlowId, String), (Arc<Remembered>, Instant)>;

/// Hooks that are taken at a time.
pub(super) const AT_A_TIME: usize = 256;

/// A sender of hooks, and its address.
pub(super) type Sender = (Identity, IpAddr);

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
    /// The sender of its last hook.
    sender: Mutex<Sender>,
}

impl Remembered {
    /// The events by which a session that is forgotten ends, and in whose name.
    pub(super) fn leave(&self) -> (Vec<Told>, Sender) {
        let told = self
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .leave();
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        (told, sender.clone())
    }

    fn is_open(&self) -> bool {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.is_open()
    }
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

    /// The session of a hook. Of too many, one that is over is forgotten, or else the one that was silent for longest: that
    /// one has still to end.
    pub(super) fn session(
        &self,
        flow: FlowId,
        hook: &Hook,
        project: Option<&str>,
        sender: &Sender,
    ) -> (Arc<Remembered>, Option<Arc<Remembered>>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (flow, hook.session().to_owned());
        let is_new = !sessions.contains_key(&key);
        let mut gone = None;
        if is_new && sessions.len() >= self.options.max_sessions {
            let silent = sessions
                .iter()
                .min_by_key(|(_, (own, used))| (own.is_open(), *used));
            let silent = silent.map(|(key, _)| key.clone());
            gone = silent.and_then(|key| sessions.remove(&key));
        }
        let gone = gone.map(|(gone, _)| gone).filter(|gone| gone.is_open());
        if gone.is_some() {
            self.metrics.session_forgotten();
        }
        let (own, used) = sessions.entry(key).or_insert_with(|| {
            let session = Session::new(hook, project, self.options.words);
            let own = Remembered {
                turn: Semaphore::new(1),
                session: Mutex::new(session),
                sender: Mutex::new(sender.clone()),
            };
            (Arc::new(own), Instant::now())
        });
        *used = Instant::now();
        *own.sender.lock().unwrap_or_else(PoisonError::into_inner) = sender.clone();
        (own.clone(), gone)
    }
}
