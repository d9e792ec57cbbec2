//! The connected clients by their public ids, as operations know them.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::future::BoxFuture;

use crate::{
    access::Identity,
    channel::Namespace,
    doors::backend::{Arguments, SessionData},
    error::Error,
    hub::MemberId,
    timestamp::Timestamp,
};

/// The answer of a client to an event; none when the client left before it.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Option<Result<Arguments, Error>>> + Send>>;

/// A connected client.
pub(crate) trait Connected: fmt::Debug + Send + Sync {
    /// The client's public id.
    fn id(&self) -> &Arc<str>;
    fn namespace(&self) -> Namespace;
    /// The client's identity now.
    fn who(&self) -> Arc<Identity>;
    /// The client's id in the hub; none before it is introduced and after it has left.
    fn member(&self) -> Option<MemberId>;
    /// The data that an application keeps with it.
    fn session(&self) -> &SessionData;
    /// The time at which it connected.
    fn since(&self) -> Timestamp;
    /// Whether a room is one that nobody may see, since its name is a credential.
    fn hides(&self, room: &str) -> bool;
    /// Ends its connection to its namespace.
    fn disconnect(self: Arc<Self>);
    /// Notes that its rooms or its data were changed.
    fn has_changed(self: Arc<Self>) -> BoxFuture<'static, ()>;
    /// Sends it an event at once; the future brings the answer. The question is forgotten when the future is dropped.
    fn ask(&self, event: &str, arguments: &Arguments) -> Asking;
}

/// All connected clients that operations can name.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<Arc<str>, Weak<dyn Connected>>>);

impl Clients {
    /// Adds a client.
    pub(crate) fn entered(&self, client: Weak<dyn Connected>, id: Arc<str>) {
        self.lock().insert(id, client);
    }

    /// Removes a client.
    pub(crate) fn left(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The client with this id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<dyn Connected>> {
        self.lock().get(id)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Weak<dyn Connected>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
