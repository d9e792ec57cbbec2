//! The two threads of a journal, and the notice of their end.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::{Builder, JoinHandle},
};

use tokio::sync::watch::{Receiver, Sender, channel};

use crate::journal::queue::Queue;

/// The threads of a journal.
#[derive(Debug)]
pub(super) struct Threads {
    queue: Arc<Queue>,
    lives: Arc<Sender<()>>,
    /// Joined at the end, in the order of their start.
    handles: Mutex<Vec<JoinHandle<()>>>,
}

/// Notices the end of a thread, also by a panic: nobody waits for an answer that never comes.
struct ThreadEnd {
    queue: Arc<Queue>,
    lives: Arc<Sender<()>>,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.queue.close();
        self.lives.send_replace(());
    }
}

impl Threads {
    /// No threads yet: each closes this queue when it ends.
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            lives: Arc::new(channel(()).0),
            handles: Mutex::default(),
        }
    }

    /// Starts a thread.
    pub(super) fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let end = ThreadEnd {
            queue: self.queue.clone(),
            lives: self.lives.clone(),
        };
        let thread = Builder::new().name(name.into()).spawn(move || {
            let _end = end;
            work();
        })?;
        self.lock().push(thread);
        Ok(())
    }

    /// A watch whose only change is the end of a thread.
    pub(super) fn watch(&self) -> Receiver<()> {
        self.lives.subscribe()
    }

    /// Waits for the end of the first thread, then of the others, which are told before.
    pub(super) fn join(&self, tell: impl FnOnce()) {
        let mut handles = self.lock();
        let mut threads = handles.drain(..);
        if let Some(first) = threads.next() {
            first.join().ok();
        }
        tell();
        for thread in threads {
            thread.join().ok();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
