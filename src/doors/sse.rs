//! A response of server-sent events: the queue of one observer as the body.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, future::BoxFuture};
use http::header;
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use super::queue::{ObserverQueue, Wire};
use crate::{
    access::authz::{Connection, DisconnectReason, SessionGuard},
    channel::Namespace,
    delivery::{Outgoing, Shape, WireMessage},
    emission::Emission,
    hub::Membership,
    observe::CountedConnection,
};

/// The time that the client of an ended stream has to take the reason.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The time that the client of a stream that is to come again has to take what waits.
const MOVING_TIMEOUT: Duration = Duration::from_secs(5);
/// The body for a client that is to come again: an `EventSource` does so, in a second, after an answer that ends, and never after
/// a refusal.
const ELSEWHERE: &str = "retry: 1000\n: this server is taken out of service: connect again, and another one takes you\n\n";

/// The shape of updates in `GET /api/v1/stream`.
#[derive(Debug)]
pub(crate) struct Updates;

/// The one value of [`Updates`].
pub(crate) static UPDATES: Updates = Updates;

impl Wire for Updates {
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>> {
        Some(update.shape(Shape::ServerSent, || {
            let emitted = update.emission().map(Emission::as_one_value);
            let json = emitted.as_ref().unwrap_or(&update.json);
            server_sent(Some(&update.name), update.cursor(), json).into()
        }))
    }
}

/// One server-sent event. JSON has no line breaks of its own, so one `data` line holds it.
pub(super) fn server_sent(name: Option<&str>, cursor: Option<&str>, json: &str) -> String {
    let name = name.map_or(String::new(), |name| format!("event: {name}\n"));
    let id = cursor.map_or(String::new(), |cursor| format!("id: {cursor}\n"));
    format!("{name}{id}data: {json}\n\n")
}

/// The response for a client that is a member of the hub.
pub(super) fn response(
    queue: Arc<ObserverQueue>,
    heartbeat: Duration,
    membership: Membership,
    (session, counted): (SessionGuard, CountedConnection),
    ending: Arc<Ending>,
) -> Response {
    let body = Events {
        queue,
        heartbeat: every(heartbeat),
        _membership: membership,
        _session: session,
        _counted: counted,
        _ending: ending,
    };
    events(Body::from_stream(body))
}

/// The response for a client that another node is to take.
pub(super) fn elsewhere() -> Response {
    events(Body::from(ELSEWHERE))
}

fn events(body: Body) -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            // nginx would buffer the events otherwise.
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ],
        body,
    )
        .into_response()
}

fn every(heartbeat: Duration) -> Interval {
    let mut interval = tokio::time::interval(heartbeat);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    interval
}

/// The body of the response.
struct Events {
    queue: Arc<ObserverQueue>,
    /// A heartbeat, since proxies end silent connections.
    heartbeat: Interval,
    /// Leaves the hub when the body ends.
    _membership: Membership,
    /// Leaves the list of sessions when the body ends.
    _session: SessionGuard,
    /// Counts the stream until the body ends.
    _counted: CountedConnection,
    /// Keeps the entry alive by which the session can be ended; the list holds it weakly.
    _ending: Arc<Ending>,
}

/// A stream as the list of sessions ends it.
#[derive(Debug)]
pub(super) struct Ending {
    queue: Arc<ObserverQueue>,
    /// Ends the connection after the client has had time to take the last message.
    hangup: Option<CancellationToken>,
    /// Whether the client was told to come again.
    is_moved: AtomicBool,
}

impl Ending {
    /// The end of a stream that has this queue.
    pub(super) fn new(queue: Arc<ObserverQueue>, hangup: Option<CancellationToken>) -> Arc<Self> {
        Arc::new(Self {
            queue,
            hangup,
            is_moved: AtomicBool::new(false),
        })
    }
}

impl Connection for Ending {
    fn end(&self, why: DisconnectReason) {
        let body = Value::Object(why.refusal().to_event(None)).to_string();
        self.queue
            .end_with(&Outgoing::new(Namespace::Root, "error", body));
        let hangup = self.hangup.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LAST_WORD).await;
            if let Some(hangup) = hangup {
                hangup.cancel();
            }
        });
    }

    fn make_ready(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // The body ends when it is taken, and the client leaves the hub with that.
            self.queue.finish();
            let is_taken = timeout(MOVING_TIMEOUT, self.queue.taken()).await;
            if is_taken.is_err() {
                self.queue.cut();
                if let Some(hangup) = &self.hangup {
                    hangup.cancel();
                }
            }
        })
    }

    fn hang_up(&self) -> bool {
        !self.is_moved.swap(true, Ordering::AcqRel)
    }
}

impl Stream for Events {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.queue.poll_next(cx) {
            Poll::Ready(piece) => {
                // The connection writes a piece of its body before it asks for the next one.
                self.queue.written();
                self.heartbeat.reset();
                Poll::Ready(piece.map(Ok))
            }
            Poll::Pending => self
                .heartbeat
                .poll_tick(cx)
                .map(|_| Some(Ok(Bytes::from_static(b": alive\n\n")))),
        }
    }
}
