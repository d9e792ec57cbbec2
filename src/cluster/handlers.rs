//! The handlers of this node: each takes the messages of one kind that others send.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use super::pending::NodeAnswer;

/// The node that said something.
#[derive(Debug, Clone)]
pub struct FromNode {
    /// Its name.
    pub name: Arc<str>,
    /// Its start.
    pub boot: Arc<str>,
}

/// Takes a message; it must not wait, since all messages wait for it.
type Listen = Arc<dyn Fn(&FromNode, &RawValue) + Send + Sync>;
/// Answers a question.
type Answer = Arc<dyn Fn(FromNode, Box<RawValue>) -> BoxFuture<'static, NodeAnswer> + Send + Sync>;

/// A handler takes the messages of one kind.
#[derive(Clone)]
pub(super) enum Handler {
    Listen(Listen),
    Answer(Answer),
}

/// All handlers, by the kinds of their messages.
#[derive(Default)]
pub(super) struct Handlers(Mutex<HashMap<&'static str, Handler>>);

// A function has no debug form.
impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

impl Handlers {
    pub(super) fn listen(
        &self,
        kind: &'static str,
        listen: impl Fn(&FromNode, &RawValue) + Send + Sync + 'static,
    ) {
        self.lock().insert(kind, Handler::Listen(Arc::new(listen)));
    }

    pub(super) fn answer<F>(
        &self,
        kind: &'static str,
        answer: impl Fn(FromNode, Box<RawValue>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = NodeAnswer> + Send + 'static,
    {
        let answer: Answer = Arc::new(move |from, body| Box::pin(answer(from, body)));
        self.lock().insert(kind, Handler::Answer(answer));
    }

    /// The handler of a kind, with the name under which it is counted.
    pub(super) fn of(&self, kind: &str) -> Option<(&'static str, Handler)> {
        let handlers = self.lock();
        let (name, handler) = handlers.get_key_value(kind)?;
        Some((name, handler.clone()))
    }

    /// Lets go of all: they hold the parts that hold this.
    pub(super) fn clear(&self) {
        let handlers = std::mem::take(&mut *self.lock());
        drop(handlers);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Handler>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
