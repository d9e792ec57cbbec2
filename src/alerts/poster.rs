//! The task that posts alerts to the webhook: one after the other, tried again when that fails.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{metrics::AlertMetrics, waiting::WaitingPlace};
use crate::{
    breaker::{Breaker, Permit},
    error,
    timestamp::Timestamp,
};

/// The longest time between two looks at an open breaker: an admin may have closed it.
const MAX_BREAKER_PAUSE: Duration = Duration::from_secs(1);
/// The least one.
const MIN_BREAKER_PAUSE: Duration = Duration::from_millis(20);
/// The most doublings of the time between two tries.
const MAX_DOUBLINGS: u32 = 16;

/// A post that waits.
#[derive(Debug)]
pub(super) struct Post {
    /// Names it, over all tries.
    pub(super) id: String,
    pub(super) body: String,
    pub(super) place: WaitingPlace,
}

/// Posts what is queued.
pub(super) struct Poster {
    pub(super) url: Url,
    pub(super) client: Client,
    pub(super) key: hmac::Key,
    pub(super) retries: u32,
    pub(super) backoff: Duration,
    pub(super) breaker: Arc<Breaker>,
    pub(super) metrics: AlertMetrics,
    /// Says that the server goes down.
    pub(super) stopping: CancellationToken,
    /// Says that all is posted that waited when the server went down, or that there is no more time for it.
    pub(super) finished: CancellationToken,
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

impl Poster {
    /// Posts what comes, and when the server goes down what still waits. Returns only then.
    pub(super) async fn run(self, posts: Receiver<Post>) {
        let finished = self.finished.clone();
        finished.run_until_cancelled(self.post(posts)).await;
        finished.cancel();
    }

    async fn post(self, mut posts: Receiver<Post>) {
        loop {
            tokio::select! {
                post = posts.recv() => match post {
                    Some(post) => self.take(post).await,
                    None => break,
                },
                () = self.stopping.cancelled() => break,
            }
        }
        posts.close();
        while let Some(post) = posts.recv().await {
            self.take(post).await;
        }
    }

    async fn take(&self, post: Post) {
        let Post { id, body, place } = post;
        drop(place);
        self.deliver(&id, &body).await;
        self.metrics.wait(-1);
    }

    /// Tries until the post is taken, or is given up.
    async fn deliver(&self, id: &str, body: &str) {
        for tried in 0..=self.retries {
            if tried > 0 {
                self.back_off(tried).await;
            }
            let permit = self.permit().await;
            let outcome = self.try_once(id, body).await;
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
            tracing::debug!(reason, delivery = id, tried, "a post to the webhook failed");
            if fault.is_final || tried == self.retries {
                let why = if fault.is_final {
                    "refused"
                } else {
                    "given_up"
                };
                self.metrics.undelivered(why);
                tracing::warn!(
                    reason,
                    delivery = id,
                    tries = tried + 1,
                    "an alert could not be posted to [alerts] webhook_url"
                );
                return;
            }
        }
    }

    /// Waits before another try. A stop leaves time for `backoff` only, which is not doubled then.
    async fn back_off(&self, tried: u32) {
        let doublings = (tried - 1).min(MAX_DOUBLINGS);
        let begun = Instant::now();
        tokio::select! {
            () = sleep(self.backoff.saturating_mul(1 << doublings)) => {}
            () = self.stopping.cancelled() => sleep_until(begun + self.backoff).await,
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

    async fn try_once(&self, id: &str, body: &str) -> Result<(), Fault> {
        let now = Timestamp::now().as_micros() / 1_000_000;
        let signed = hmac::sign(&self.key, format!("{now}.{body}").as_bytes());
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("x-stoa-event", "alert")
            .header("x-stoa-delivery", id)
            .header("x-stoa-timestamp", now.to_string())
            .header(
                "x-stoa-signature",
                format!("sha256={}", HEXLOWER.encode(signed.as_ref())),
            )
            .body(body.to_owned());
        // The body of the answer is not read: nothing in it is needed, and it may be of any size.
        let answer = request.send().await.map_err(|error| Fault {
            reason: error::reason(error),
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
