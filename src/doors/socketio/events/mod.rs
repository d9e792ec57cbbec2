//! The events that clients send: one function for each, and one answer for each request.

mod action;
mod answer;
mod conversations;
mod ping;
mod publish;
mod request;
mod rooms;
mod seneca;
mod session;
mod state;

use std::sync::Arc;

use super::{client::Client, inbox::Inbound};
use crate::{
    channel::Namespace,
    doors::admin::{Act, Actor},
};
use answer::{Handled, acknowledgement, notify_refusal, refusal_of};
use ping::{pong, unknown};
use request::Request;

/// Handles one event and answers it.
pub(super) async fn handle(client: &Arc<Client>, inbound: Inbound) {
    // A message beyond the budget is not even read.
    let request = client
        .spend(inbound.joins())
        .and_then(|()| request::read(&inbound));
    // Events that are published count one by one.
    let is_publish = request.as_ref().is_ok_and(|r| r.event == "publish");
    let answer = match request {
        Ok(request) => {
            client.context.metrics.mended(request.mended);
            client.used(feature(client, &request.event));
            dispatch(client, request).await
        }
        Err(refusal) => {
            // A banned client was told already, by its last message.
            if refusal.code != "banned" {
                notify_refusal(client, &refusal, None);
            }
            Err(refusal)
        }
    };
    match refusal_of(&answer) {
        Some(refusal) => client.context.metrics.refused("socketio", refusal),
        None if is_publish => {}
        None => client.context.metrics.attempts.succeed(1),
    }
    let ack = match inbound.ack {
        Some(ack) => u128::try_from(ack).ok(),
        None if answer.is_err() => request::ack_beyond(&inbound),
        None => None,
    };
    if let Some(ack) = ack {
        client.acknowledge(ack, &acknowledgement(&answer));
    }
}

/// The name by which an event counts among the features.
fn feature<'e>(client: &Client, event: &'e str) -> &'e str {
    match client.namespace {
        Namespace::Admin if Act::named(event).is_some() => "admin",
        _ => event,
    }
}

async fn dispatch(client: &Arc<Client>, request: Request) -> Handled {
    let room = request.room();
    // Only events in `publish` are read one by one.
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
    // An ignored event is answered only if the client asked for it.
    if let Some(refusal) = refusal_of(&handled)
        && refusal.code != "unknown_event"
    {
        notify_refusal(client, refusal, room.as_deref());
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
    let actor = Actor {
        who: client.who(),
        address: client.address,
        door: "socketio",
    };
    let answer = act
        .perform(
            &client.context.authenticator,
            &client.context.breakers,
            actor,
            request.argument.clone(),
        )
        .await?;
    Ok(answer.into())
}
