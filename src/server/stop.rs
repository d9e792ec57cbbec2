//! The signals that end the server.

use std::sync::Arc;

use crate::drain::Drain;

/// Ctrl-C and SIGTERM, caught from the moment this is made.
pub(crate) struct StopSignal {
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl StopSignal {
    #[cfg(unix)]
    pub(crate) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> Self {
        Self {}
    }

    #[cfg(unix)]
    pub(crate) async fn received(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }

    /// Drains the node before it stops; a second signal ends that.
    pub(super) async fn drains_first(&mut self, drain: &Arc<Drain>) {
        drain.start(None, false);
        tokio::select! {
            () = drain.drained() => {}
            () = self.received() => tracing::info!("told to stop again: going down at once"),
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn received(&mut self) {
        tokio::signal::ctrl_c().await.ok();
    }
}
