//! The table of sessions, bounded in bytes and in time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{Notify, watch};

use super::{ClaimLimits, Pid, RecoveryMetrics, Session, claims::Claims, pid::Key};
use crate::journal::Journal;

/// The bounds of the table.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// The time for which a lost connection's session is held.
    pub max_age: Duration,
    /// Bytes of all sessions.
    pub max_bytes: usize,
    /// Bytes of the sessions of one identity, or of one address without one.
    pub max_holder: usize,
    /// Bytes of one.
    pub max_session: usize,
}

/// The sessions that clients can come back to.
#[derive(Debug)]
pub struct Sessions {
    limits: SessionLimits,
    inner: Mutex<Inner>,
    metrics: RecoveryMetrics,
    /// Wakes the keeper: a session is to be kept, or let go of.
    pub(super) changed: Notify,
    /// The number of the last change that is kept.
    pub(super) kept: watch::Sender<u64>,
    /// The way to sessions that other nodes hold, where there are any.
    claims: OnceLock<Claims>,
}

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<Key, (Arc<Session>, usize)>,
    /// The sessions of lost connections, by the time of their ends.
    ends: BTreeSet<(u64, Key)>,
    bytes: usize,
    holders: HashMap<Arc<str>, Holder>,
    /// Sessions that the file has otherwise.
    dirty: BTreeSet<Key>,
    /// The number of the last change of these.
    changes: u64,
}

/// The sessions of one identity or address.
#[derive(Debug, Default)]
struct Holder {
    bytes: usize,
    /// The sessions of lost connections, by the time of their ends.
    ends: BTreeSet<(u64, Key)>,
}

/// A change that the file is to take: the name of a session and its text, or none if it is let go of.
pub(super) type Change = (String, Option<String>);

impl Sessions {
    /// An empty table.
    pub fn new(limits: SessionLimits, metrics: RecoveryMetrics) -> Arc<Self> {
        Arc::new(Self {
            limits,
            inner: Mutex::default(),
            metrics,
            changed: Notify::new(),
            kept: watch::Sender::new(0),
            claims: OnceLock::new(),
        })
    }

    /// The counters.
    pub fn metrics(&self) -> &RecoveryMetrics {
        &self.metrics
    }

    /// Holds a session, in place of the one before. What is over goes, and if there is no room, those that ended first: of
    /// the same holder if that has its share, else of all.
    pub fn put(&self, pid: Pid, session: Session) {
        self.hold(pid.key(), session);
    }

    fn hold(&self, key: Key, session: Session) {
        let mut inner = self.lock();
        inner.remove(key);
        self.sweep(&mut inner);
        let held = session.held();
        if held > self.limits.max_session {
            self.metrics.dropped("too_long");
            return self.changed(&inner);
        }
        let holder = session.holder();
        loop {
            let own = inner.holders.get(&holder);
            let (ends, reason) = match own {
                Some(own) if own.bytes + held > self.limits.max_holder => (&own.ends, "share"),
                _ if inner.bytes + held > self.limits.max_bytes => (&inner.ends, "full"),
                _ => break,
            };
            let oldest = ends.first().copied();
            self.metrics.dropped(reason);
            let Some((_, oldest)) = oldest else {
                return self.changed(&inner);
            };
            inner.remove(oldest);
        }
        inner.insert(key, session, held);
        self.changed(&inner);
    }

    /// A session as it was left, and whether its time is over.
    pub fn get(&self, pid: Pid) -> Option<(Arc<Session>, bool)> {
        let inner = self.lock();
        let (session, _) = inner.by_key.get(&pid.key())?;
        let is_over = session.is_over(self.max_age(), now());
        Some((session.clone(), is_over))
    }

    /// Other nodes hold sessions as well, from now on.
    pub(super) fn share(&self, journal: Arc<dyn Journal>, limits: ClaimLimits) {
        self.claims.get_or_init(|| Claims::new(journal, limits));
    }

    /// Takes a session over that another node holds, if its client was there last: it stands in place of what is held here.
    pub async fn claim(&self, pid: Pid) {
        let Some(claims) = self.claims.get() else {
            return;
        };
        let key = pid.key();
        if let Some(text) = claims.claim(key, &self.metrics).await {
            self.fill(vec![(key.text(), text)]);
        }
    }

    /// Lets go of sessions that other nodes have claimed: these keep them from now on.
    pub(super) fn lose(&self, names: &[String]) {
        let mut inner = self.lock();
        for key in names.iter().filter_map(|name| Key::read(name)) {
            inner.remove(key);
            inner.dirty.remove(&key);
        }
        self.changed(&inner);
    }

