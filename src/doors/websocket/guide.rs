//! `/api/v1/ws`: the workflow guide's socket, for screens that follow executions and workflows.
//!
//! In come `subscribe`, `unsubscribe` and `ping`; out go `connection`, `subscription`, `pong`, `error`, and the updates of
//! the rooms as they are: `execution_update` and `node_update` have the guide's fields.

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
    opening::{Opening, all_but_siblings, shape},
    protocol::{Handled, Protocol, is_of_type},
    served::{identify, serve},
    session::{Session, now, object, user_room},
    shaped::whole,
};
use crate::{
    access::{
        Identity,
        authz::{room_name, too_many_rooms},
    },
    config::Role,
    delivery::{Outgoing, Shape, WireMessage},
    doors::{query, queue::Wire},
    error::Error,
};

/// The name of the door in counters.
const DOOR: &str = "guide";

pub(super) fn routes() -> Router<Context> {
    Router::new().route("/api/v1/ws", get(connect))
}

/// The query.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// The cursor to go on from.
    cursor: Option<String>,
    /// The rooms to be in from the beginning, with commas: what was missed is of these.
    rooms: Option<String>,
    /// The shape of the updates.
    shape: Option<String>,
}

impl Wanted {
    /// The rooms, of which there may be `max`.
    fn rooms(&self, max: usize) -> Result<Vec<String>, Error> {
        let rooms = self.rooms.as_deref().unwrap_or_default().split(',');
        let rooms = rooms.map(str::trim).filter(|room| !room.is_empty());
        let rooms: Vec<String> = rooms.map(room_name::from_query).collect();
        if rooms.len() > max {
            return Err(too_many_rooms(max));
        }
        Ok(rooms)
    }
}

async fn connect(
    State(context): State<Context>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let visitor = identify(&context, DOOR, request.extensions(), Role::Observer).await?;
    let wanted: Wanted = query::of(
        request.uri(),
        &["cursor", "rooms", "shape"],
        &["name", "role"],
    )
    .map_err(|message| context.bad_request(DOOR, message))?;
    let rooms = wanted
        .rooms(context.options.max_rooms)
        .and_then(|rooms| {
            let names = rooms.iter().map(String::as_str);
            let who = &visitor.who;
            context.authenticator.check_rooms(names, who, ("", &[]))?;
            Ok(rooms)
        })
        .inspect_err(|refusal| context.metrics.refused(DOOR, refusal))?;
    let shape = shape(wanted.shape.as_deref())
        .inspect_err(|refusal| context.metrics.refused(DOOR, refusal))?;
    let filter = all_but_siblings()?;
    let opening = move |id: &Arc<str>, who: &Identity| Opening {
        wire: &UPDATES,
        rooms: user_room(who)
            .into_iter()
            .chain(rooms.into_iter().map(Into::into))
            .collect(),
        filter,
        greeting: (
            "connection",
            object(json!({
                "type": "connection", "event": "connected", "connection_id": id,
                "user_id": who.user, "timestamp": now(), "shape": shape.as_str(),
            })),
        ),
        snapshot: false,
        state: None,
        cursor: wanted.cursor,
        batch: false,
        shape,
    };
    Ok(serve(context, DOOR, request, visitor, opening, Guide))
}

/// Updates as they are, one JSON text each.
#[derive(Debug)]
struct Updates;

static UPDATES: Updates = Updates;

impl Wire for Updates {
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>> {
        Some(update.shape(Shape::Text, || whole(update).into()))
    }
}

/// The guide's protocol.
struct Guide;

impl Protocol for Guide {
    fn joins(&self, text: &str) -> bool {
        is_of_type(text, "subscribe")
    }

    async fn receive(&self, session: &Session, text: &str) -> Result<Handled, Error> {
        let message: Value = serde_json::from_str(text)
            .map_err(|error| Error::bad_request(format!("the message is not JSON: {error}")))?;
        let room = message.get("room_id").and_then(Value::as_str);
        let kind = message.get("type").and_then(Value::as_str);
        session.used(kind.unwrap_or_default());
        let done = match kind {
            Some("ping") => {
                session.answer(&json!({ "type": "pong", "timestamp": now() }));
                Ok(())
            }
            Some("subscribe") => subscribe(session, room, true).await,
            Some("unsubscribe") => subscribe(session, room, false).await,
            _ => Err(Error::new(
                "unknown_event",
                "type must be subscribe, unsubscribe or ping",
            )),
        };
        let Err(refusal) = done else {
            return Ok(Handled::Done);
        };
        session.refuse(&refusal, room);
        Ok(Handled::Counted)
    }
}

async fn subscribe(session: &Session, room: Option<&str>, on: bool) -> Result<(), Error> {
    let room = room.ok_or_else(|| {
        Error::bad_request("room_id is missing: name a room such as execution:e1 or workflow:w1")
    })?;
    let rooms = vec![room_name::canonical(room).into_owned()];
    if on {
        session.enter(rooms).await?;
    } else {
        session.leave(rooms).await?;
    }
    session.answer(&json!({
        "type": "subscription", "event": if on { "subscribed" } else { "unsubscribed" },
        "room_id": room, "timestamp": now(),
    }));
    Ok(())
}
