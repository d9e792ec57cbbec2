//! The part that the engine has in a client's session: none, or all of it until the session goes on alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::engine::{Engine, Frame};

/// The part that the engine has in a client's session.
#[derive(Debug, Default)]
pub(super) struct Served(Mutex<By>);

#[derive(Debug, Default)]
enum By {
    /// None: the session has no engine, or is not introduced to it yet.
    #[default]
    Door,
    /// The engine, by this way.
    Engine(Arc<dyn Engine>),
    /// None any more: what the engine says of the client's end means nothing.
    DoorAgain,
}

impl Served {
    fn by(&self) -> MutexGuard<'_, By> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the engine's way to the client.
    pub(super) fn by_engine(&self, engine: Arc<dyn Engine>) {
        *self.by() = By::Engine(engine);
    }

    /// Sends a packet through the engine; `false` if the session has none.
    pub(super) fn send(&self, packet: &Frame) -> bool {
        // The lock is held over the call, so that no session leaves the engine while it ends it.
        match &*self.by() {
            By::Engine(engine) => engine.send(packet),
            By::Door | By::DoorAgain => return false,
        };
        true
    }

    /// Lets go of the engine if the client is still on its namespace; whether it is.
    pub(super) fn leave_engine(&self, is_on: impl FnOnce() -> bool) -> bool {
        let mut by = self.by();
        let leaves = is_on();
        if leaves {
            *by = By::DoorAgain;
        }
        leaves
    }

    /// Whether the session is the engine's now.
    pub(super) fn is_by_engine(&self) -> bool {
        matches!(*self.by(), By::Engine(_))
    }

    /// Whether the session went on without the engine.
    pub(super) fn has_left_engine(&self) -> bool {
        matches!(*self.by(), By::DoorAgain)
    }
}