    /// Has the sessions of live clients written again.
    pub(super) fn note_living(&self) {
        let mut inner = self.lock();
        let living = inner.by_key.iter();
        let living = living.filter(|(_, (session, _))| session.is_kept && session.ended.is_none());
        let living: Vec<Key> = living.map(|(key, _)| *key).collect();
        inner.changes += living.len() as u64;
        inner.dirty.extend(living);
        self.changed(&inner);
    }

    /// Takes a session out: it is recovered once.
    pub fn take(&self, pid: Pid) -> Option<Arc<Session>> {
        let mut inner = self.lock();
        let taken = inner.remove(pid.key());
        self.changed(&inner);
        taken
    }

    /// Waits until the file has all that was put before.
    pub async fn kept(&self) {
        let number = self.lock().changes;
        let mut kept = self.kept.subscribe();
        // The sender lives as long as this table.
        kept.wait_for(|kept| *kept >= number).await.ok();
    }

    /// Changes that the file is to take, of about so many bytes, and the number of the last one.
    pub(super) fn take_changes(&self, max: usize) -> (Vec<Change>, Option<u64>) {
        let mut inner = self.lock();
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while bytes < max
            && let Some(key) = inner.dirty.pop_first()
        {
            let session = inner.by_key.get(&key);
            let text = session.map(|(session, _)| serde_json::to_string(&**session));
            let text = text.and_then(Result::ok);
            bytes += text.as_ref().map_or(0, String::len) + key.text().len();
            changes.push((key.text(), text));
        }
        let is_all = inner.dirty.is_empty();
        (changes, is_all.then_some(inner.changes))
    }

    /// Takes the sessions of a file in. Those of connections that lived are lost now.
    pub(super) fn fill(&self, kept: Vec<(String, String)>) {
        let now = now();
        for (name, text) in kept {
            let Some(key) = Key::read(&name) else {
                continue;
            };
            match serde_json::from_str::<Session>(&text) {
                Ok(mut session) => {
                    session.is_kept = true;
                    session.ended.get_or_insert(now);
                    self.hold(key, session);
                }
                // Another version wrote it, so it can't be recovered.
                Err(_) => self.let_go(key),
            }
        }
    }

    fn let_go(&self, key: Key) {
        let mut inner = self.lock();
        inner.dirty.insert(key);
        inner.changes += 1;
        self.changed(&inner);
    }

    /// Lets go of sessions whose time is over. They are remembered as long again, so that a client that comes late is told why.
    fn sweep(&self, inner: &mut Inner) {
        let (max_age, now) = (self.max_age(), now());
        while let Some(&(ended, key)) = inner.ends.first()
            && now.saturating_sub(ended) > max_age.saturating_mul(2)
        {
            inner.remove(key);
        }
    }

    /// Tells the keeper of changes, and the gauges.
    fn changed(&self, inner: &Inner) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.sessions.set(gauge(inner.by_key.len()));
        self.metrics.bytes.set(gauge(inner.bytes));
        if !inner.dirty.is_empty() {
            self.changed.notify_one();
        }
    }

    fn max_age(&self) -> u64 {
        u64::try_from(self.limits.max_age.as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn insert(&mut self, key: Key, session: Session, held: usize) {
        let holder = self.holders.entry(session.holder()).or_default();
        holder.bytes += held;
        if let Some(ended) = session.ended {
            self.ends.insert((ended, key));
            holder.ends.insert((ended, key));
        }
        self.note(key, &session);
        self.bytes += held;
        self.by_key.insert(key, (session.into(), held));
    }

    fn remove(&mut self, key: Key) -> Option<Arc<Session>> {
        let (session, held) = self.by_key.remove(&key)?;
        self.bytes -= held;
        if let Some(ended) = session.ended {
            self.ends.remove(&(ended, key));
        }
        let name = session.holder();
        if let Some(holder) = self.holders.get_mut(&name) {
            holder.bytes -= held;
            if let Some(ended) = session.ended {
                holder.ends.remove(&(ended, key));
            }
            if holder.bytes == 0 {
                self.holders.remove(&name);
            }
        }
        self.note(key, &session);
        Some(session)
    }

    fn note(&mut self, key: Key, session: &Session) {
        if session.is_kept {
            self.dirty.insert(key);
            self.changes += 1;
        }
    }
}

/// The time in milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests;
