//! What clients ask for: one function for each event, one answer for each request.

mod action;
mod conversations;
mod performers;
mod publish;
mod request;
mod rooms;
mod seneca;
mod session;
mod state;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{client::Client, inbox::Inbound};
use crate::{
    channel::Namespace,
    doors::admin::{Act, Actor},
    error::Error,
    event::Object,
    timestamp::Timestamp,
};
use request::Request;

/// What a handler answers; the acknowledgement says `status: ok` beside it.
#[derive(Debug)]
enum Answer {
    /// These fields.
    Fields(Object),
    /// An object that is JSON already.
    Json(String),
    /// The same of what was refused and why.
    Refused(Error, String),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::Fields(fields),
            _ => Self::Fields(Object::new()),
        }
    }
}

type Handled = Result<Answer, Error>;

fn refusal_of(answer: &Handled) -> Option<&Error> {
    match answer {
        Err(refusal) | Ok(Answer::Refused(refusal, _)) => Some(refusal),
        Ok(_) => None,
    }
}

/// Handles one event and answers it.
pub(super) async fn handle(client: &Arc<Client>, inbound: Inbound) {
    let ack = inbound.ack;
    // A message too many isn't even read.
    let request = client.spend().and_then(|()| request::read(&inbound));
    let answer = match request {
        Ok(request) => {
            client.context.metrics.mended(request.mended);
            dispatch(client, request).await
        }
        Err(refusal) => {
            // A client that is kept out was told so already, by its last word.
            if refusal.code != "banned" {
                tell_refusal(client, &refusal, None);
            }
            Err(refusal)
        }
    };
    if let Some(refusal) = refusal_of(&answer) {
        client.context.metrics.refused("socketio", refusal.code);
    }
    if let Some(ack) = ack {
        client.acknowledge(ack, &acknowledgement(&answer));
    }
}

async fn dispatch(client: &Arc<Client>, request: Request) -> Handled {
    let room = request.room();
    // Only of what is published each element stands for itself.
    let unread = request
        .unread
        .first()
        .filter(|_| request.event != "publish");
    let handled = match (unread, client.namespace) {
        (Some((_, rejection)), _) => Err(rejection.clone()),
        (None, Namespace::Root) => on_root(client, request).await,
        (None, Namespace::Conversations) => conversations::on(client, request).await,
        (None, Namespace::Admin) => on_admin(client, request).await,
    };
    // Nobody waits for the answer to an event that is only ignored.
    if let Some(refusal) = refusal_of(&handled)
        && refusal.code != "unknown_event"
    {
        tell_refusal(client, refusal, room.as_deref());
    }
    handled
}

async fn on_root(client: &Arc<Client>, request: Request) -> Handled {
    match request.event.as_str() {
        "join_room" | "join" => rooms::join(client, &request).await,
        "leave_room" | "leave" => rooms::leave(client, &request).await,
        "subscribe" => rooms::subscribe(client, &request).await,
        "unsubscribe" => rooms::unsubscribe(client, &request).await,
        "publish" => publish::publish(client, request).await,
        "agent_action" => action::act(client, request).await,
        "get_state" => state::get_state(client, &request).await,
        "get_history" => state::get_history(client, &request).await,
        "resume" => state::resume(client, &request).await,
        "authenticate" => session::authenticate(client, &request).await,
        "subscribe_conversations"
        | "subscribe_health_updates"
        | "subscribe_pipeline_flow"
        | "subscribe_metrics" => seneca::subscribe(client, &request.event).await,
        "subscribe_flow" => seneca::flow(client, &request, true).await,
        "unsubscribe_flow" => seneca::flow(client, &request, false).await,
        _ => on_admin(client, request).await,
    }
}

async fn on_admin(client: &Arc<Client>, request: Request) -> Handled {
    if client.namespace == Namespace::Admin
        && let Some(act) = Act::named(&request.event)
    {
        return admin(client, act, &request).await;
    }
    match request.event.as_str() {
        "authenticate" => session::authenticate(client, &request).await,
        "ping" => Ok(pong(client)),
        "get_stats" => state::get_stats(client).await,
        "get_rooms" => state::get_rooms(client).await,
        _ => Err(unknown(client)),
    }
}

async fn admin(client: &Client, act: Act, request: &Request) -> Handled {
    let who = client.who();
    let actor = Actor {
        who: &who,
        address: client.address,
        door: "socketio",
    };
    let answer = act
        .perform(&client.context.authenticator, &actor, &request.argument)
        .await?;
    Ok(answer.into())
}

fn unknown(client: &Client) -> Error {
    client.context.metrics.unknown_event();
    Error::new(
        "unknown_event",
        "this server handles no event of that name; what other clients shall hear, a producer publishes",
    )
}

fn pong(client: &Client) -> Answer {
    let now = Timestamp::now();
    if let Value::Object(pong) = json!({ "type": "pong", "timestamp": now }) {
        client.emit("pong", pong);
    }
    json!({ "timestamp": now }).into()
}

fn acknowledgement(answer: &Handled) -> String {
    match answer {
        Ok(Answer::Fields(fields)) => {
            let mut all = Object::new();
            all.insert("status".into(), "ok".into());
            all.extend(fields.clone());
            Value::Object(all).to_string()
        }
        // The object's own brace is replaced by one with the status behind it.
        Ok(Answer::Json(json)) if json.len() > 2 => format!("{{\"status\":\"ok\",{}", &json[1..]),
        Ok(Answer::Json(_)) => "{\"status\":\"ok\"}".into(),
        Ok(Answer::Refused(refusal, json)) => {
            let error = json!(refusal);
            format!("{{\"status\":\"error\",\"error\":{error},{}", &json[1..])
        }
        Err(refusal) => json!({ "status": "error", "error": refusal }).to_string(),
    }
}

/// Tells a client why something was refused, for those that ask for no acknowledgement.
pub(super) fn tell_refusal(client: &Client, refusal: &Error, room: Option<&str>) {
    client.emit("error", refusal.to_event(room));
}
