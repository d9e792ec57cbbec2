//! Accepts connections and serves HTTP/1.1 on them, with a limit on how long a request's head may take.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// The other end of the connection that a request came on; in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Ends the connection that a request came on; in the request's extensions.
#[derive(Debug, Clone)]
pub struct Hangup(pub CancellationToken);

/// Bytes that the kernel holds unsent before a connection counts as not writable.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// Serves a router until told to stop.
#[derive(Debug)]
pub struct Server {
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// Turns true when no new work is taken: requests under way end, idle connections close.
    pub stopping: watch::Receiver<bool>,
}

impl Server {
    /// Accepts until `stopping` is true, then waits for the requests under way. Upgraded connections are not waited
    /// for: their lanes end them.
    pub async fn serve(mut self, listener: TcpListener, router: Router) {
        let tracker = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = told(&mut self.stopping) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = connection(
                        stream,
                        Peer(peer),
                        router.clone(),
                        self.header_timeout,
                        self.stopping.clone(),
                    );
                    tracker.spawn(connection);
                }
                Err(error) => {
                    // Out of descriptors or the like: it passes, and spinning would not help it to.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        tracker.close();
        tracker.wait().await;
    }
}

/// Waits for the word to stop, or for nobody being left to say it.
async fn told(stopping: &mut watch::Receiver<bool>) {
    stopping.wait_for(|stop| *stop).await.ok();
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    header_timeout: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    // Without it small frames wait for the peer's delayed acknowledgement, 40 ms.
    stream.set_nodelay(true).ok();
    // What the kernel holds can't be overtaken: it is kept to so little that a heartbeat still gets through a slow link.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream)
        .set_tcp_notsent_lowat(UNSENT)
        .ok();
    let token = CancellationToken::new();
    let hangup = token.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Hangup(hangup.clone()));
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = token.cancelled() => return,
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = token.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, peer = %peer.0, "connection ended");
    }
}
