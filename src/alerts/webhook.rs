//! The webhook: alerts are posted as JSON, signed, one after the other, tried again when that fails.
//!
//! A receiver checks `X-Stoa-Signature`: the HMAC-SHA256 of `{X-Stoa-Timestamp}.{body}` with the shared secret. The
//! timestamp is that of the try, so that an old post can be refused. `X-Stoa-Delivery` is the same for all tries of one
//! post.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use reqwest::{Client, Url, redirect};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::AlertMetrics,
    poster::{Post, Poster},
    waiting::Waiting,
};
use crate::{breaker::Breaker, event::mint_id};

/// The options of the webhook.
#[derive(Clone)]
pub struct WebhookOptions {
    /// The address.
    pub url: String,
    /// The secret that posts are signed with.
    pub secret: Vec<u8>,
    /// The time that one post may take.
    pub timeout: Duration,
    /// Further tries of a post that failed.
    pub retries: u32,
    /// The time before the first of them; each later one waits twice as long.
    pub backoff: Duration,
    /// Posts that may wait; those of one producer have half of the places.
    pub queue: usize,
    /// The time that waiting posts have when the server goes down.
    pub stop_timeout: Duration,
    /// The name of this server among others.
    pub node: String,
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookOptions").finish_non_exhaustive()
    }
}

/// The way into the queue of posts.
#[derive(Debug)]
pub struct Webhook {
    queue: mpsc::Sender<Post>,
    waiting: Waiting,
    node: String,
    metrics: AlertMetrics,
    /// Cancelled when the server goes down.
    stopping: CancellationToken,
    /// Cancelled when nothing waits any more, or when there is no more time.
    finished: CancellationToken,
    stop_timeout: Duration,
}

/// The posts that wait when the server goes down.
#[derive(Debug)]
pub struct LastPosts {
    metrics: AlertMetrics,
    stopping: CancellationToken,
    finished: CancellationToken,
    within: Duration,
}

impl Webhook {
    /// The webhook, and the task that posts for it, which returns only when the server goes down.
    ///
    /// # Errors
    /// A sentence about the address, or about the system's certificates.
    pub fn new(
        options: WebhookOptions,
        breaker: Arc<Breaker>,
        metrics: AlertMetrics,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), String> {
        let url = Url::parse(&options.url).map_err(|error| format!("is no URL: {error}"))?;
        let mut client = Client::builder()
            .timeout(options.timeout)
            .user_agent(concat!("stoa/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead from https to http, or to an internal address that was not configured.
            .redirect(redirect::Policy::none());
        if url.scheme() == "http" {
            // Plain HTTP needs no certificates of the system: reading them fails where there are none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            let error = error.without_url();
            format!("can't be used: {error}; install ca-certificates, or name a file of them in SSL_CERT_FILE")
        })?;
        let (queue, posts) = mpsc::channel(options.queue);
        let (stopping, finished) = (CancellationToken::new(), CancellationToken::new());
        let poster = Poster {
            url,
            client,
            key: hmac::Key::new(hmac::HMAC_SHA256, &options.secret),
            retries: options.retries,
            backoff: options.backoff,
            breaker,
            metrics: metrics.clone(),
            stopping: stopping.clone(),
            finished: finished.clone(),
        };
        let webhook = Self {
            queue,
            waiting: Waiting::new(options.queue),
            node: options.node,
            metrics,
            stopping,
            finished,
            stop_timeout: options.stop_timeout,
        };
        Ok((webhook, poster.run(posts)))
    }

    /// The end of the webhook, for the stop of the server.
    pub fn last_posts(&self) -> LastPosts {
        LastPosts {
            metrics: self.metrics.clone(),
            stopping: self.stopping.clone(),
            finished: self.finished.clone(),
            within: self.stop_timeout,
        }
    }

    /// Queues a post of an alert, or counts that there is no room. An alert about a run is its producer's.
    pub(super) fn post(&self, alert: &Value, producer: Option<&Arc<str>>) {
        let Some(place) = self.waiting.begin(producer) else {
            self.metrics.undelivered("share_full");
            tracing::warn!(
                producer = producer.map(|name| &**name),
                "an alert is not posted to the webhook: as many of its producer's wait as may, half of [alerts] webhook_queue"
            );
            return;
        };
        let id = mint_id().to_string();
        let body =
            json!({ "type": "alert", "delivery_id": id, "node_id": self.node, "alert": alert });
        let body = body.to_string();
        match self.queue.try_send(Post { id, body, place }) {
            Ok(()) => self.metrics.wait(1),
            Err(TrySendError::Full(_)) => {
                self.metrics.undelivered("queue_full");
                tracing::warn!(
                    "an alert is not posted to the webhook: as many wait as may ([alerts] webhook_queue)"
                );
            }
            // The server goes down.
            Err(TrySendError::Closed(_)) => self.metrics.undelivered("stopped"),
        }
    }
}

impl LastPosts {
    /// Has the waiting posts sent, for a time that is bounded; those that are left are counted and lost.
    pub async fn finish(self) {
        self.stopping.cancel();
        if timeout(self.within, self.finished.cancelled())
            .await
            .is_ok()
        {
            return;
        }
        self.finished.cancel();
        let left = self.metrics.stopped();
        tracing::warn!(
            left,
            "alerts were not posted before the stop ([alerts] webhook_stop_timeout)"
        );
    }
}
