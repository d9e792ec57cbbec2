//! `/ws/visualization`: workflow visualization, for screens that draw a graph and for programs that change it.
//!
//! In come visual updates, each answered `{"status":"accepted","update_id"}` or `{"status":"error","error"}`; out go the
//! updates of all others, singly or as `UpdateBatch`. There is no greeting: the first message that a client reads is the answer to its own.

mod batch;
mod incoming;
mod monitor;
mod outgoing;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    context::Context,
    opening::{NOT_SENT, Opening},
    protocol::{Handled, Protocol},
    served::{identify, serve},
    session::Session,
};
use crate::{
    access::{
        Identity,
        authz::{Filter, OBSERVERS, room_name, too_many_rooms},
    },
    config::Role,
    doors::{
        batching::{Batching, Manner},
        query,
    },
    error::Error,
    event::Object,
    update::UpdateShape,
};

pub use monitor::watch_queues;

/// The name of the door in counters.
const DOOR: &str = "visualization";
/// The parameters of the query.
const PARAMETERS: [&str; 7] = [
    "cursor",
    "batch",
    "rooms",
    "types",
    "projects",
    "agents",
    "min_priority",
];

/// The path of the door on the server's own port.
pub const PATH: &str = "/ws/visualization";

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route(PATH, get(connect))
        .route(&format!("{PATH}/"), get(connect))
}

/// The door for a port of its own.
pub(super) fn at_every_path() -> Router<Context> {
    Router::new().fallback(connect)
}

/// The query: lists are written with commas.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// The cursor to go on from.
    cursor: Option<String>,
    /// Whether updates come in batches.
    batch: Option<String>,
    /// The rooms to be in; without any, those of every observer.
    rooms: Option<String>,
    /// Names and globs of updates that pass the filter.
    types: Option<String>,
    /// Projects that pass.
    projects: Option<String>,
    /// Agents that pass.
    agents: Option<String>,
    /// The least priority that passes.
    min_priority: Option<String>,
}

async fn connect(
    State(context): State<Context>,
    request: Request<Body>,
) -> Result<Response, Error> {
    // Everybody who is asked for no token may change the graph, as at the seed's own server.
    let visitor = identify(&context, DOOR, request.extensions(), Role::Producer).await?;
    let wanted: Wanted = query::of(request.uri(), &PARAMETERS, &["name", "role"])
        .map_err(|message| context.bad_request(DOOR, message))?;
    let count = |refusal: &Error| context.metrics.turned_away(DOOR, refusal);
    let filter = wanted.filter().inspect_err(count)?;
    let rooms = wanted.rooms(&context, &visitor.who).inspect_err(count)?;
    let batches = matches!(wanted.batch.as_deref(), Some("1" | "true"));
    let opening = move |_: &Arc<str>, _: &Identity| Opening {
        wire: &outgoing::UPDATES,
        rooms,
        filter,
        greeting: (outgoing::GREETING, Object::new()),
        snapshot: false,
        state: None,
        cursor: wanted.cursor,
        batch: false,
        shape: UpdateShape::Full,
    };
    Ok(serve(
        context,
        DOOR,
        request,
        visitor,
        opening,
        Visualization { batches },
    ))
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Error> {
        let list = |text: &Option<String>| match text {
            Some(text) => json!(words(text).collect::<Vec<_>>()),
            None => Value::Null,
        };
        Filter::parse(&json!({
            "types": list(&self.types),
            "exclude": NOT_SENT,
            "projects": list(&self.projects),
            "agents": list(&self.agents),
            "min_priority": self.min_priority,
        }))
    }

    /// The rooms that were asked for and no others; if none were, the room of all observers.
    fn rooms(&self, context: &Context, who: &Identity) -> Result<Vec<Arc<str>>, Error> {
        let asked: Vec<String> = self.rooms.as_deref().map_or(Vec::new(), |rooms| {
            words(rooms).map(room_name::from_query).collect()
        });
        if asked.is_empty() {
            return Ok(vec![OBSERVERS.into()]);
        }
        if asked.len() > context.options.max_rooms {
            return Err(too_many_rooms(context.options.max_rooms));
        }
        let rooms = asked.iter().map(String::as_str);
        context.authenticator.check_rooms(rooms, who, ("", &[]))?;
        Ok(asked.into_iter().map(Into::into).collect())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// The protocol: each message of a client is an update of the graph.
struct Visualization {
    /// Whether the client takes batches.
    batches: bool,
}

impl Protocol for Visualization {
    // Python's `json.loads` reads bytes as well as a text, and so does the server that the clients know.
    const READS_BYTES: bool = true;

    fn manner(&self, context: &Context) -> Manner {
        let (size, window) = context.options.batches;
        let write = batch::write;
        Manner {
            batching: self.batches.then_some(Batching {
                size,
                window,
                write,
            }),
            depths: Some(context.depths.clone()),
        }
    }

    async fn receive(&self, session: &Session, text: &str) -> Result<Handled, Error> {
        session.used("publish");
        match incoming::publish(session, text).await? {
            Ok(id) => session.answer(&json!({ "status": "accepted", "update_id": id })),
            Err(refusal) => session.tell(&refusal, None),
        }
        Ok(Handled::Counted)
    }
}
