//! `emit_to`: the Socket.IO door into the emitter.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::publish::producer;
use crate::{
    doors::socketio::{client::Client, inbox::Inbound},
    emission::Emission,
    error::Error,
    intake::{Placed, Receipt},
};

/// The emissions of a request, and whether it is one and no list.
type Emissions = (Vec<Result<Emission, Error>>, bool);

/// Whether a message is an `emit_to`. Only its name is looked at.
pub(super) fn is_meant(text: &str) -> bool {
    let name = text.trim_start().strip_prefix('[');
    let name = name.map_or("", str::trim_start);
    name.starts_with("\"emit_to\"")
}

/// Reads a request: each emission from its text, so that its arguments stay as they are.
///
/// # Errors
/// The client may not emit, or not so much at once.
pub(super) fn read(client: &Client, inbound: &Inbound) -> Result<Emissions, Error> {
    if !client.who().role.may_publish() {
        return Err(client.who().lacks_role(
            "emitting takes the role producer or admin: connect with auth {\"role\": \"producer\"}",
        ));
    }
    let options = client.context.emitter.options();
    let parts = list(&inbound.text)?;
    let Some(argument) = parts.get(1) else {
        return Err(Error::bad_request(
            "emit_to takes an emission: {\"event\": \"name\", \"args\": [..], \"rooms\": [..]}",
        ));
    };
    let single = !argument.get().starts_with('[');
    let texts = match single {
        true => vec![*argument],
        false => list(argument.get())?,
    };
    let (emissions, max) = (texts.len(), options.max_batch);
    if emissions > max {
        return Err(Error::new(
            "too_large",
            format!(
                "{emissions} emissions in one emit_to, {max} are allowed ([performance] max_publish_batch)"
            ),
        ));
    }
    let read = texts.into_iter().map(|text| {
        let text = text.get().as_bytes();
        match inbound.attachments.is_empty() {
            true => Emission::read(text, &options.limits),
            false => Emission::read_with(text, &inbound.attachments, &options.limits),
        }
    });
    Ok((read.collect(), single))
}

/// The texts of a list's values.
fn list(text: &str) -> Result<Vec<&RawValue>, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::bad_request(format!("emit_to is not JSON: {error}")))
}

/// Whether all of these are to be kept, as far as they could be read.
pub(super) fn are_kept(emissions: &[Result<Emission, Error>]) -> bool {
    let mut read = emissions.iter().flatten().peekable();
    read.peek().is_some() && read.all(|emission| emission.keep)
}

/// Gives emissions that are to be kept their places in the order.
///
/// # Errors
/// The call is refused as a whole.
pub(super) async fn place(
    client: &Arc<Client>,
    emissions: Vec<Result<Emission, Error>>,
) -> Result<Placed<'_>, Error> {
    let who = client.who();
    let verified = who.verified();
    client
        .context
        .authenticator
        .events(&who, client.address, emissions.len())?;
    let producer = producer(client, &who, &verified);
    client.context.emitter.place(emissions, producer).await
}

/// Emits these in their order.
///
/// # Errors
/// The request is refused as a whole.
pub(super) async fn emit(
    client: &Arc<Client>,
    emissions: Vec<Result<Emission, Error>>,
) -> Result<Receipt, Error> {
    let who = client.who();
    let verified = who.verified();
    client
        .context
        .authenticator
        .events(&who, client.address, emissions.len())?;
    let producer = producer(client, &who, &verified);
    client.context.emitter.emit(emissions, producer).await
}
