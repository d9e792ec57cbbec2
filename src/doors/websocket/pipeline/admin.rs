//! `/ws/{app}/admin/`: the figures of the server for operators, by commands, and at an interval for those who ask.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use strum::{EnumString, VariantNames};
use tokio::task::AbortHandle;

use super::shape::{IN_SECONDS, now};
use crate::{
    access::{Identity, authz::Permissions},
    config::Role,
    doors::{
        admin::{Act, Actor},
        argument, query,
        queue::ObserverQueue,
        websocket::{
            context::Context,
            opening::{Opening, all_but_siblings},
            protocol::{Handled, Protocol},
            served::{identify, serve},
            session::{Session, object},
        },
    },
    error::Error,
    event::lenient,
    hub::Question,
    update::UpdateShape,
};

/// The name of the door in counters.
const DOOR: &str = "pipeline";
/// The longest interval at which figures are pushed.
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);
/// The interval of a client that names none.
const INTERVAL: Duration = Duration::from_secs(5);
/// Connections that one answer lists.
const MAX_LISTED: usize = 1_000;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/ws/{app}/admin", get(connect))
        .route("/ws/{app}/admin/", get(connect))
}

/// The query has nothing but the token, which is taken off before.
#[derive(Debug, Deserialize)]
struct Wanted {}

async fn connect(
    State(context): State<Context>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let Wanted {} = query::of(request.uri(), &[], &["name"])
        .map_err(|message| context.bad_request(DOOR, message))?;
    let visitor = identify(&context, DOOR, request.extensions(), Role::Operator).await?;
    if !visitor.who.may_see_stats() {
        let refusal = Error::forbidden("the figures of the server take the role operator or admin");
        context.metrics.turned_away(DOOR, &refusal);
        return Err(refusal);
    }
    let filter = all_but_siblings()?;
    let opening = move |id: &Arc<str>, who: &Identity| Opening {
        wire: &IN_SECONDS,
        rooms: Vec::new(),
        filter,
        greeting: (
            "connection_established",
            object(json!({
                "type": "connection_established", "connection_id": id, "client_id": id,
                "role": who.role, "commands": Command::VARIANTS, "timestamp": now(),
            })),
        ),
        snapshot: false,
        state: None,
        cursor: None,
        batch: false,
        shape: UpdateShape::Full,
    };
    Ok(serve(
        context,
        DOOR,
        request,
        visitor,
        opening,
        Admin::default(),
    ))
}

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum Command {
    GetHealth,
    GetMetrics,
    GetAnalytics,
    GetAlerts,
    GetConnections,
    GetRooms,
    GetBreakers,
    GetQueues,
    ResetCircuitBreaker,
    Subscribe,
    Unsubscribe,
    Ping,
}

/// The protocol of the figures, for one client.
#[derive(Debug, Default)]
struct Admin {
    /// The task that pushes figures, while the client wants them. Never held across an await.
    pushing: Mutex<Option<Pushing>>,
}

/// A task that pushes figures; it ends when this is dropped.
#[derive(Debug)]
struct Pushing(AbortHandle);

impl Drop for Pushing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Protocol for Admin {
    async fn receive(&self, session: &Session, text: &str) -> Result<Handled, Error> {
        let (message, _) = lenient::read(text.as_bytes())
            .map_err(|error| Error::bad_request(format!("the message is not JSON: {error}")))?;
        let name = argument::text(&message, "command")?.unwrap_or_default();
        session.used(name);
        let (kind, data) = self.answer(session, name, &message).await?;
        session.answer(&told(kind, name, &data));
        Ok(Handled::Done)
    }
}

/// The message that tells figures.
fn told(kind: &str, command: &str, data: &Value) -> Value {
    json!({ "type": kind, "command": command, "data": data, "timestamp": now() })
}

impl Admin {
    async fn answer(
        &self,
        session: &Session,
        name: &str,
        message: &Value,
    ) -> Result<(&'static str, Value), Error> {
        let context = &session.context;
        let permissions = &session.who.permissions;
        let command = name.parse().map_err(|_| {
            let known = Command::VARIANTS.join(", ");
            Error::new("unknown_event", format!("command must be one of {known}"))
        })?;
        Ok(match command {
            Command::GetHealth => ("health", health(context)),
            Command::GetMetrics => ("metrics", metrics(context)),
            Command::GetAnalytics => ("analytics", analytics(context, permissions).await?),
            Command::GetAlerts => ("alerts", alerts(context, permissions)),
            Command::GetConnections => ("connections", connections(session)),
            Command::GetRooms => ("rooms", rooms(context, permissions).await?),
            Command::GetBreakers => ("breakers", breakers(context)),
            Command::GetQueues => ("queues", queues(context)),
            Command::ResetCircuitBreaker => {
                ("circuit_breaker_reset", reset(session, message).await?)
            }
            Command::Subscribe => {
                let interval = interval(message, context.options.push_interval)?;
                self.push(session, Some(interval));
                ("subscribed", json!({ "interval_ms": interval.as_millis() }))
            }
            Command::Unsubscribe => {
                self.push(session, None);
                ("unsubscribed", json!({}))
            }
            Command::Ping => ("pong", json!({})),
        })
    }

