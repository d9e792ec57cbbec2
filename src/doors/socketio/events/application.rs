//! Events that the application's service handles: those that Stoa does not know, and those of Stoa's own that it is asked
//! about first.

use std::sync::Arc;

use serde_json::{json, value::RawValue};

use super::{
    answer::{Answer, Handled},
    request::Request,
};
use crate::{
    channel::Namespace,
    doors::{
        backend::{Arguments, Backend, CallKind, Refusal, Subject},
        operations::Connected,
        socketio::{client::Client, engine::NOT_JSON, inbox::Inbound},
    },
    error::Error,
};

/// The events of Stoa's own vocabulary on `/`.
const OWN: [&str; 23] = [
    "join_room",
    "join",
    "leave_room",
    "leave",
    "subscribe",
    "unsubscribe",
    "publish",
    "emit_to",
    "agent_action",
    "get_state",
    "get_history",
    "resume",
    "authenticate",
    "subscribe_conversations",
    "subscribe_health_updates",
    "subscribe_pipeline_flow",
    "subscribe_metrics",
    "subscribe_flow",
    "unsubscribe_flow",
    "ping",
    "get_stats",
    "get_rooms",
    "presence",
];

/// The events on the namespaces of applications.
const OWN_ON_APPLICATIONS: [&str; 4] = ["join_room", "leave_room", "presence", "authenticate"];

/// Whether Stoa has a handler of its own for an event on a namespace.
fn is_own(namespace: Namespace, event: &str) -> bool {
    match namespace {
        Namespace::Root => OWN.contains(&event),
        Namespace::App(_) => OWN_ON_APPLICATIONS.contains(&event),
        Namespace::Conversations | Namespace::Admin => true,
    }
}

/// Handles an event that is the service's; none for one that is left to Stoa.
pub(super) async fn instead(
    client: &Arc<Client>,
    request: &Request,
    inbound: &Inbound,
) -> Option<Handled> {
    let event = request.event.as_str();
    let backend = client.context.backend(client.namespace)?;
    let is_own = is_own(client.namespace, event);
    let is_its = if is_own {
        backend.overrides(event)
    } else {
        backend.takes(event)
    };
    if !is_its {
        return None;
    }
    if let Some((_, rejection)) = request.unread.first() {
        return Some(Err(rejection.clone()));
    }
    match handle(client, backend, request, inbound).await {
        // The service left it to Stoa.
        Ok(None) if is_own => None,
        Ok(None) => Some(Err(unhandled(client, event))),
        Ok(Some(answer)) => Some(Ok(answer)),
        Err(refusal) => Some(Err(refusal)),
    }
}

/// The answer to an event for which neither side has a handler.
fn unhandled(client: &Client, event: &str) -> Error {
    client.context.metrics.unknown_event();
    let shown: String = event.chars().take(64).collect();
    Error::new(
        "unknown_event",
        format!("the application has no handler for {shown:?}"),
    )
}

/// Hands an event over; none when the service does not handle it.
async fn handle(
    client: &Arc<Client>,
    backend: &Arc<Backend>,
    request: &Request,
    inbound: &Inbound,
) -> Result<Option<Answer>, Error> {
    let (args, attachments) = match arguments(inbound) {
        Some(args) => (args, &inbound.attachments[..]),
        None => (mended(request)?, &[][..]),
    };
    let connected: &dyn Connected = &**client;
    let rooms = client
        .context
        .options
        .operations
        .rooms_of(connected)
        .await?;
    let (who, session) = (client.who(), client.data.get());
    let kind = CallKind::Event {
        event: &request.event,
        args: &args,
        attachments,
        ack: inbound.ack.is_some(),
    };
    let subject = Subject {
        client_id: &client.id,
        namespace: client.namespace.path(),
        who: &who,
        rooms: &rooms,
        session: session.as_deref(),
    };
    let answer = backend.call(kind, subject, inbound.arrived).await?;
    client.carry_out(answer.operations).await;
    Ok(if let Some(refusal) = answer.refuse {
        client.context.metrics.refused("socketio", "refused");
        Some(Answer::Arguments(refused(&refusal)))
    } else if answer.unhandled {
        None
    } else {
        // A service that handles an event and says nothing of it still answers a client that waits.
        Some(Answer::Arguments(answer.ack.unwrap_or_default()))
    })
}

/// The arguments of an event as the client wrote them; none for a text that had to be mended.
fn arguments(inbound: &Inbound) -> Option<Box<RawValue>> {
    let parts: Vec<&RawValue> = serde_json::from_str(&inbound.text).ok()?;
    let (name, rest) = parts.split_first()?;
    let name: String = serde_json::from_str(name.get()).ok()?;
    // The stand-in for an event that is no JSON.
    if name == NOT_JSON {
        return None;
    }
    let list: Vec<&str> = rest.iter().map(|part| part.get()).collect();
    RawValue::from_string(format!("[{}]", list.join(","))).ok()
}

/// The first argument of an event that had to be mended, with its bytes as base64 in their places.
fn mended(request: &Request) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(&[&request.argument])
        .map_err(|error| Error::bad_request(error.to_string()))
}

/// The acknowledgement of an event that the service refuses.
fn refused(refusal: &Refusal) -> Arguments {
    let message = json!(refusal.message);
    let data = refusal
        .data
        .as_ref()
        .map_or_else(String::new, |data| format!(",\"data\":{data}"));
    Arguments {
        json: format!(
            "{{\"status\":\"error\",\"error\":{{\"code\":\"refused\",\"message\":{message}{data}}}}}"
        ),
        attachments: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in the arms of a function of the dispatch.
    fn names_in(function: &str) -> Vec<&'static str> {
        let source = include_str!("mod.rs");
        let (_, body) = source.split_once(function).expect("the function");
        let (body, _) = body.split_once("\n}").expect("its end");
        body.split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn every_event_of_the_dispatch_is_known_as_stoas_own() {
        let root = [names_in("async fn on_root"), names_in("async fn on_admin")].concat();
        assert!(root.len() > 15, "{root:?}");
        for name in root.into_iter().chain(["publish", "emit_to"]) {
            assert!(is_own(Namespace::Root, name), "{name} is not in OWN");
        }
        for name in names_in("async fn on_application") {
            assert!(
                OWN_ON_APPLICATIONS.contains(&name),
                "{name} is not in OWN_ON_APPLICATIONS"
            );
        }
    }
}
