//! The certificate, from the start on.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;

use crate::{
    config::Tls,
    net::{Certificates, TlsError},
};

/// Reads the configured certificate; none for plain HTTP.
pub(super) fn load(config: &Tls) -> Result<Option<Arc<Certificates>>, TlsError> {
    if !config.is_on() {
        return Ok(None);
    }
    Certificates::load(&config.cert_file, &config.key_file).map(Some)
}

/// Looks at the files at each interval and at each SIGHUP, for ever.
pub(super) async fn keep_fresh(certificates: Arc<Certificates>, interval: Duration) {
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
        let looked_at = certificates.clone();
        match tokio::task::spawn_blocking(move || looked_at.reload()).await {
            Ok(Ok(true)) => {
                wrong.clear();
                tracing::info!("a new certificate is served from now on");
            }
            Ok(Ok(false)) if at_once => tracing::info!("the certificate's files have not changed"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => {
                let error = error.to_string();
                if at_once || error != wrong {
                    tracing::warn!(%error, "the new certificate can't be served; the old one stays");
                    wrong = error;
                }
            }
        }
    }
}

/// A SIGHUP, where there are signals.
struct Asked {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Asked {
    fn listen() -> Self {
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
