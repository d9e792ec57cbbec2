//! Files that may change while the server runs: looked at now and then, and at a SIGHUP.

use std::{fmt::Display, sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;

use crate::{config::Config, observe::Metrics};

/// What is looked at, and what is said of it.
#[derive(Debug)]
pub(super) struct Files {
    /// For the counter.
    pub(super) name: &'static str,
    /// There was something new, and it is good.
    pub(super) taken: &'static str,
    /// Somebody asked, and there was nothing new.
    pub(super) same: &'static str,
    /// There was something new that is of no use.
    pub(super) refused: &'static str,
}

/// Looks at each interval and at each SIGHUP, for ever. `reload` reads files: it runs where that holds nobody up.
pub(super) async fn keep_fresh<E: Display + Send + 'static>(
    files: &'static Files,
    interval: Duration,
    metrics: Arc<Metrics>,
    reload: impl Fn() -> Result<bool, E> + Clone + Send + 'static,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = Asked::listen();
    // What was wrong last, so that it is said once and not at every look.
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

/// Says at each SIGHUP that there is nothing to look at again, where that is so, for ever. Somebody has to listen: a signal
/// that nobody awaits ends the process on the spot.
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

/// A SIGHUP, where there are signals.
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

    async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
