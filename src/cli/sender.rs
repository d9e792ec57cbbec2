//! Sends one part to the server, and reads the outcome of its events.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE, redirect};
use serde::Deserialize;

use super::{output, trust, url};

/// The pauses before each further try.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The time that a server has to say that it is there.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// The answer of `POST /api/v1/events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Receipt {
    /// Events that the server keeps now.
    pub accepted: u64,
    /// Events that the server had already.
    pub duplicates: u64,
    /// Events that the server rejected.
    pub rejected: Vec<Rejected>,
    /// The reason why the server took nothing.
    error: Option<Reason>,
}

/// An event that the server rejected.
#[derive(Debug, Deserialize)]
pub(super) struct Rejected {
    /// The index in the part.
    pub index: usize,
    /// The reason.
    pub error: Reason,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    /// One of the contract's codes.
    pub code: String,
    /// For people.
    pub message: String,
}

/// The reason why a part could not be sent.
#[derive(Debug)]
pub(super) struct Unsent {
    /// The failure, in words.
    pub reason: String,
    /// The connection broke on the way: the server may have taken the events all the same.
    pub unknown: bool,
    /// The status of the answer, if there was one.
    pub status: Option<StatusCode>,
}

/// The outcome of a failed try.
#[derive(Debug)]
pub(super) enum Missed {
    /// Nothing was taken, and a later try may succeed.
    Later(Unsent),
    /// A later try would fail too, or nobody knows what was taken.
    Final(Unsent),
}

pub(super) struct Sender {
    client: Client,
    /// The server as it was named, for messages.
    server: String,
    events: Url,
    /// The path that answers whoever asks, as long as the server is there.
    health: Url,
    /// The token to send.
    token: Option<String>,
    /// Whether the server has answered before; then the command waits for it when it goes away.
    known: bool,
}

impl Sender {
    pub(super) fn new(
        server: &Url,
        token: Option<String>,
        ca: Option<&Path>,
    ) -> Result<Self, String> {
        let client = client_of(server, ca)?;
        Ok(Self {
            client,
            server: url::shown(server).to_owned(),
            events: url::below(server, "api/v1/events"),
            health: url::below(server, "healthz"),
            token,
            known: false,
        })
    }

    /// The same for another path than that of events.
    pub(super) fn to(self, server: &Url, path: &str) -> Self {
        Self {
            events: url::below(server, path),
            ..self
        }
    }

    /// Sends one part; waits for a server that is restarted or busy.
    ///
    /// Only events that surely were not taken are sent again. When a connection breaks on the way, nobody knows: a
    /// second try would be harmless for events with their own ids, and would double the others. Minting ids here does
    /// not help: they would be other ids when the same file is published again, and hide exactly those duplicates.
    pub(super) async fn send(&mut self, body: Bytes) -> Result<Receipt, Unsent> {
        let mut pauses = PAUSES.iter();
        loop {
            match self.once(body.clone()).await {
                Ok(receipt) => {
                    self.known = true;
                    return Ok(receipt);
                }
                Err(Missed::Final(unsent)) => return Err(unsent),
                Err(Missed::Later(unsent)) => match pauses.next() {
                    Some(pause) if self.known => tokio::time::sleep(*pause).await,
                    _ => return Err(unsent),
                },
            }
        }
    }

    /// Asks whether the server is there; why not, in words.
    pub(super) async fn is_there(&self) -> Result<(), String> {
        let answer = self.client.get(self.health.clone());
        let answer = answer.timeout(HEALTH_PATIENCE).send().await;
        let status = answer
            .map_err(|error| match self.missed(&error) {
                Missed::Later(unsent) | Missed::Final(unsent) => unsent.reason,
            })?
            .status();
        match status.is_server_error() {
            true => Err(format!("{} answered {status}", self.server)),
            false => Ok(()),
        }
    }

    /// Sends one part, once.
    pub(super) async fn once(&mut self, body: Bytes) -> Result<Receipt, Missed> {
        let request = self
            .client
            .post(self.events.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(body);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.map_err(|error| self.missed(&error))?;
        let status = answer.status();
        let text = answer.bytes().await.map_err(|error| self.missed(&error))?;
        let receipt = serde_json::from_slice::<Receipt>(&text);
        let told = |receipt: Option<&Receipt>| {
            let reason = receipt.and_then(|r| r.error.as_ref());
            let has_token = self.token.is_some();
            let reason =
                reason.map(|e| format!(": {}", output::refusal(&e.code, &e.message, has_token)));
            Unsent {
                reason: format!(
                    "{} answered {status}{}",
                    self.server,
                    reason.unwrap_or_default()
                ),
                unknown: false,
                status: Some(status),
            }
        };
        match (status, receipt) {
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, receipt) => {
                // The server answers, so it is worth waiting for later.
                self.known = true;
                Err(Missed::Later(told(receipt.as_ref().ok())))
            }
            (StatusCode::ACCEPTED | StatusCode::OK, Ok(receipt)) => Ok(receipt),
            // An answer that rejects all events is an answer too, with the reasons one by one.
            (StatusCode::BAD_REQUEST, Ok(receipt)) if !receipt.rejected.is_empty() => Ok(receipt),
            (_, Ok(receipt)) if receipt.error.is_some() => Err(Missed::Final(told(Some(&receipt)))),
            _ => {
                let mut unsent = told(None);
                unsent.reason.push_str("; is that a Stoa?");
                Err(Missed::Final(unsent))
            }
        }
    }

    fn missed(&self, error: &reqwest::Error) -> Missed {
        let unsent = |what: &str, unknown| Unsent {
            reason: format!("{what} {}: {}", self.server, root_cause(error)),
            unknown,
            status: None,
        };
        let cause = root_cause(error);
        if trust::is_reason(&cause) {
            // The other side speaks no HTTP, and would not the next time.
            Missed::Final(unsent("can't speak with", false))
        } else if error.is_connect() {
            Missed::Later(unsent("can't reach", false))
        } else {
            Missed::Final(unsent("lost the connection to", true))
        }
    }
}

/// A client of HTTP for a server.
///
/// # Errors
/// The certificate can't be read, in words.
pub(super) fn client_of(server: &Url, ca: Option<&Path>) -> Result<Client, String> {
    let mut client = Client::builder();
    if let Some(ca) = ca {
        client = client.tls_backend_preconfigured(trust::only(ca)?);
    } else if server.scheme() == "http" {
        // Plain HTTP needs no certificates of the system: reading them takes time, and fails where there are none.
        client = client.tls_certs_only([]);
    }
    client
        // The server is near, and a proxy for the internet would be in the way.
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(60))
        .user_agent(concat!("stoa/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("can't start: {}", root_cause(&error)))
}

/// The innermost error says what happened; those around it only where.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
        .downcast_ref::<std::io::Error>()
        .map_or_else(|| output::reason(cause.to_string()), output::io_reason)
}
