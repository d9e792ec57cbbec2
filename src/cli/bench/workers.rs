//! The threads of the clients: each drives its share of them by itself.

use std::{
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use super::reading::Shared;

/// One thread.
#[derive(Debug)]
pub(super) struct Worker<T> {
    pub(super) handle: Handle,
    pub(super) shared: Arc<Mutex<Shared<T>>>,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread.
    ///
    /// # Errors
    /// In words: the system has no thread left.
    pub(super) fn start(tally: T) -> Result<Self, String> {
        let said = |error: std::io::Error| format!("can't start a thread: {error}");
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(said)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("bench".into())
            .spawn(move || {
                runtime.block_on(stopped).ok();
            })
            .map_err(said)?;
        Ok(Self {
            handle,
            shared: Arc::new(Shared::new(tally)),
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
