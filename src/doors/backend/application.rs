//! The way of a call: whether it belongs to the service, its turn, the answer, and the words for a client when there is
//! none.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    answer::Answer,
    call::{CallKind, Subject},
    metrics::BackendMetrics,
    service::{Fault, Service, ServiceOptions},
    signature::SigningKey,
    told::{OncePerMinute, shown},
    turns::{NoTurn, Turns, WaitingBytes},
    waiting::Waiting,
};
use crate::{breaker::Breaker, error::Error, observe::quoted, pattern::Patterns};

/// The outcome of a call that can't be written.
const UNWRITTEN: &str = "unwritten";

/// Whether a call with this outcome never reached the service, so that it may be made again.
pub(crate) fn was_not_handed_over(outcome: &str) -> bool {
    matches!(
        outcome,
        "no_connection"
            | "not_now"
            | "breaker"
            | "too_many_waiting"
            | "too_many_bytes"
            | "waited_too_long"
    )
}

/// The settings of calls to the service.
#[derive(Clone)]
pub(crate) struct BackendOptions {
    pub(crate) service: ServiceOptions,
    /// The events that belong to the service, of those that Stoa does not know.
    pub(crate) events: Patterns,
    /// Stoa's own events that the service is asked about first.
    pub(crate) overrides: Patterns,
    pub(crate) namespaces: Patterns,
    pub(crate) connect: bool,
    pub(crate) disconnect: bool,
    /// The time for which a disconnect is tried again that was not handed over.
    pub(crate) disconnect_patience: Duration,
    /// The headers that the service is shown, and their bytes together.
    pub(crate) headers: (Vec<HeaderName>, usize),
    /// Bytes of a client's query string.
    pub(crate) max_query: usize,
    pub(crate) timeout: Duration,
    pub(crate) max_wait: Duration,
    pub(crate) max_waiting: usize,
    pub(crate) max_waiting_bytes: usize,
}

/// The application's service, as the doors use it.
pub(crate) struct Backend {
    service: Service,
    turns: Turns,
    told: OncePerMinute,
    farewells: Waiting,
    options: BackendOptions,
    pub(crate) metrics: BackendMetrics,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backend")
    }
}

impl Backend {
    /// # Errors
    /// A sentence about `[backend] url`.
    pub(crate) fn new(
        options: BackendOptions,
        breaker: Arc<Breaker>,
        metrics: BackendMetrics,
    ) -> Result<Arc<Self>, String> {
        let turns = Turns::new(
            options.service.max_calls,
            options.max_waiting,
            options.max_waiting_bytes,
            metrics.clone(),
        );
        let service = Service::new(options.service.clone(), breaker, metrics.clone())?;
        Ok(Arc::new(Self {
            service,
            turns,
            told: OncePerMinute::default(),
            farewells: Waiting::new(options.max_waiting, metrics.disconnects_waiting.clone()),
            options,
            metrics,
        }))
    }

    /// Whether clients of a namespace are the service's.
    pub(crate) fn serves(&self, namespace: &str) -> bool {
        self.options.namespaces.matches(namespace)
    }

    /// Whether an event that Stoa does not know belongs to the service.
    pub(crate) fn takes(&self, event: &str) -> bool {
        self.options.events.matches(event)
    }

    /// Whether the service is asked first about one of Stoa's own events.
    pub(crate) fn overrides(&self, event: &str) -> bool {
        self.options.overrides.matches(event)
    }

    /// Whether the service is asked before a client is let in.
    pub(crate) fn is_asked(&self) -> bool {
        self.options.connect
    }

    /// Whether the service is told of clients that left.
    pub(crate) fn is_told(&self) -> bool {
        self.options.disconnect
    }

    /// The disconnects that wait for a further try.
    pub(super) fn farewells(&self) -> &Waiting {
        &self.farewells
    }

    /// The time for which a disconnect is tried again.
    pub(super) fn disconnect_patience(&self) -> Duration {
        self.options.disconnect_patience
    }

    /// Counts the bytes of client events that wait.
    pub(crate) fn waiting_bytes(&self) -> &Arc<WaitingBytes> {
        &self.turns.bytes
    }

    /// The secret by which the service proves itself.
    pub(crate) fn key(&self) -> &SigningKey {
        &self.service.key
    }

