//! `GET /api/v1/stream`: the updates as server-sent events, for whoever has no Socket.IO client.
//!
//! The event's name is the update's, its data the same JSON, its id the cursor: an `EventSource` that reconnects sends it
//! back as `Last-Event-ID` and goes on where it was.

mod lane;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use futures_util::Stream;
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Api;
use crate::{
    access::{self, Filter, Identity, OBSERVERS},
    event::Timestamp,
    hub::{Membership, Newcomer, View, Welcome},
    net::Hangup,
    refusal::Refusal,
    update::Namespace,
};
use lane::{Lane, StreamOutlet};

/// Limits on a stream, as on a Socket.IO client.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// The room that everybody is in.
    pub default_room: String,
    /// How many rooms may be asked for.
    pub max_rooms: usize,
    /// Bytes that may wait.
    pub max_bytes: usize,
    /// How long a client may fetch nothing while something waits.
    pub stall: Duration,
    /// How often a quiet stream shows that it is alive.
    pub heartbeat: Duration,
}

/// The query: lists are written with commas.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    rooms: Option<String>,
    types: Option<String>,
    exclude: Option<String>,
    projects: Option<String>,
    agents: Option<String>,
    runs: Option<String>,
    min_priority: Option<String>,
    cursor: Option<String>,
    snapshot: Option<String>,
}

pub(super) async fn stream(
    State(api): State<Api>,
    Query(wanted): Query<Wanted>,
    hangup: Option<axum::Extension<Hangup>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let filter = wanted.filter()?;
    let rooms = wanted.rooms(&api.stream)?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let resume = last.map(str::to_owned).or(wanted.cursor);
    let lane = Lane::new(api.stream.max_bytes);
    let id: Arc<str> = uuid::Uuid::now_v7().to_string().into();
    let newcomer = Newcomer {
        outlet: Arc::new(StreamOutlet(lane.clone())),
        namespace: Namespace::Root,
        client_id: id.clone(),
        user: None,
        view: View::Filter(filter),
        batch: false,
    };
    let welcome = Welcome {
        rooms,
        own_rooms: Vec::new(),
        greeting: greeting(&id),
        snapshot: wanted.snapshot.is_some_and(|s| s == "1" || s == "true"),
        resume: resume.filter(|cursor| !cursor.is_empty()),
    };
    let membership = api.hub.join(newcomer, welcome).await?;
    let hangup = hangup.map(|axum::Extension(Hangup(token))| token);
    let body = Events {
        lane,
        heartbeat: heartbeat(api.stream.heartbeat),
        _membership: membership,
        hangup,
    };
    body.watch(&api);
    Ok((
        [
            (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            // nginx would gather the events otherwise.
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ],
        Body::from_stream(body),
    )
        .into_response())
}

fn greeting(id: &str) -> (&'static str, crate::event::Object) {
    let now = Timestamp::now().to_string();
    let body = json!({
        "type": "connection_established", "client_id": id, "session_id": id, "connection_id": id,
        "server_time": now, "timestamp": now, "role": "observer",
        "server": { "name": "stoa", "version": env!("CARGO_PKG_VERSION") },
    });
    match body {
        Value::Object(body) => ("connection_established", body),
        _ => ("connection_established", crate::event::Object::new()),
    }
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Refusal> {
        let list = |text: &Option<String>| match text {
            Some(text) => json!(words(text).collect::<Vec<_>>()),
            None => Value::Null,
        };
        Filter::parse(&json!({
            "types": list(&self.types),
            "exclude": list(&self.exclude),
            "projects": list(&self.projects),
            "agents": list(&self.agents),
            "runs": list(&self.runs),
            "min_priority": self.min_priority,
        }))
    }

    /// The rooms asked for and no others; without any, those of every observer.
    fn rooms(&self, options: &StreamOptions) -> Result<Vec<Arc<str>>, Refusal> {
        let asked: Vec<&str> = self
            .rooms
            .as_deref()
            .map_or(Vec::new(), |r| words(r).collect());
        if asked.is_empty() {
            return Ok(vec![options.default_room.as_str().into(), OBSERVERS.into()]);
        }
        if asked.len() > options.max_rooms {
            return Err(access::too_many_rooms(options.max_rooms));
        }
        let who = Identity::default();
        for room in &asked {
            access::check_room(room, &who, &options.default_room, &[])?;
        }
        Ok(asked.into_iter().map(Into::into).collect())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn heartbeat(every: Duration) -> Interval {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    interval
}

/// The response's body.
struct Events {
    lane: Arc<Lane>,
    heartbeat: Interval,
    /// Ends with the body.
    _membership: Membership,
    /// Ends the connection.
    hangup: Option<CancellationToken>,
}

impl Events {
    /// Hangs up on a client that fetches nothing: its connection would wait for ever, and what is kept for it too.
    fn watch(&self, api: &Api) {
        let (lane, stall) = (Arc::downgrade(&self.lane), api.stream.stall);
        let (hangup, metrics) = (self.hangup.clone(), api.metrics.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(stall / 4).await;
                let Some(lane) = lane.upgrade() else { return };
                if lane.stalled() >= stall {
                    metrics.killed("stalled");
                    if let Some(hangup) = hangup {
                        hangup.cancel();
                    }
                    return;
                }
            }
        });
    }
}

impl Stream for Events {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.lane.poll_next(cx) {
            Poll::Ready(piece) => {
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
