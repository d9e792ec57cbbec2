//! Accepts connections, at the pace and up to the number that the settings allow.
//!
//! Above the global accept rate, connections wait in the kernel's backlog. Above the connection limit they get a
//! minimal 503 and are closed. Neither is logged: a flood must not fill the disk as well.

use std::{io, net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::Router;
use governor::{DefaultDirectRateLimiter, RateLimiter, clock::Clock};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::Instant,
};
use tokio_util::task::TaskTracker;

use super::{
    address::Proxies,
    connection::{Encryption, PeerAddress, Shared, connection, told},
    quota::{Arrival, Quota, Rate},
    timeouts::Timeouts,
    tls::Certificates,
    turn_away::turn_away,
};
use crate::observe::Metrics;

/// The least time between two log lines about connections that can't be accepted.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The connections accepted in a row. Then the tasks of those before have their turn, and everybody else's: a wave of
/// clients waits with the system, not before the live stream.
const ACCEPT_RUN: usize = 8;

/// Serves a router until told to stop.
#[derive(Debug)]
pub struct Server {
    /// The timeouts of each connection.
    pub timeouts: Timeouts,
    /// Limits on connections, in all and by address.
    pub quota: Arc<Quota>,
    /// New connections per second, in all.
    pub per_second: usize,
    /// Proxies whose word on a client's address counts.
    pub proxies: Proxies,
    /// The certificates, with the time that a handshake may take; `None` for plain HTTP.
    pub tls: Option<(Arc<Certificates>, Duration)>,
    /// Counts every refusal.
    pub metrics: Arc<Metrics>,
    /// Turns true when no new work is taken: requests in flight end, idle connections close.
    pub stopping: watch::Receiver<bool>,
}

/// The encryption library refuses its own defaults.
#[derive(Debug, Error)]
#[error("TLS can't be set up: {0}")]
pub struct SetupError(#[from] rustls::Error);

/// A server that is ready to listen.
pub struct Prepared {
    shared: Arc<Shared>,
    /// `None` for plain HTTP.
    encryption: Option<Encryption>,
    /// The global accept rate: further connections wait in the system's queue.
    pace: Arc<DefaultDirectRateLimiter>,
    stopping: watch::Receiver<bool>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

impl Server {
    /// Makes everything that can fail.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn prepare(self, router: Router) -> Result<Prepared, SetupError> {
        let encryption = match self.tls {
            None => None,
            Some((certificates, timeout)) => Some(Encryption {
                acceptor: certificates.acceptor()?,
                timeout,
            }),
        };
        let per_second = u32::try_from(self.per_second).unwrap_or(u32::MAX);
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Ok(Prepared {
            shared: Arc::new(Shared {
                router,
                timeouts: self.timeouts,
                quota: self.quota,
                proxies: self.proxies,
                metrics: self.metrics,
            }),
            encryption,
            pace: Arc::new(RateLimiter::direct(governor::Quota::per_second(per_second))),
            stopping: self.stopping,
        })
    }
}

impl Prepared {
    /// Another router for a port of its own, with the same limits: both ports together accept as many connections as
    /// one alone.
    #[must_use]
    pub fn beside(&self, router: Router) -> Self {
        Self {
            shared: Arc::new(Shared {
                router,
                ..(*self.shared).clone()
            }),
            encryption: self.encryption.clone(),
            pace: self.pace.clone(),
            stopping: self.stopping.clone(),
        }
    }

    /// Accepts until told to stop, then waits for the requests under way. Upgraded connections are not waited for: their
    /// lanes end them.
    pub async fn serve(mut self, listener: TcpListener) {
        let tracker = TaskTracker::new();
        let mut told_of_failure: Option<Instant> = None;
        let mut run = 0;
        loop {
            if run == ACCEPT_RUN {
                tokio::task::yield_now().await;
                run = 0;
            }
            run += 1;
            let accepted = tokio::select! {
                accepted = next(&self.pace, &listener) => accepted,
                () = told(&mut self.stopping) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(connection) = self.admit(stream, PeerAddress(peer)) {
                        tracker.spawn(connection);
                    }
                }
                Err(error) => {
                    // The system is out of descriptors or the like. That passes, and neither spinning nor a full log
                    // would help.
                    self.shared.metrics.refused("connection", "accept");
                    if told_of_failure.is_none_or(|at| at.elapsed() > LOG_INTERVAL) {
                        tracing::warn!(%error, "accepting connections fails; more descriptors (ulimit -n), or a lower [server] max_connections?");
                        told_of_failure = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        tracker.close();
        tracker.wait().await;
    }

    /// Lets a connection in, or turns it away. A proxy's connection carries many clients, so these are counted by
    /// request.
    fn admit(
        &self,
        stream: TcpStream,
        peer: PeerAddress,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let ip = peer.0.ip();
        let arrival = Arrival {
            address: (!self.shared.proxies.trusts(ip)).then_some(ip),
            in_total: true,
            rate: Some(Rate::Connection),
        };
        match self.shared.quota.take(arrival) {
            Ok(slot) => Some(connection(
                stream,
                peer,
                slot,
                self.shared.clone(),
                self.encryption.clone(),
                self.stopping.clone(),
            )),
            Err(full) => {
                self.shared.metrics.refused("connection", full.reason());
                // Before the handshake a TLS client could not read an answer.
                if self.encryption.is_none() {
                    turn_away(&stream, full).ok();
                }
                None
            }
        }
    }
}

/// The next connection, at the accept rate. The future may be dropped at any time without losing one.
async fn next(
    pace: &DefaultDirectRateLimiter,
    listener: &TcpListener,
) -> io::Result<(TcpStream, SocketAddr)> {
    while let Err(early) = pace.check() {
        tokio::time::sleep(early.wait_time_from(pace.clock().now())).await;
    }
    listener.accept().await
}
