//! A running server, and the order in which it goes down.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
};

use super::essential::{Ended, Essential};
use crate::{
    access::authn::StartSecret,
    alerts::LastPosts,
    cluster::Cluster,
    doors::{
        http::{Readiness, Spans},
        socketio::engine::Door,
    },
    drain::Drain,
    journal::Journal,
    observe::Metrics,
    projections::analytics,
};

/// The time that the last saving of the analytics may take.
const SAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// The time that the journal may take to close its file.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// The actual address, since the system may have chosen the port.
    pub(super) address: SocketAddr,
    /// The address of the visualization's own port, if it has one.
    pub(super) visualization: Option<SocketAddr>,
    /// Printed once, when the server listens.
    pub(super) start_secret: Option<StartSecret>,
    /// Read by tests and benchmarks.
    pub(super) metrics: Arc<Metrics>,
    /// Says that the server goes down.
    pub(super) readiness: Arc<Readiness>,
    /// Tells the spans that wait, while there is somebody to tell.
    pub(super) spans: Arc<Spans>,
    /// Takes the node out of service, before it goes down if that is wanted.
    pub(super) drain: Arc<Drain>,
    /// Stopped first, so that no new session begins.
    pub(super) door: Door,
    /// Ends accepting.
    pub(super) stopping: watch::Sender<bool>,
    /// Awaited, so that requests in flight are answered: a task for each port.
    pub(super) serving: Vec<JoinHandle<()>>,
    /// Awaited, so that updates that are due are sent.
    pub(super) hub: JoinHandle<()>,
    /// Notices the end of any of these tasks.
    pub(super) essential: Essential,
    /// Tasks beside the stream, which never end by themselves.
    pub(super) aside: Vec<JoinHandle<()>>,
    /// The alerts that wait to be posted: they have a time of their own.
    pub(super) last_posts: Option<LastPosts>,
    /// Bytes of the analytics, which are saved when all clients are gone.
    pub(super) max_analytics: usize,
    /// Ended when nobody is served any more.
    pub(super) cluster: Cluster,
    /// Closed last.
    pub(super) journal: Arc<dyn Journal>,
    /// Ended before the other tasks, because it publishes.
    pub(super) demo: Option<JoinHandle<()>>,
    pub(super) shutdown_timeout: Duration,
}

impl Running {
    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the workflow visualization's own port, if it has one.
    pub fn visualization_address(&self) -> Option<SocketAddr> {
        self.visualization
    }

    /// The secret that makes its holder an admin; none where tokens are required.
    pub fn start_secret(&self) -> Option<&str> {
        self.start_secret.as_ref().map(StartSecret::reveal)
    }

    /// The server's counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Takes the node out of service.
    pub fn drain(&self) -> &Arc<Drain> {
        &self.drain
    }

    /// Waits until an essential task ends. Never returns while all is well.
    pub async fn ended(&mut self) -> Ended {
        self.essential.ended().await
    }

    /// Goes down, and returns within the configured time whatever clients do.
    pub async fn shutdown(self) {
        self.readiness.stop();
        if let Some(demo) = &self.demo {
            demo.abort();
        }
        self.aside.iter().for_each(JoinHandle::abort);
        let mut at_last: Vec<_> = self.serving.iter().map(JoinHandle::abort_handle).collect();
        at_last.push(self.hub.abort_handle());
        let orderly = async {
            self.spans.end().await;
            self.door.shutdown().await;
            self.stopping.send_replace(true);
            for serving in self.serving {
                serving.await.ok();
            }
            self.hub.await.ok();
        };
        let posts = async {
            if let Some(posts) = self.last_posts {
                posts.finish().await;
            }
        };
        let orderly = async { tokio::join!(orderly, posts) };
        if tokio::time::timeout(self.shutdown_timeout, orderly)
            .await
            .is_err()
        {
            tracing::warn!("not everything ended in time; going down without it");
            at_last.iter().for_each(AbortHandle::abort);
        }
        self.cluster.stop().await;
        let journal = self.journal;
        self.metrics.usage.end_all();
        let save = analytics::save(&*journal, &self.metrics, self.max_analytics);
        tokio::time::timeout(SAVE_TIMEOUT, save).await.ok();
        let close = tokio::task::spawn_blocking(move || journal.close());
        // Only a disk that hangs takes so long; acknowledged events are kept all the same.
        tokio::time::timeout(CLOSE_TIMEOUT, close).await.ok();
    }
}
