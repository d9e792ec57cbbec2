//! The webhook: alerts are posted as JSON, signed, one after the other, tried again when that fails.
//!
//! A receiver checks `X-Stoa-Signature`: the HMAC-SHA256 of `{X-Stoa-Timestamp}.{body}` with the shared secret. The
//! timestamp is that of the try, so that an old post can be refused. `X-Stoa-Delivery` is the same for all tries of one
//! post.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE, redirect};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::sleep,
};

use super::metrics::AlertMetrics;
use crate::{
    breaker::{Breaker, Permit},
    event::mint_id,
    timestamp::Timestamp,
};

/// The longest time between two looks at an open breaker: an admin may have closed it.
const MAX_BREAKER_PAUSE: Duration = Duration::from_secs(1);
/// The least one.
const MIN_BREAKER_PAUSE: Duration = Duration::from_millis(20);
/// The most doublings of the time between two tries.
const MAX_DOUBLINGS: u32 = 16;

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
    /// Posts that may wait.
    pub queue: usize,
    /// The name of this server among others.
    pub node: String,
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookOptions").finish_non_exhaustive()
    }
}

/// A post that waits.
#[derive(Debug)]
struct Post {
    /// Names it, over all tries.
    id: String,
    body: String,
}

/// The way into the queue of posts.
#[derive(Debug)]
pub struct Webhook {
    queue: mpsc::Sender<Post>,
    node: String,
    metrics: AlertMetrics,
}

/// Posts what is queued.
struct Poster {
    url: Url,
    client: Client,
    key: hmac::Key,
    retries: u32,
    backoff: Duration,
    breaker: Arc<Breaker>,
    metrics: AlertMetrics,
}

/// The reason why a post failed.
struct Fault {
    reason: String,
    /// Another try would fail the same way.
    is_final: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Webhook {
    /// The webhook, and the task that posts for it, which never returns.
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
        let poster = Poster {
            url,
            client,
            key: hmac::Key::new(hmac::HMAC_SHA256, &options.secret),
            retries: options.retries,
            backoff: options.backoff,
            breaker,
            metrics: metrics.clone(),
        };
        let webhook = Self {
            queue,
            node: options.node,
            metrics,
        };
        Ok((webhook, poster.run(posts)))
    }

    /// Queues a post of an alert, or counts that there is no room.
    pub(super) fn post(&self, alert: &Value) {
        let id = mint_id().to_string();
        let body =
            json!({ "type": "alert", "delivery_id": id, "node_id": self.node, "alert": alert });
        let body = body.to_string();
        match self.queue.try_send(Post { id, body }) {
            Ok(()) => self.metrics.wait(1),
            Err(TrySendError::Full(_)) => {
                self.metrics.undelivered("queue_full");
                tracing::warn!(
                    "an alert is not posted to the webhook: as many wait as may ([alerts] webhook_queue)"
                );
            }
            // The server goes down.
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

impl Poster {
    async fn run(self, mut posts: mpsc::Receiver<Post>) {
        while let Some(post) = posts.recv().await {
            self.deliver(&post).await;
            self.metrics.wait(-1);
        }
        // The queue is closed only when the server goes down.
        std::future::pending::<()>().await;
    }

    /// Tries until the post is taken, or is given up.
    async fn deliver(&self, post: &Post) {
        for tried in 0..=self.retries {
            if tried > 0 {
                let doublings = (tried - 1).min(MAX_DOUBLINGS);
                sleep(self.backoff.saturating_mul(1 << doublings)).await;
            }
            let permit = self.permit().await;
            let outcome = self.try_once(post).await;
            // A receiver that refuses this post is there: only what it says of itself counts against it.
            let part = match &outcome {
                Err(fault) if fault.is_final => Ok(()),
                outcome => outcome.as_ref().copied(),
            };
            permit.settle(part);
            let Err(fault) = outcome else {
                self.metrics.posted("ok");
                return;
            };
            self.metrics.posted("failed");
            let reason = &fault.reason;
            tracing::debug!(
                reason,
                delivery = post.id,
                tried,
                "a post to the webhook failed"
            );
            if fault.is_final || tried == self.retries {
                let why = if fault.is_final {
                    "refused"
                } else {
                    "given_up"
                };
                self.metrics.undelivered(why);
                tracing::warn!(
                    reason,
                    delivery = post.id,
                    tries = tried + 1,
                    "an alert could not be posted to [alerts] webhook_url"
                );
                return;
            }
        }
    }

    /// Waits until the breaker lets a post through.
    async fn permit(&self) -> Permit {
        loop {
            if let Some(permit) = self.breaker.probe() {
                return permit;
            }
            let wait = self.breaker.retry_in().unwrap_or_default();
            sleep(wait.clamp(MIN_BREAKER_PAUSE, MAX_BREAKER_PAUSE)).await;
        }
    }

    async fn try_once(&self, post: &Post) -> Result<(), Fault> {
        let now = Timestamp::now().as_micros() / 1_000_000;
        let signed = hmac::sign(&self.key, format!("{now}.{}", post.body).as_bytes());
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("x-stoa-event", "alert")
            .header("x-stoa-delivery", &post.id)
            .header("x-stoa-timestamp", now.to_string())
            .header(
                "x-stoa-signature",
                format!("sha256={}", HEXLOWER.encode(signed.as_ref())),
            )
            .body(post.body.clone());
        // The body of the answer is not read: nothing in it is needed, and it may be of any size.
        let answer = request.send().await.map_err(|error| Fault {
            reason: reason(error),
            is_final: false,
        })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(Fault {
                reason: format!("it answers {status}"),
                is_final: is_final(status),
            }),
        }
    }
}

/// Whether the same post would be answered like that again.
fn is_final(status: StatusCode) -> bool {
    let passes = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    !status.is_server_error() && !passes.contains(&status)
}

/// The error with its causes, without the address, which may hold a secret.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
