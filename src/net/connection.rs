//! One connection's life while it speaks HTTP.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    address::{ClientAddress, Proxies},
    in_flight::InFlight,
    presence::ConnectionSlot,
    quota::{Arrival, Quota, QuotaExceeded, Rate, Slot},
    stream::{Io, Socket},
    timeouts::{ConnectionTimeouts, Timeouts},
    tls::handshake,
};
use crate::observe::Metrics;

/// The other end of the connection that a request came on; in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// Ends the connection that a request came on; in the request's extensions.
#[derive(Debug, Clone)]
pub struct PeerClosed(pub CancellationToken);

#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) timeouts: Timeouts,
    /// Limits on connections and sessions.
    pub(super) quota: Arc<Quota>,
    /// Proxies whose word on a client's address counts.
    pub(super) proxies: Proxies,
    /// Counts every connection that the server ends.
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Clone)]
pub(super) struct Encryption {
    pub(super) acceptor: TlsAcceptor,
    /// The time that a handshake may take.
    pub(super) timeout: Duration,
}

/// Bytes that the kernel holds unsent before a connection counts as not writable.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;
/// Bytes of one request's head. The library itself bounds the number of headers to 100, which keeps its fast path.
const MAX_HEAD: usize = 64 * 1024;
/// The time that an answer may take to leave when the server goes down and no request is in flight.
const LAST_WRITE: Duration = Duration::from_millis(200);

/// Prepares an accepted socket and speaks HTTP on it to its end.
pub(super) async fn connection(
    stream: TcpStream,
    peer: PeerAddress,
    slot: Slot,
    shared: Arc<Shared>,
    encryption: Option<Encryption>,
    mut stopping: watch::Receiver<bool>,
) {
    // Otherwise small frames wait for the peer's delayed acknowledgement, 40 ms.
    stream.set_nodelay(true).ok();
    // Bytes in the kernel can't be overtaken, so they are kept few: a heartbeat must still get through a slow link.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream)
        .set_tcp_notsent_lowat(UNSENT)
        .ok();
    let encrypted = encryption.is_some();
    let io = match encryption {
        None => Io::Plain(stream),
        Some(encryption) => {
            let begun = tokio::select! {
                begun = begin(&encryption, stream) => begun,
                () = told(&mut stopping) => return,
            };
            match begun {
                Ok(io) => io,
                Err(reason) => return shared.metrics.refused("tls", reason),
            }
        }
    };
    serve(io, encrypted, peer, slot, shared, stopping).await;
}

async fn begin(encryption: &Encryption, stream: TcpStream) -> Result<Io, &'static str> {
    let shaken = handshake(&encryption.acceptor, stream);
    match tokio::time::timeout(encryption.timeout, shaken).await {
        Ok(Ok(stream)) => Ok(Io::Tls(Box::new(stream))),
        Ok(Err(_)) => Err("handshake"),
        Err(_) => Err("handshake_timeout"),
    }
}

async fn serve(
    io: Io,
    encrypted: bool,
    peer: PeerAddress,
    slot: Slot,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    let traffic = Arc::new(ConnectionTimeouts::new());
    let socket = Socket::new(
        io,
        traffic.clone(),
        Arc::new(slot),
        shared.metrics.sockets.clone(),
    );
    let hangup = CancellationToken::new();
    let answering = Answering {
        shared: shared.clone(),
        traffic: traffic.clone(),
        hangup: hangup.clone(),
        peer,
        encrypted,
    };
    let service = service_fn(move |request| answering.clone().answer(request));
    // `traffic` keeps the times, since it knows a late head from a connection that is only kept open.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = hangup.cancelled() => return,
        limit = traffic.overdue(shared.timeouts) => return shared.metrics.killed(limit),
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            let quiet = async {
                traffic.quiet().await;
                tokio::time::sleep(LAST_WRITE).await;
            };
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = hangup.cancelled() => return,
                // Only half a head is there, or an answer that nobody takes: nothing is worth waiting for.
                () = quiet => return,
            }
        }
    };
    if let Err(error) = ended {
        if error.is_parse_too_large() {
            shared.metrics.refused("http", "head_too_large");
        } else if error.is_parse() {
            shared.metrics.refused("http", "bad_head");
        }
        tracing::debug!(%error, peer = %peer.0, "connection ended");
    }
}

/// Waits for the order to stop, or until nobody is left to give it.
pub(super) async fn told(stopping: &mut watch::Receiver<bool>) {
    stopping.wait_for(|stop| *stop).await.ok();
}

/// Answers the requests of one connection.
#[derive(Clone)]
struct Answering {
    shared: Arc<Shared>,
    /// Notices that the connection has been silent for too long.
    traffic: Arc<ConnectionTimeouts>,
    /// Ends the connection from a handler.
    hangup: CancellationToken,
    peer: PeerAddress,
    /// Handlers need to know how a request came: a page's origin depends on it.
    encrypted: bool,
}

impl Answering {
    async fn answer(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response, std::convert::Infallible> {
        let in_flight = InFlight::begin(self.traffic.clone());
        let ip = self.peer.0.ip();
        let client = self.shared.proxies.client(ip, request.headers());
        let secure = self
            .shared
            .proxies
            .secure(ip, request.headers(), self.encrypted);
        let presence = if !self.shared.proxies.trusts(ip) {
            if begins(&request)
                && let Err(exceeded) = self.shared.quota.begins(client.0)
            {
                self.shared.metrics.refused("connection", exceeded.reason());
                return Ok(in_flight.cover(exceeded.into_response(), None));
            }
            None
        } else {
            match self.present(client, &request) {
                Ok(presence) => presence,
                Err(exceeded) => {
                    self.shared.metrics.refused("connection", exceeded.reason());
                    return Ok(in_flight.cover(exceeded.into_response(), None));
                }
            }
        };
        let extensions = request.extensions_mut();
        extensions.insert(self.peer);
        extensions.insert(client);
        extensions.insert(secure);
        extensions.insert(PeerClosed(self.hangup.clone()));
        if let Some(presence) = &presence {
            extensions.insert(presence.clone());
        }
        let answered = self.shared.router.clone().oneshot(request.map(Body::new));
        answered
            .await
            .map(|response| in_flight.cover(response, presence))
    }

    /// A slot for a request that came through a proxy. A request of a session needs none: the session holds one.
    fn present(
        &self,
        client: ClientAddress,
        request: &Request<Incoming>,
    ) -> Result<Option<ConnectionSlot>, QuotaExceeded> {
        if of_engine(request) && has_session(request) {
            return Ok(None);
        }
        let slot = self.shared.quota.take(Arrival {
            address: Some(client.0),
            in_total: false,
            rate: begins(request).then_some(Rate::Session),
        })?;
        Ok(Some(ConnectionSlot::new(slot)))
    }
}

/// Whether a request begins a session or a stream; beginnings are what the rate counts.
fn begins(request: &Request<Incoming>) -> bool {
    let path = request.uri().path();
    (of_engine(request) && !has_session(request))
        || path == "/api/v1/stream"
        || path.starts_with("/api/stream/")
        || (!of_engine(request) && request.headers().contains_key(http::header::UPGRADE))
}

fn of_engine(request: &Request<Incoming>) -> bool {
    request.uri().path().starts_with("/socket.io")
}

fn has_session(request: &Request<Incoming>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair.starts_with("sid="))
}
