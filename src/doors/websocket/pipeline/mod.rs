//! `/ws/{app}/`: the update pipeline's socket, for front-ends that show agents and act on them.
//!
//! In come `subscribe`, `unsubscribe`, `agent_action`, `ping`, `resume`, and events of those who may publish; out go
//! `connection_established`, `agent_update`, `system_notification`, `agent_action_result`, the other updates under their
//! own types, `pong` and `error`. Times are seconds since 1970. The app is a name and gives no rights.

mod admin;
mod channels;
mod shape;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
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
    session::{Session, object, user_room},
};
use crate::{
    access::{Identity, authz::OBSERVERS},
    config::Role,
    doors::{
        actions::{Accepted, Operator},
        argument, query,
    },
    error::Error,
    event::{Object, lenient},
    intake::Raw,
};
use channels::{Channel, Chosen};
use shape::{IN_SECONDS, in_seconds, now};

/// The name of the door in counters.
const DOOR: &str = "pipeline";
/// The longest name of an app.
const MAX_APP: usize = 64;
/// The most channels in one message.
const MAX_CHANNELS: usize = 100;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/ws/{app}", get(connect))
        .route("/ws/{app}/", get(connect))
        .merge(admin::routes())
}

/// The query.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// The cursor to go on from.
    cursor: Option<String>,
    /// The role of a client without a token.
    role: Option<Role>,
    /// Whether the updates of a flush come in one message.
    batch: Option<bool>,
    /// The shape of the updates.
    shape: Option<String>,
}

