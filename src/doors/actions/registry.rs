//! Actions in flight, and the clients that may perform them.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use arc_swap::ArcSwap;
use serde_json::Value;

use crate::{access::Identity, channel::Namespace, error::Error};

/// The answer of a client to an action; none when the client left before it.
pub(crate) type Performing = Pin<Box<dyn Future<Output = Option<Result<Value, Error>>> + Send>>;

/// The way to a client that performs actions.
pub(crate) trait Hands: fmt::Debug + Send + Sync {
    /// Sends the client an action at once; the future brings the answer. The question is forgotten when the future is
    /// dropped.
    fn perform(&self, payload: &str) -> Performing;
}

/// A client as actions know it.
#[derive(Debug)]
pub(crate) struct Performer {
    /// The client's public id.
    pub(super) id: Arc<str>,
    namespace: Namespace,
    /// The client's identity; `authenticate` changes it.
    who: ArcSwap<Identity>,
    pub(super) hands: Box<dyn Hands>,
}

impl Performer {
    pub(crate) fn new(
        id: Arc<str>,
        namespace: Namespace,
        who: Identity,
        hands: Box<dyn Hands>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            namespace,
            who: ArcSwap::from_pointee(who),
            hands,
        })
    }

    /// The client's identity now.
    pub(crate) fn who(&self) -> Arc<Identity> {
        self.who.load_full()
    }

    /// Gives the client a new identity, or the same for longer.
    pub(crate) fn renew(&self, who: Identity) {
        self.who.store(Arc::new(who));
    }
}

/// Each operator's actions in flight, and their bytes: by user, or by client if it has none.
type Counts = Arc<Mutex<HashMap<Arc<str>, (usize, usize)>>>;

/// All actions in flight. Locks are held for a look, never across an await.
#[derive(Debug)]
pub(super) struct Registry {
    /// The most actions of one operator in flight, and their bytes.
    most: (usize, usize),
    counts: Counts,
    /// Producers by public id.
    performers: Mutex<HashMap<Arc<str>, Weak<Performer>>>,
}

/// One action in flight of an operator, until it is dropped.
#[derive(Debug)]
pub(super) struct ActionSlot {
    counts: Counts,
    /// The operator's user or client.
    operator: Arc<str>,
    /// Bytes that the action holds.
    bytes: usize,
}

impl Registry {
    pub(super) fn new(most: (usize, usize)) -> Self {
        Self {
            most,
            counts: Counts::default(),
            performers: Mutex::default(),
        }
    }

    /// Adds a client that may perform actions, or whose identity has changed.
    pub(super) fn listed(&self, client: &Arc<Performer>) {
        if client.namespace == Namespace::Root && client.who().role.may_publish() {
            let weak = Arc::downgrade(client);
            lock(&self.performers).insert(client.id.clone(), weak);
        }
    }

    /// Removes a client that has left.
    pub(super) fn left(&self, id: &str) {
        lock(&self.performers).remove(id);
    }

    /// The clients among these that are connected and may publish.
    pub(super) fn among(&self, ids: &[Arc<str>]) -> Vec<Arc<Performer>> {
        let performers = lock(&self.performers);
        let here = ids.iter().filter_map(|id| performers.get(id)?.upgrade());
        here.filter(|client| client.who().role.may_publish())
            .collect()
    }

    /// Counts one more action of an operator, by its user, or by its client if it has none.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(super) fn begin(&self, operator: Arc<str>, bytes: usize) -> Result<ActionSlot, Error> {
        let (most, most_bytes) = self.most;
        let mut all = lock(&self.counts);
        let (count, held) = all.entry(operator.clone()).or_default();
        // A single action may be as long as a message may be.
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
