//! Actions that are under way, and those that may perform them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use arc_swap::ArcSwap;

use crate::{
    access::Identity, channel::Namespace, doors::socketio::engine::ExpressLane, error::Error,
};

/// A client as actions know it: its identity, and the way to it.
#[derive(Debug)]
pub(super) struct Performer {
    /// The client's public id.
    pub(super) id: Arc<str>,
    /// Its namespace.
    pub(super) namespace: Namespace,
    /// Its identity; `authenticate` changes it.
    who: ArcSwap<Identity>,
    /// The way to it.
    pub(super) lane: Arc<ExpressLane>,
}

impl Performer {
    pub(super) fn new(
        id: Arc<str>,
        namespace: Namespace,
        who: Identity,
        lane: Arc<ExpressLane>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            namespace,
            who: ArcSwap::from_pointee(who),
            lane,
        })
    }

    /// Its identity now.
    pub(super) fn who(&self) -> Arc<Identity> {
        self.who.load_full()
    }

    /// It is somebody else from now on, or the same for longer.
    pub(super) fn renew(&self, who: Identity) {
        self.who.store(Arc::new(who));
    }
}

/// The actions that each operator has under way, and their bytes: by user, or by client where nobody said who it is.
type Counts = Arc<Mutex<HashMap<Arc<str>, (usize, usize)>>>;

/// All of them. Locks are held for a look, never across an await.
#[derive(Debug)]
pub(super) struct Actions {
    /// Actions and their bytes that one operator may have under way.
    most: (usize, usize),
    /// The count of each operator.
    counts: Counts,
    /// Producers, by public id.
    performers: Mutex<HashMap<Arc<str>, Weak<Performer>>>,
}

/// A place among an operator's actions, until it is dropped.
#[derive(Debug)]
pub(super) struct ActionSlot {
    /// Gets the place back.
    counts: Counts,
    /// The operator's user or client.
    operator: Arc<str>,
    /// The bytes that it holds.
    bytes: usize,
}

impl Actions {
    pub(super) fn new(most: (usize, usize)) -> Self {
        Self {
            most,
            counts: Counts::default(),
            performers: Mutex::default(),
        }
    }

    /// A client came, or is somebody else now.
    pub(super) fn listed(&self, client: &Arc<Performer>) {
        if client.namespace == Namespace::Root && client.who().role.may_publish() {
            let weak = Arc::downgrade(client);
            lock(&self.performers).insert(client.id.clone(), weak);
        }
    }

    /// It is gone.
    pub(super) fn left(&self, id: &str) {
        lock(&self.performers).remove(id);
    }

    /// Those of these clients that are here and may publish.
    pub(super) fn among(&self, ids: &[Arc<str>]) -> Vec<Arc<Performer>> {
        let performers = lock(&self.performers);
        let here = ids.iter().filter_map(|id| performers.get(id)?.upgrade());
        here.filter(|client| client.who().role.may_publish())
            .collect()
    }

    /// A place for one more action of an operator.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(super) fn begin(&self, client: &Performer, bytes: usize) -> Result<ActionSlot, Error> {
        let operator = client.who().user.clone();
        let operator = operator.unwrap_or_else(|| client.id.clone());
        let (most, most_bytes) = self.most;
        let mut all = lock(&self.counts);
        let (count, held) = all.entry(operator.clone()).or_default();
        // A single one may be as long as a message may be.
        if *count >= most || (*count > 0 && *held + bytes > most_bytes) {
            return Err(Error::new(
                "rate_limited",
                format!(
                    "{count} actions of yours are not answered yet; wait for their answers ([server] max_actions_in_flight, max_action_bytes)"
                ),
            ));
        }
        *count += 1;
        *held += bytes;
        Ok(ActionSlot {
            counts: self.counts.clone(),
            operator,
            bytes,
        })
    }
}

impl Drop for ActionSlot {
    fn drop(&mut self) {
        let mut all = lock(&self.counts);
        if let Some((count, held)) = all.get_mut(&self.operator) {
            *count -= 1;
            *held -= self.bytes;
            if *count == 0 {
                all.remove(&self.operator);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