async fn connect(
    State(context): State<Context>,
    Path(app): Path<String>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let wrong = |message| context.bad_request(DOOR, message);
    let wanted: Wanted = query::of(
        request.uri(),
        &["cursor", "role", "batch", "shape"],
        &["name"],
    )
    .map_err(wrong)?;
    if app.len() > MAX_APP || !app.bytes().all(is_plain) {
        return Err(wrong(format!(
            "the name of an app has 1 to {MAX_APP} characters of A-Z a-z 0-9 _ . -"
        )));
    }
    let shape = shape(wanted.shape.as_deref())
        .inspect_err(|refusal| context.metrics.refused(DOOR, refusal))?;
    let role = wanted.role.unwrap_or(Role::Operator);
    let visitor = identify(&context, DOOR, request.extensions(), role).await?;
    let filter = all_but_siblings()?;
    let opening = move |id: &Arc<str>, who: &Identity| Opening {
        wire: &IN_SECONDS,
        rooms: std::iter::once(OBSERVERS.into())
            .chain(user_room(who))
            .collect(),
        filter,
        greeting: (
            "connection_established",
            object(json!({
                "type": "connection_established", "connection_id": id, "client_id": id,
                "role": who.role, "timestamp": now(), "shape": shape.as_str(),
            })),
        ),
        snapshot: false,
        state: None,
        cursor: wanted.cursor,
        batch: wanted.batch.unwrap_or_default(),
        shape,
    };
    let pipeline = Pipeline {
        app,
        chosen: Mutex::default(),
    };
    Ok(serve(context, DOOR, request, visitor, opening, pipeline))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// The pipeline's protocol, for one client.
struct Pipeline {
    app: String,
    /// The channels that the client chose; none before its first `subscribe`, which means everything. Never held
    /// across an await.
    chosen: Mutex<Option<Chosen>>,
}

impl Protocol for Pipeline {
    fn joins(&self, text: &str) -> bool {
        is_of_type(text, "subscribe")
    }

    async fn receive(&self, session: &Session, text: &str) -> Result<Handled, Error> {
        let (message, mended) = lenient::read(text.as_bytes())
            .map_err(|error| Error::bad_request(format!("the message is not JSON: {error}")))?;
        session.context.metrics.mended(mended);
        let kind = message.get("type").and_then(Value::as_str);
        session.used(kind.unwrap_or_default());
        match kind {
            Some("ping") => {
                let echo = argument::field(&message, "timestamp");
                session.answer(&json!({ "type": "pong", "timestamp": now(), "echo": echo }));
                Ok(Handled::Done)
            }
            Some("subscribe") => self.subscribe(session, &message, true).await,
            Some("unsubscribe") => self.subscribe(session, &message, false).await,
            Some("agent_action") => act(session, &message).await,
            Some("resume") => resume(session, &message).await,
            Some("publish") => publish(session, events(message), text.len()).await,
            Some("agent_update") => publish(session, vec![message], text.len()).await,
            _ => Err(Error::new(
                "unknown_event",
                "type must be subscribe, unsubscribe, agent_action, ping, resume, publish or agent_update",
            )),
        }
    }
}

impl Pipeline {
    async fn subscribe(
        &self,
        session: &Session,
        message: &Value,
        on: bool,
    ) -> Result<Handled, Error> {
        let names = channel_names(message)?;
        let before = self.chosen().clone();
        let mut after = before.clone().unwrap_or_default();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match Channel::read(&self.app, &name) {
                None => unknown.push(name),
                Some(channel) => {
                    known.push(name);
                    match on {
                        true => after.add(channel),
                        false => after.remove(&channel),
                    }
                }
            }
        }
        if !known.is_empty() {
            let all = || std::iter::once(OBSERVERS.to_owned()).collect();
            let (was, is) = (
                before.map_or_else(all, |chosen| chosen.rooms()),
                after.rooms(),
            );
            let entered: Vec<String> = is.difference(&was).cloned().collect();
            if !entered.is_empty() {
                session.enter(entered).await?;
            }
            session.choose(after.subscription()?).await;
            // The hub answers in order, so the client is told once all of it holds.
            session
                .leave(was.difference(&is).cloned().collect())
                .await?;
            *self.chosen() = Some(after);
        }
        session.answer(&json!({
            "type": if on { "subscribed" } else { "unsubscribed" },
            "channels": known, "unknown": unknown, "timestamp": now(),
        }));
        Ok(Handled::Done)
    }

    fn chosen(&self) -> MutexGuard<'_, Option<Chosen>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names in `channels`, a list or one text.
fn channel_names(message: &Value) -> Result<Vec<String>, Error> {
    let wrong = || {
        Error::bad_request(format!(
            "channels must be a list of 1 to {MAX_CHANNELS} names, such as agent:a1 or agent_notifications"
        ))
    };
    let names = match argument::field(message, "channels") {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) if (1..=MAX_CHANNELS).contains(&names.len()) => {
            let texts = names.iter().map(|name| name.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    Ok(names)
}

async fn act(session: &Session, message: &Value) -> Result<Handled, Error> {
    let (watched, reporting) = (session.queue.clone(), session.queue.clone());
    let operator = Operator {
        id: session.id.clone(),
        who: Arc::new(session.who.clone()),
        door: DOOR,
        is_here: Box::new(move || !watched.is_over()),
        report: Box::new(move |body| {
            let body = in_seconds("agent_action_result", body);
            reporting.push_aside(Value::Object(body).to_string().into());
        }),
    };
    let Accepted {
        action_id,
        refused,
        done,
    } = session.context.actions.act(operator, message).await?;
    if refused.is_some() {
        // One that nobody performs is answered, and counted, by its result.
        return Ok(Handled::Counted);
    }
    session.answer(&json!({
        "type": "agent_action_accepted", "action_id": action_id, "agent_id": message.get("agent_id"),
        "timestamp": now(),
    }));
    if let Some(done) = done {
        session.answer(&Value::Object(in_seconds("agent_action_result", done)));
    }
    Ok(Handled::Done)
}

async fn resume(session: &Session, message: &Value) -> Result<Handled, Error> {
    let cursor = argument::text(message, "cursor")?
        .ok_or_else(|| Error::bad_request("cursor is missing: send the last one received"))?;
    let member = session.member();
    session
        .context
        .hub
        .resume(member, cursor.to_owned())
        .await?;
    Ok(Handled::Done)
}

/// The events of a `publish`: in `events`, or one in `event`.
fn events(mut message: Value) -> Vec<Value> {
    match message["events"].take() {
        Value::Array(events) => events,
        Value::Null => vec![message["event"].take()],
        one => vec![one],
    }
}

async fn publish(session: &Session, events: Vec<Value>, len: usize) -> Result<Handled, Error> {
    let max = session.context.intake.limits().max_batch;
    if events.len() > max {
        return Err(Error::new(
            "too_large",
            format!("{max} events are allowed in one publish ([performance] max_publish_batch)"),
        ));
    }
    let raws = events.into_iter();
    let receipt = session.publish(raws.map(|event| Raw::Json(event, Some(len))).collect());
    let mut body = object(json!(receipt.await?));
    body.insert("timestamp".into(), now());
    let body: Object = in_seconds("published", body);
    session.answer(&Value::Object(body));
    Ok(Handled::Counted)
}