    /// Pushes figures at this interval from now on, or no longer.
    fn push(&self, session: &Session, interval: Option<Duration>) {
        let task = interval.map(|interval| {
            let (context, queue) = (session.context.clone(), session.queue.clone());
            Pushing(tokio::spawn(push(context, queue, interval)).abort_handle())
        });
        *self.pushing.lock().unwrap_or_else(PoisonError::into_inner) = task;
    }
}

/// Pushes figures until the client is gone. A client that has not taken the last ones gets no newer ones.
async fn push(context: Context, queue: Arc<ObserverQueue>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if queue.is_over() {
            return;
        }
        if queue.is_empty() {
            for (kind, data) in [("metrics", metrics(&context)), ("health", health(&context))] {
                queue.push_aside(told(kind, "subscribe", &data).to_string().into());
            }
        }
    }
}

/// The interval of a `subscribe`: no shorter than the server allows.
fn interval(message: &Value, least: Duration) -> Result<Duration, Error> {
    let wanted = match argument::field(message, "interval_ms") {
        Value::Null => INTERVAL,
        value => {
            let millis = value
                .as_f64()
                .filter(|millis| *millis >= 0.0)
                .ok_or_else(|| {
                    Error::bad_request("interval_ms must be a number of milliseconds")
                })?;
            Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or(MAX_INTERVAL)
        }
    };
    Ok(wanted.max(least).min(MAX_INTERVAL.max(least)))
}

fn health(context: &Context) -> Value {
    Value::Object(context.figures.health())
}

fn metrics(context: &Context) -> Value {
    Value::Object(context.figures.performance())
}

fn alerts(context: &Context, permissions: &Permissions) -> Value {
    Value::Object(context.figures.alerts(permissions))
}

fn queues(context: &Context) -> Value {
    context.figures.queues()
}

fn breakers(context: &Context) -> Value {
    json!({
        "circuit_breaker_state": context.breakers.worst(),
        "circuit_breakers": context.breakers.snapshot(),
    })
}

async fn analytics(context: &Context, permissions: &Permissions) -> Result<Value, Error> {
    context.figures.analytics(&context.hub, permissions).await
}

async fn rooms(context: &Context, permissions: &Permissions) -> Result<Value, Error> {
    let permissions = permissions.clone();
    let rooms = context.hub.question(Question::Rooms { permissions });
    rooms.await.map(Value::Object)
}

/// The counts of connections; only an admin learns whose they are.
fn connections(session: &Session) -> Value {
    let figures = session.context.figures.performance();
    let mut counts = json!({
        "by_transport": figures.get("connections"), "by_door": figures.get("connections_by_door"),
        "by_role": figures.get("connections_by_role"),
    });
    let sessions = session.context.authenticator.sessions();
    let is_admin = session.who.role.may_administer();
    counts["total"] = json!(sessions.count());
    if is_admin {
        counts["connections"] = json!(sessions.list(MAX_LISTED, |_| true).0);
    }
    counts
}

/// Closes a circuit breaker: an admin's act, with its line in the audit log.
async fn reset(session: &Session, message: &Value) -> Result<Value, Error> {
    let context = &session.context;
    let name = argument::text(message, "name")?
        .ok_or_else(|| Error::bad_request("name is missing: get_breakers lists them"))?;
    let actor = Actor {
        who: Arc::new(session.who.clone()),
        address: session.address,
        door: DOOR,
    };
    let part = json!({ "part": name });
    Act::CloseBreaker
        .perform(context.controls(), actor, part)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_no_shorter_than_allowed_and_not_endless() {
        let least = Duration::from_secs(1);
        let read = |ms: Value| interval(&json!({ "interval_ms": ms }), least).ok();
        assert_eq!(read(Value::Null), Some(INTERVAL));
        assert_eq!(read(json!(0)), Some(least));
        assert_eq!(read(json!(2500)), Some(Duration::from_millis(2_500)));
        assert_eq!(read(json!(1e300)), Some(MAX_INTERVAL));
        assert_eq!(read(json!(-1)), None);
        assert_eq!(read(json!("often")), None);
    }
}
