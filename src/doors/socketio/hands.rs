//! The clients of this door as performers of actions: they are asked by an event, and answer by its acknowledgement.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, value::RawValue};

use super::{
    attachments::attach,
    engine::{Answered, ExpressLane},
};
use crate::{
    channel::Namespace,
    doors::{
        actions::{Hands, Performing},
        backend::Arguments,
        operations::Asking,
    },
    error::Error,
    event::lenient,
};

/// A client's lane, as the way to a performer.
#[derive(Debug)]
pub(super) struct LaneHands(pub(super) Arc<ExpressLane>);

impl Hands for LaneHands {
    fn perform(&self, payload: &str) -> Performing {
        let mut asked = self.0.ask(Namespace::Root, "agent_action", payload);
        Box::pin(async move { asked.answer().await.map(read) })
    }
}

/// Asks a client by an event; the answer is its arguments as they are.
pub(super) fn asking(
    lane: &Arc<ExpressLane>,
    namespace: Namespace,
    event: &str,
    arguments: &Arguments,
) -> Asking {
    let mut asked = lane.ask_with(namespace, event, arguments);
    Box::pin(async move {
        let answer = asked.answer().await?;
        let answer = answer.and_then(arguments_of);
        Some(
            answer.map_err(|why| {
                Error::bad_request(format!("the client's answer can't be read: {why}"))
            }),
        )
    })
}

fn arguments_of(answer: Answered) -> Result<Arguments, String> {
    let list = answer.json.trim();
    if !list.is_empty() {
        let read: Result<Vec<&RawValue>, _> = serde_json::from_str(list);
        read.map_err(|error| error.to_string())?;
    }
    let inside = list
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'));
    Ok(Arguments {
        json: inside.unwrap_or_default().to_owned(),
        attachments: answer.attachments.into_iter().map(Into::into).collect(),
    })
}

/// The value of an answer: an absent one is `null`, and an attachment stands as base64 in its place.
fn read(answer: Result<Answered, String>) -> Result<Value, Error> {
    let unreadable =
        |why: &str| Error::bad_request(format!("the producer's answer can't be read: {why}"));
    let answer = answer.map_err(|why| unreadable(&why))?;
    let mut value = match serde_json::from_str::<Vec<Value>>(&answer.json) {
        Ok(arguments) => arguments.into_iter().next().unwrap_or_default(),
        Err(_) if answer.json.is_empty() => Value::Null,
        Err(error) => {
            let parts = lenient::elements(answer.json.as_bytes(), 1);
            let (parts, _) = parts.ok_or_else(|| unreadable(&error.to_string()))?;
            match parts.first() {
                None => Value::Null,
                Some(first) => lenient::read(first)
                    .map(|(value, _)| value)
                    .map_err(|rejection| unreadable(&rejection.message))?,
            }
        }
    };
    let attachments: Vec<Bytes> = answer.attachments.into_iter().map(Into::into).collect();
    attach(&mut value, &attachments).map_err(unreadable)?;
    Ok(value)
}
