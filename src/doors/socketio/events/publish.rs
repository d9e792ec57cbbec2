//! `publish`: the Socket.IO door into the intake.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{
    answer::{Answer, Handled},
    request::Request,
};
use crate::{
    access::Identity,
    doors::socketio::client::Client,
    error::Error,
    event::lenient,
    intake::{self, IntakeLimits, Placed, Producer, Raw, Receipt},
};

/// The events of a request, and whether it is one event and no list.
///
/// # Errors
/// The client may not publish, or not so many at once.
pub(super) fn read(client: &Client, request: Request) -> Result<Raws, Error> {
    if !client.who().role.may_publish() {
        return Err(client.who().lacks_role(
            "publishing takes the role producer or admin: connect with auth {\"role\": \"producer\"}",
        ));
    }
    let limits = client.context.intake.limits();
    match request.published {
        Some(text) => of_text(text, limits.max_batch),
        None => of_values(request, limits),
    }
}

/// Gives events their places in the order.
///
/// # Errors
/// The call is refused as a whole.
pub(super) async fn place(client: &Arc<Client>, raws: Vec<Raw>) -> Result<Placed<'_>, Error> {
    let who = client.who();
    let verified = who.verified();
    let producer = producer(client, &who, &verified);
    client
        .context
        .authenticator
        .events(&who, client.address, raws.len())?;
    client.context.intake.place(raws, producer).await
}

/// The client as the intake knows it.
pub(super) fn producer<'c>(
    client: &Client,
    who: &'c Identity,
    verified: &'c Arc<str>,
) -> Producer<'c> {
    Producer {
        name: who.source().unwrap_or("producer"),
        door: "socketio",
        permissions: &who.permissions,
        within: None,
        verified,
        trace: None,
        flow: intake::flow(who, &client.id),
        connection: None,
    }
}

/// The answer that a receipt gives.
pub(super) fn answer(mut receipt: Receipt, single: bool) -> Handled {
    let json = serde_json::to_string(&receipt)
        .map_err(|error| Error::unavailable(format!("the answer could not be written: {error}")))?;
    // A single event that is refused refuses the request; of several events each has its own answer.
    if single && let Some(rejected) = receipt.rejected.pop() {
        return Ok(Answer::Refused(rejected.error, json));
    }
    Ok(Answer::Json(json))
}

type Raws = (Vec<Raw>, bool);

/// The events of a text, each as it is written, and whether it is one event and no list.
fn of_text(text: Bytes, max: usize) -> Result<Raws, Error> {
    match lenient::elements(&text, max) {
        Some((events, more)) if more > 0 => Err(too_many(events.len() + more, max)),
        Some((events, _)) => {
            let events = events.into_iter();
            let raws = events.map(|event| Raw::Text(text.slice_ref(event)));
            Ok((raws.collect(), false))
        }
        None => Ok((vec![Raw::Text(text)], true)),
    }
}

/// The same for a request that was parsed already, because it has attachments.
fn of_values(request: Request, limits: IntakeLimits) -> Result<Raws, Error> {
    // A message that is shorter than an event may be holds none that is too long: no need to measure each.
    let known = (request.len <= limits.max_event).then_some(request.len);
    let (mut raws, single): Raws = match request.argument {
        Value::Array(events) if events.len() > limits.max_batch => {
            return Err(too_many(events.len(), limits.max_batch));
        }
        Value::Array(events) => (
            events.into_iter().map(|e| Raw::Json(e, known)).collect(),
            false,
        ),
        event => (vec![Raw::Json(event, known)], true),
    };
    for (index, rejection) in request.unread {
        if let Some(raw) = raws.get_mut(index) {
            *raw = Raw::Bad(rejection);
        }
    }
    Ok((raws, single))
}

fn too_many(events: usize, max: usize) -> Error {
    Error::new(
        "too_large",
        format!(
            "{events} events in one publish, {max} are allowed ([performance] max_publish_batch)"
        ),
    )
}
