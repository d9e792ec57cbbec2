//! The service over HTTP: one call is one POST, tried again only where nothing of it was sent or the service says so.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::time::{Instant, sleep};

use super::{
    answer::Answer,
    metrics::BackendMetrics,
    signature::{SIGNATURE, SigningKey, TIMESTAMP},
};
use crate::{breaker::Breaker, error};

/// The longest wait that a `Retry-After` is given.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The settings of the way to the service.
#[derive(Clone)]
pub(crate) struct ServiceOptions {
    pub(crate) url: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Calls at a time; as many connections are kept.
    pub(crate) max_calls: usize,
    pub(crate) max_answer: usize,
    pub(crate) max_operations: usize,
    /// Nesting of what an answer sends to its client.
    pub(crate) max_depth: usize,
    /// Further tries, and the time before the first of them.
    pub(crate) retries: (u32, Duration),
}

/// The application's service.
pub(super) struct Service {
    url: Url,
    client: Client,
    pub(super) key: SigningKey,
    breaker: Arc<Breaker>,
    options: ServiceOptions,
    metrics: BackendMetrics,
}

/// The reason why a call has no answer.
#[derive(Debug)]
pub(super) struct Fault {
    /// A word for the counters.
    pub(super) outcome: &'static str,
    pub(super) reason: String,
    /// The time after which the same may succeed, if nothing of the call was handled.
    again_after: Option<Duration>,
    /// Whether the service is not there, so that the breaker counts it.
    is_down: bool,
}

impl Fault {
    fn new(outcome: &'static str, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: reason.into(),
            again_after: None,
            is_down: false,
        }
    }

    fn down(mut self) -> Self {
        self.is_down = true;
        self
    }
}

impl Service {
    /// # Errors
    /// A sentence about the address, or about the system's certificates.
    pub(super) fn new(
        options: ServiceOptions,
        breaker: Arc<Breaker>,
        metrics: BackendMetrics,
    ) -> Result<Self, String> {
        let url = Url::parse(&options.url).map_err(|error| format!("is no URL: {error}"))?;
        let mut client = Client::builder()
            .user_agent(concat!("stoa/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead to an address that was not configured, with a signed call.
            .redirect(redirect::Policy::none())
            // The service is near; a proxy of the environment is for the way out.
            .no_proxy()
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.max_calls);
        if url.scheme() == "http" {
            // Plain HTTP needs no certificates of the system: reading them fails where there are none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            let error = error.without_url();
            format!("can't be used: {error}; install ca-certificates, or name a file of them in SSL_CERT_FILE")
        })?;
        Ok(Self {
            url,
            client,
            key: SigningKey::new(&options.secret),
            breaker,
            options,
            metrics,
        })
    }

    /// Posts a call until it is answered, or there is no more time.
    pub(super) async fn call(&self, body: Bytes, deadline: Instant) -> Result<Answer, Fault> {
        let (retries, mut delay) = self.options.retries;
        let mut tries_left = retries;
        loop {
            let fault = match self.try_once(&body, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let Some(after) = fault.again_after.filter(|_| tries_left > 0) else {
                return Err(fault);
            };
            let wait = after.max(delay);
            // A wait beyond the deadline would only make the client's answer late.
            if Instant::now() + wait >= deadline {
                return Err(fault);
            }
            sleep(wait).await;
            tries_left -= 1;
            delay *= 2;
            self.metrics.tried_again();
        }
    }

    async fn try_once(&self, body: &Bytes, deadline: Instant) -> Result<Answer, Fault> {
        let permit = self
            .breaker
            .permit()
            .map_err(|refused| Fault::new("breaker", refused.to_string()))?;
        let answered = tokio::time::timeout_at(deadline, self.post(body.clone()))
            .await
            .unwrap_or_else(|_| {
                let reason = "the application's service did not answer in time ([backend] timeout)";
                Err(Fault::new("timeout", reason).down())
            });
        permit.settle(match &answered {
            Err(fault) if fault.is_down => Err(&fault.reason),
            // A service that answers is there, whatever its answer: one client's event must not shut all others out.
            _ => Ok(()),
        });
        answered
    }

    async fn post(&self, body: Bytes) -> Result<Answer, Fault> {
        let (timestamp, signature) = self.key.sign(&body);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(TIMESTAMP, timestamp)
            .header(SIGNATURE, signature)
            .body(body);
        let response = request.send().await.map_err(|error| {
            // A connection that never was carried nothing.
            let again_after = error.is_connect().then_some(Duration::ZERO);
            let fault = Fault::new(
                if error.is_connect() {
                    "no_connection"
                } else {
                    "broken"
                },
                error::reason(error),
            );
            Fault {
                again_after,
                ..fault.down()
            }
        })?;
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Answer::default());
        }
        if status != StatusCode::OK {
            return Err(refused(status, &response));
        }
        let body = self.read(response).await?;
        let limits = (self.options.max_operations, self.options.max_depth);
        Answer::read(&body, limits).map_err(|reason| Fault::new("garbage", reason))
    }

    /// Reads an answer as far as it may be.
    async fn read(&self, mut response: Response) -> Result<BytesMut, Fault> {
        let max = self.options.max_answer;
        let too_large = || {
            Fault::new(
                "too_large",
                format!("its answer is larger than {max} bytes ([backend] max_answer_bytes)"),
            )
        };
        let most = u64::try_from(max).unwrap_or(u64::MAX);
        if response
            .content_length()
            .is_some_and(|length| length > most)
        {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        loop {
            let chunk = response.chunk().await.map_err(|error| {
                Fault::new(
                    "broken",
                    format!("its answer broke off: {}", error::reason(error)),
                )
            })?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }
}

/// The fault in an answer with another status than success.
fn refused(status: StatusCode, response: &Response) -> Fault {
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ": it does not take the signature; [backend] secret here and the service's own (STOA_SECRET of stoa-agents) must be the same, \
             and so the time of both machines"
        }
        _ => "",
    };
    let fault = Fault::new("status", format!("it answers {status}{hint}"));
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds: u64| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    match status {
        // The service says that it handled nothing.
        StatusCode::SERVICE_UNAVAILABLE if seconds.is_some() => Fault {
            outcome: "not_now",
            again_after: seconds,
            ..fault.down()
        },
        StatusCode::SERVICE_UNAVAILABLE => fault.down(),
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => fault.down(),
        _ => fault,
    }
}
