//! Files that may change while the server runs. They are read again at an interval, and at a SIGHUP.

use std::{fmt::Display, sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;

use crate::{config::Config, observe::Metrics};

/// The words for the counter and the log about one kind of file.
#[derive(Debug)]
pub(super) struct Files {
    /// The counter's label.
    pub(super) name: &'static str,
    /// The log line for new, good content.
    pub(super) taken: &'static str,
    /// The log line when a SIGHUP finds nothing new.
    pub(super) same: &'static str,
    /// The log line for new content that can't be used.
    pub(super) refused: &'static str,
}

/// Calls `reload` at each interval and each SIGHUP that `asked` hears. Never returns. `reload` reads files, so it runs
/// on a thread that may block.
///
/// `asked` listens before the task is spawned: a task that began to listen at its first poll would miss a signal that
/// comes earlier.
pub(super) async fn keep_fresh<E: Display + Send + 'static>(
    files: &'static Files,
    interval: Duration,
    metrics: Arc<Metrics>,
    mut asked: Asked,
    reload: impl Fn() -> Result<bool, E> + Clone + Send + 'static,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The last error, so that it is logged once and not at every interval.
    let mut wrong = String::new();
    loop {
        let at_once = tokio::select! {
            _ = ticks.tick() => false,
            () = asked.received() => true,
        };
        match tokio::task::spawn_blocking(reload.clone()).await {
            Ok(Ok(true)) => {
                wrong.clear();
                metrics.reloaded(files.name, "taken");
                tracing::info!("{}", files.taken);
            }
            Ok(Ok(false)) => {
                wrong.clear();
                if at_once {
                    tracing::info!("{}", files.same);
                }
            }
            Ok(Err(error)) => {
                let error = error.to_string();
                if at_once || error != wrong {
                    metrics.reloaded(files.name, "refused");
                    tracing::warn!(%error, "{}", files.refused);
                    wrong = error;
                }
            }
            // The runtime goes down.
            Err(_) => {}
        }
    }
}

/// Logs at each SIGHUP that no file can be read again, if that is so. Never returns. A signal that nobody awaits would
/// end the process.
pub(super) async fn heed(mut asked: Asked, config: &Config) {
    let named = |file: &std::path::Path| !file.as_os_str().is_empty();
    let authentication = &config.authentication;
    let files = [&authentication.secret_file, &authentication.public_key_file];
    let has_files = config.tls.is_on() || files.into_iter().any(|file| named(file));
    loop {
        asked.received().await;
        if !has_files {
            tracing::info!(
                "SIGHUP: no file is configured that could be looked at again ([tls] cert_file, [authentication] secret_file, \
                 public_key_file); the server goes on as it is"
            );
        }
    }
}

/// A SIGHUP, where there are signals, caught from the moment this is made.
pub(super) struct Asked {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Asked {
    pub(super) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    pub(super) async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
