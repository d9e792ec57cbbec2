//! The clients that are here, by their sessions' secrets: a client that comes with one of these takes a session over.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::future::BoxFuture;

use crate::{
    access::Identity,
    config::Offsets,
    doors::socketio::engine::ExpressLane,
    recovery::{Pid, Sessions},
};

/// The settings of recovery.
#[derive(Debug, Clone)]
pub struct RecoveryOptions {
    /// The clients whose updates carry their place.
    pub offsets: Offsets,
    /// The sessions to come back to.
    pub sessions: Arc<Sessions>,
}

/// A client whose session another connection may take over.
pub(super) trait Replaceable: fmt::Debug + Send + Sync {
    /// The client's identity now.
    fn who(&self) -> Arc<Identity>;
    /// The path of its namespace.
    fn path(&self) -> &'static str;
    /// Whether it came by this connection.
    fn is_by(&self, lane: &Arc<ExpressLane>) -> bool;
    /// Ends its connection, since its client has come by another one. Its own end, noticed later, changes nothing.
    fn give_way(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

/// The clients that are here.
#[derive(Debug, Default)]
pub(super) struct Here(Mutex<HashMap<Pid, Weak<dyn Replaceable>>>);

impl Here {
    /// The client with this secret.
    pub(super) fn get(&self, pid: Pid) -> Option<Arc<dyn Replaceable>> {
        self.lock().get(&pid)?.upgrade()
    }

    /// Adds a client.
    pub(super) fn entered(&self, pid: Pid, client: Weak<dyn Replaceable>) {
        self.lock().insert(pid, client);
    }

    /// Removes a client, unless another one has its secret by now.
    pub(super) fn left<C>(&self, pid: Pid, client: *const C) {
        let mut here = self.lock();
        if here
            .get(&pid)
            .is_some_and(|one| std::ptr::addr_eq(one.as_ptr(), client))
        {
            here.remove(&pid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pid, Weak<dyn Replaceable>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
