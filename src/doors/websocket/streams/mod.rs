//! `/api/stream/projects/…`: the events of a project, of an ingest job, of an agent's run or of a workflow's run, over a
//! WebSocket or as server-sent events at the same path.
//!
//! ```text
//!  path ─▶ rooms, checked ─▶ the state of the run (without a cursor) ─▶ its events in the order published
//! ```

mod shape;
mod state;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    context::Context,
    observed::observe,
    opening::{Opening, all_but_siblings},
    protocol::{Handled, Protocol},
    served::{identify, serve},
    session::{Session, now, object},
};
use crate::{
    access::{Identity, authz::room_name},
    config::Role,
    delivery::{Outgoing, Shape, WireMessage},
    doors::{handshake, query, queue::Wire, sse},
    error::Error,
    event::ThingKind,
    update::UpdateShape,
};

/// The name of the door in counters.
const DOOR: &str = "streams";

/// The routes of the streams.
pub(super) fn routes() -> Router<Context> {
    let mut routes = Router::new();
    for rest in [
        "",
        "/ingest/{job}",
        "/agent-runs/{run}",
        "/workflows/runs/{run}",
    ] {
        let path = format!("/api/stream/projects/{{project}}{rest}");
        routes = routes.route(&path, get(connect));
    }
    routes
}

/// The query.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// The cursor to go on from.
    cursor: Option<String>,
    /// The cursor of clients that can't set `Last-Event-ID` (event-source-polyfill).
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
}

/// The thing that a path names.
#[derive(Debug)]
struct Followed {
    project: String,
    /// The run; none for the whole project.
    thing: Option<(ThingKind, String)>,
}

impl Followed {
    /// Reads a path of one of the routes.
    fn read(path: &str) -> Result<Self, String> {
        let names = path.split('/').skip(4).map(|name| {
            let name = percent_decode_str(name).decode_utf8();
            name.map(String::from)
                .map_err(|_| "the path is no UTF-8".to_owned())
        });
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let (project, thing) = match names.as_slice() {
            [project] => (project, None),
            [project, ingest, id] if ingest == "ingest" => (project, Some((ThingKind::Job, id))),
            [project, runs, id] if runs == "agent-runs" => (project, Some((ThingKind::Run, id))),
            [project, _, _, id] => (project, Some((ThingKind::Execution, id))),
            _ => return Err("the path names no project".to_owned()),
        };
        Ok(Self {
            project: project.clone(),
            thing: thing.map(|(kind, id)| (kind, id.clone())),
        })
    }

    /// The room that it is followed in.
    fn room(&self) -> String {
        let mut room = String::new();
        match &self.thing {
            None => room_name::write(&mut room, ThingKind::Project, None, &self.project),
            Some((kind, id)) => room_name::write(&mut room, *kind, Some(&self.project), id),
        }
        room
    }
}

async fn connect(
    State(context): State<Context>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let visitor = identify(&context, DOOR, request.extensions(), Role::Observer).await?;
    let names = ["cursor", "lastEventId"];
    let wanted: Wanted = query::of(request.uri(), &names, &["name", "role"])
        .map_err(|message| context.bad_request(DOOR, message))?;
    let followed = Followed::read(request.uri().path())
        .map_err(|message| context.bad_request(DOOR, message))?;
    let is_socket = handshake::is_wanted(request.headers());
    if !is_socket && !takes_events(request.headers()) {
        return Ok(unacceptable(&context));
    }
    let room = followed.room();
    context
        .authenticator
        .check_rooms([room.as_str()].into_iter(), &visitor.who, ("", &[]))
        .inspect_err(|refusal| context.metrics.turned_away(DOOR, refusal))?;
    let last = request.headers().get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()).map(str::to_owned);
    let given = [last, wanted.last_event_id, wanted.cursor];
    let cursor = given.into_iter().flatten().find(|text| !text.is_empty());
    let first = match cursor {
        Some(_) => None,
        // The state costs a look at all that runs: a client that can't be served has none.
        None if is_socket && !handshake::is_whole(request.method(), request.headers()) => None,
        None => {
            let permissions = visitor.who.permissions.clone();
            let most = context.options.max_bytes / 2;
            let Followed { project, thing } = followed;
            Some(state::first(&context.hub, permissions, project, thing, most).await?)
        }
    };
    let filter = all_but_siblings()?;
    let opening = move |id: &Arc<str>, _: &Identity| {
        let mut greeting = object(json!({
            "type": "connection", "event": "connected", "connection_id": id, "timestamp": now(),
        }));
        let left_out = first.as_ref().map_or(0, |first| first.left_out);
        if left_out > 0 {
            greeting.insert("left_out".into(), left_out.into());
        }
        Opening {
            wire: if is_socket { &EVENTS } else { &SERVER_SENT },
            rooms: vec![room.into()],
            filter,
            greeting: ("connection", greeting),
            snapshot: false,
            state: first.map(|first| (first.messages, first.cursor)),
            cursor,
            batch: false,
            shape: UpdateShape::Full,
        }
    };
    if is_socket {
        Ok(serve(context, DOOR, request, visitor, opening, Followers))
    } else {
        observe(&context, DOOR, request.extensions(), visitor, opening).await
    }
}

/// Whether a client takes server-sent events: it says so, or takes anything. A browser that opens the address as a page
/// also says that it takes anything, and would load without end.
fn takes_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let types = accepted.flat_map(|value| value.split(','));
    let types = types.map(|media| media.split(';').next().unwrap_or_default().trim());
    let types: Vec<String> = types.map(str::to_ascii_lowercase).collect();
    let takes = |media: &str| types.iter().any(|one| one == media);
    takes("text/event-stream")
        || types.is_empty()
        || ((takes("*/*") || takes("text/*")) && !takes("text/html"))
}

fn unacceptable(context: &Context) -> Response {
    let message = "this is a stream: open it as a WebSocket, or with Accept: text/event-stream";
    let mut response = context.bad_request(DOOR, message.into()).into_response();
    *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
    response
}

/// Events as JSON texts.
#[derive(Debug)]
struct Events;

/// Events as server-sent events without names, so that an `EventSource` has all of them in `onmessage`.
#[derive(Debug)]
struct ServerSent;

static EVENTS: Events = Events;
static SERVER_SENT: ServerSent = ServerSent;

impl Wire for Events {
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>> {
        Some(update.shape(Shape::Stream, || shape::text(update).into()))
    }
}

impl Wire for ServerSent {
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>> {
        Some(update.shape(Shape::ServerSentStream, || {
            sse::server_sent(None, update.cursor(), &shape::text(update)).into()
        }))
    }
}

/// The protocol of clients that follow: they have nothing to say but `ping`.
struct Followers;

impl Protocol for Followers {
    async fn receive(&self, session: &Session, text: &str) -> Result<Handled, Error> {
        let message = serde_json::from_str::<Value>(text).unwrap_or_default();
        if text == "ping" || message["type"] == "ping" {
            session.used("ping");
            session.answer(&json!({ "type": "pong", "timestamp": now() }));
            return Ok(Handled::Done);
        }
        session.used("other");
        Err(Error::new(
            "unknown_event",
            "a stream takes no messages but {\"type\":\"ping\"}; publish with POST /api/v1/events",
        ))
    }
}
