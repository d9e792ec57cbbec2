//! Clients that wait for the answer to a question: the loop wakes those of a question that was closed, and looks at no
//! others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    event::Event,
    update::{input_status, request_id},
};

/// The waiting clients, by the request that they wait for.
#[derive(Debug, Default)]
pub struct Closings {
    /// Held for a look, never across an await.
    waiting: Mutex<HashMap<Arc<str>, Bell>>,
    /// Whether the loop has ended.
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Bell {
    /// The number of clients that wait.
    waiters: usize,
    rung: Arc<Notify>,
}

/// One client's place among those that wait, until it is dropped.
#[derive(Debug)]
pub struct Listener {
    closings: Arc<Closings>,
    request: Arc<str>,
    /// Rings when a question of this id is closed, in whichever project, and when the server goes down.
    pub rung: Arc<Notify>,
}

impl Closings {
    /// A place among those that wait for a request.
    pub fn listen(self: &Arc<Self>, request: &str) -> Listener {
        let request: Arc<str> = request.into();
        let mut waiting = self.lock();
        let bell = waiting.entry(request.clone()).or_default();
        bell.waiters += 1;
        Listener {
            closings: self.clone(),
            rung: bell.rung.clone(),
            request,
        }
    }

    /// Wakes those that wait for the question that an event closes.
    pub(super) fn observe(&self, event: &Event) {
        if !matches!(input_status(&event.name), Some("received" | "expired")) {
            return;
        }
        if let Some(request) = request_id(event)
            && let Some(bell) = self.lock().get(&*request)
        {
            bell.rung.notify_waiters();
        }
    }

    /// Wakes all, since nothing is closed any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        let waiting = self.lock();
        waiting.values().for_each(|bell| bell.rung.notify_waiters());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Bell>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Whether the server goes down.
    pub fn is_over(&self) -> bool {
        self.closings.is_over.load(Ordering::Acquire)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiting = self.closings.lock();
        if let Some(bell) = waiting.get_mut(&self.request) {
            bell.waiters -= 1;
            if bell.waiters == 0 {
                waiting.remove(&self.request);
            }
        }
    }
}
