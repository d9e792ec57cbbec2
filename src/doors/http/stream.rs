//! `GET /api/v1/stream`: the updates as server-sent events, for clients without Socket.IO.
//!
//! The event's name is the update's, its data the same JSON, its id the cursor: an `EventSource` that reconnects sends
//! the cursor back as `Last-Event-ID`, and the stream resumes there.

use std::{sync::Arc, time::Instant};

use axum::{extract::State, response::Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::Api,
    caller::Caller,
    extract::{Filters, Parameters},
};
use crate::{
    access::{
        self, Identity,
        authz::{Filter, OBSERVERS, Origin, room_name, unlisted_rooms},
    },
    channel::Namespace,
    doors::{
        queue::{ObserverQueue, QueueOutlet},
        sse,
    },
    error::Error,
    hub::{JoinReply, JoinRequest, Subscription},
    net::PeerClosed,
    observe::ConnectionKind,
    timestamp::Timestamp,
    update::UpdateShape,
};

/// The query: lists are written with commas.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// The rooms to be in, with commas.
    rooms: Option<String>,
    /// Names and globs that pass the filter.
    types: Option<String>,
    /// Names and globs that don't pass.
    exclude: Option<String>,
    /// Projects that pass.
    projects: Option<String>,
    /// Agents that pass.
    agents: Option<String>,
    /// Runs that pass.
    runs: Option<String>,
    /// The least priority that passes.
    min_priority: Option<String>,
    /// The cursor, for clients that can't set `Last-Event-ID` on the first request.
    cursor: Option<String>,
    /// The cursor of clients that can never set that header (event-source-polyfill).
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
    /// Whether a snapshot comes first.
    snapshot: Option<String>,
    /// The shape of the updates.
    shape: Option<String>,
}

impl Parameters for Wanted {
    const NAMES: &'static [&'static str] = &[
        "rooms",
        "types",
        "exclude",
        "projects",
        "agents",
        "runs",
        "min_priority",
        "cursor",
        "lastEventId",
        "snapshot",
        "shape",
    ];
    // Parameters that Socket.IO clients send as they connect.
    const PASSED_OVER: &'static [&'static str] = &["name", "role", "batch"];
}

pub(super) async fn stream(
    State(api): State<Api>,
    caller: Result<Caller, Error>,
    wanted: Result<Filters<Wanted>, Error>,
    hangup: Option<axum::Extension<PeerClosed>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let metrics = api.metrics.clone();
    let count = |refusal: &Error| metrics.refused("http", refusal);
    let opened = async {
        // Refusals of these two are counted where they are made.
        let (caller, Filters(wanted)) = (caller?, wanted?);
        if api.drain.admit("sse").is_err() {
            return Ok(sse::elsewhere());
        }
        let opened = open(api, caller, wanted, hangup, headers).await;
        opened.inspect_err(count)
    };
    opened.await.inspect_err(|_| metrics.usage.turned_away())
}

async fn open(
    api: Api,
    caller: Caller,
    wanted: Wanted,
    hangup: Option<axum::Extension<PeerClosed>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let requested = Instant::now();
    let caller = caller.watching();
    let filter = wanted.filter()?;
    let shape = match &wanted.shape {
        Some(name) => UpdateShape::read(name, "shape")?,
        None => UpdateShape::default(),
    };
    let rooms = wanted.rooms(&api, &caller.who).await?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let given = wanted
        .last_event_id
        .filter(|id| !id.is_empty())
        .or(wanted.cursor);
    let resume = last.map(str::to_owned).or(given);
    let queue = ObserverQueue::new(
        &sse::UPDATES,
        api.stream.max_bytes,
        api.metrics.sockets.clone(),
    );
    let id: Arc<str> = crate::event::mint_id().to_string().into();
    let request = JoinRequest {
        outlet: Arc::new(QueueOutlet(queue.clone())),
        namespace: Namespace::Root,
        client_id: id.clone(),
        user: caller.who.user.clone(),
        subscription: Subscription::Filter(filter),
        permissions: caller.who.permissions.clone(),
        batch: false,
        shape,
        silent: false,
    };
    let welcome = JoinReply {
        rooms,
        placed: Vec::new(),
        own_rooms: unlisted_rooms(&caller.who).into_iter().collect(),
        greeting: Some(greeting(&id, &caller.who, shape)),
        snapshot: wanted.snapshot.is_some_and(|s| s == "1" || s == "true"),
        state: Vec::new(),
        requested,
        resume: resume.filter(|cursor| !cursor.is_empty()).map(Into::into),
    };
    let membership = api.hub.join(request, welcome).await?;
    let hangup = hangup.map(|axum::Extension(PeerClosed(token))| token);
    let ending = sse::Ending::new(queue.clone(), hangup);
    let origin = Origin {
        client_id: id,
        transport: "sse",
        namespace: Namespace::Root.path(),
        address: caller.address,
    };
    let session = api.authenticator.begin(&origin, &caller.who, &ending)?;
    api.metrics.usage.came_by("sse");
    let counted = api.metrics.client_begins(ConnectionKind {
        transport: "sse",
        door: "sse",
        role: caller.who.role.as_str(),
    });
    let heartbeat = api.stream.heartbeat;
    let counts = (session, counted);
    Ok(sse::response(queue, heartbeat, membership, counts, ending))
}

fn greeting(id: &str, who: &Identity, shape: UpdateShape) -> (&'static str, crate::event::Object) {
    let now = Timestamp::now().to_string();
    let body = json!({
        "type": "connection_established", "client_id": id, "session_id": id, "connection_id": id,
        "server_time": now, "timestamp": now, "role": who.role, "user": who.user, "expires_at": who.expires.map(Timestamp::from),
        "shape": shape.as_str(),
        "server": { "name": "stoa", "version": env!("CARGO_PKG_VERSION") },
    });
    match body {
        Value::Object(body) => ("connection_established", body),
        _ => ("connection_established", crate::event::Object::new()),
    }
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Error> {
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

    /// The rooms asked for and no others; if none are, those of every observer.
    async fn rooms(&self, api: &Api, who: &Identity) -> Result<Vec<Arc<str>>, Error> {
        let options = &api.stream;
        let asked: Vec<String> = self.rooms.as_deref().map_or(Vec::new(), |r| {
            words(r).map(room_name::from_query).collect()
        });
        if asked.is_empty() {
            return Ok(vec![options.default_room.as_str().into(), OBSERVERS.into()]);
        }
        if asked.len() > options.max_rooms {
            return Err(access::authz::too_many_rooms(options.max_rooms));
        }
        let fixed = (options.default_room.as_str(), &[][..]);
        let rooms = asked.iter().map(String::as_str);
        api.authenticator.check_rooms(rooms, who, fixed)?;
        Ok(asked.into_iter().map(Into::into).collect())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}