    /// The headers of a request that the service may see; a repeated one is joined.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Value {
        let (names, mut left) = (&self.options.headers.0, self.options.headers.1);
        let mut shown = Map::new();
        for name in names {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            if values.is_empty() {
                continue;
            }
            let parts: Vec<_> = values
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            let joined = parts.join(if name == "cookie" { "; " } else { ", " });
            let size = name.as_str().len() + joined.len();
            if size > left {
                self.metrics.headers_left_out.inc();
                continue;
            }
            left -= size;
            shown.insert(name.as_str().to_owned(), joined.into());
        }
        Value::Object(shown)
    }

    /// Checks the query string that the service would be shown.
    ///
    /// # Errors
    /// `too_large`: applications keep it with the client's session data.
    pub(crate) fn check_query(&self, query: &str) -> Result<(), Error> {
        let max = self.options.max_query;
        if query.len() <= max {
            return Ok(());
        }
        Err(Error::new(
            "too_large",
            format!(
                "the query string has {} bytes, {max} are allowed ([backend] max_query_bytes); give data as auth",
                query.len()
            ),
        ))
    }

    /// Makes a call, which has waited since `since` already.
    ///
    /// # Errors
    /// `backend_unavailable`, `timeout`, `overloaded`: words for the client, without the reason, which the log has.
    pub(crate) async fn call(
        &self,
        kind: CallKind<'_>,
        subject: Subject<'_>,
        since: Instant,
    ) -> Result<Answer, Error> {
        let answer = self.attempt(&kind, subject, since).await;
        answer.map_err(words)
    }

    /// The same; a call without an answer has the word of its outcome.
    pub(crate) async fn attempt(
        &self,
        kind: &CallKind<'_>,
        subject: Subject<'_>,
        since: Instant,
    ) -> Result<Answer, &'static str> {
        self.hand_over(kind, || kind.body(&subject), since).await
    }

    /// The same with a body that is written when the call has its turn.
    pub(super) async fn hand_over(
        &self,
        kind: &CallKind<'_>,
        body: impl FnOnce() -> serde_json::Result<Bytes>,
        since: Instant,
    ) -> Result<Answer, &'static str> {
        let latest = since + self.options.max_wait;
        let turn = if Instant::now() < latest {
            self.turns.take(latest, kind.size()).await
        } else {
            Err(NoTurn::Late)
        };
        let turn = turn.map_err(|why| self.no_turn(kind, why))?;
        let body = body().map_err(|error| {
            self.failed(kind, UNWRITTEN, &error.to_string());
            UNWRITTEN
        })?;
        let began = Instant::now();
        let answer = self.service.call(body, began + self.options.timeout).await;
        drop(turn);
        self.metrics.took(began.elapsed().as_secs_f64());
        match answer {
            Ok(answer) => {
                self.answered(kind, &answer);
                Ok(answer)
            }
            Err(Fault {
                outcome, reason, ..
            }) => {
                self.failed(kind, outcome, &reason);
                Err(outcome)
            }
        }
    }

    fn no_turn(&self, kind: &CallKind<'_>, why: NoTurn) -> &'static str {
        let (outcome, reason) = match why {
            NoTurn::ManyCalls => ("too_many_waiting", "[backend] max_waiting"),
            NoTurn::ManyBytes => ("too_many_bytes", "[backend] max_waiting_bytes"),
            NoTurn::Late => ("waited_too_long", "[backend] max_wait"),
        };
        self.failed(kind, outcome, reason);
        outcome
    }

    fn answered(&self, kind: &CallKind<'_>, answer: &Answer) {
        let outcome = match answer {
            Answer {
                unhandled: true, ..
            } => "unhandled",
            Answer {
                refuse: Some(_), ..
            } => "refused",
            _ => "ok",
        };
        self.metrics.ended(kind.name(), outcome);
        let name = kind.event();
        if outcome == "unhandled"
            && name != kind.name()
            && let Some(times) = self.told.due(outcome, name)
        {
            let event = shown(name);
            tracing::warn!(
                event,
                times,
                "the application's service has no handler for this event"
            );
        }
        if let Some(refusal) = &answer.refuse
            && let Some(times) = self.told.due(outcome, name)
        {
            let (event, said) = (shown(name), quoted(&refusal.message));
            tracing::info!(event, times, said, "the application's service refuses this");
        }
    }

    fn failed(&self, kind: &CallKind<'_>, outcome: &'static str, reason: &str) {
        self.metrics.ended(kind.name(), outcome);
        let name = kind.event();
        if let Some(times) = self.told.due(outcome, name) {
            let (event, reason) = (shown(name), quoted(reason));
            tracing::warn!(
                event,
                times,
                outcome,
                reason,
                "the application's service gave no answer"
            );
        }
    }

    /// Logs once a minute that something which the service wanted could not be done.
    pub(crate) fn not_done(&self, operation: &'static str, refusal: &Error) {
        if let Some(times) = self.told.due(operation, refusal.code) {
            let reason = quoted(&refusal.to_string());
            tracing::warn!(
                operation,
                times,
                reason,
                "an operation of the application's service failed"
            );
        }
    }
}

impl CallKind<'_> {
    /// The name by which a call is logged: that of the event, else of the kind.
    fn event(&self) -> &str {
        match self {
            Self::Event { event, .. } => event,
            _ => self.name(),
        }
    }
}

/// The words for a client whose call has no answer. The reason may name what is behind the server, so it is not told.
pub(crate) fn words(outcome: &'static str) -> Error {
    match outcome {
        UNWRITTEN => Error::bad_request("the event can't be written as JSON"),
        "timeout" => Error::new(
            "timeout",
            "the application's service did not answer in time; whether it handled this is not known",
        ),
        "too_many_waiting" | "too_many_bytes" => Error::new(
            "overloaded",
            "too much waits for the application's service; this was not handed over, so try again later",
        )
        .elsewhere(),
        "waited_too_long" => Error::new(
            "timeout",
            "this waited too long for the application's service and was not handed over; try again later",
        ),
        "no_connection" | "not_now" | "breaker" => Error::new(
            "backend_unavailable",
            "the application's service can't be reached, or takes nothing now; this was not handed over, so try again later",
        ),
        _ => Error::new(
            "backend_unavailable",
            "the application's service failed; its log and this server's say why",
        ),
    }
}
