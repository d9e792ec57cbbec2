//! Messages of python-socketio's `RedisManager` and `AsyncRedisManager`, and so of Flask-SocketIO's `message_queue`.
//!
//! A message is a JSON object with a `method`. The arguments of an `emit` have three forms, by the sender's age:
//!
//! | python-socketio | `binary` | `data` |
//! |---|---|---|
//! | 5.14.0, 5.14.1 | absent | the one argument (a tuple comes as a list) |
//! | 5.14.2 – 5.15.0 | false / true | the one argument / `[the argument, base64, …]` |
//! | from 5.15.1 on | false / true | the list of arguments / `[that list, base64, …]` |
//!
//! Between the second and the third form nothing tells a payload that is a list from a list of arguments, but
//! [`ListData`]. Before 5.14 a message was a pickle, which can run code when it is read: it is not.

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    depth,
    message::{Broadcast, Message, MessageLimits, Operation, join},
    names,
    refusal::Refusal,
};

/// The meaning of `data` that is a list and comes with `binary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListData {
    /// The list of arguments: right for python-socketio from 5.15.1 on.
    #[default]
    Args,
    /// The one argument: right for 5.14.2 to 5.15.0.
    Raw,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    binary: Option<bool>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    room: Option<&'a RawValue>,
    #[serde(borrow, default)]
    skip_sid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    callback: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sid: Option<Cow<'a, str>>,
}

/// Reads a message.
///
/// # Errors
/// A [`Refusal`] of a message that is a pickle, that python-socketio doesn't write, that is over a limit, or is between Python's own servers.
pub fn read(body: &[u8], lists: ListData, limits: MessageLimits) -> Result<Message, Refusal> {
    // A pickle of protocols 2 to 5 begins with its protocol.
    if matches!(body, [0x80, 2..=5, ..]) {
        return Err(Refusal::Pickle);
    }
    if body.len() > limits.max_bytes {
        return Err(Refusal::TooLarge(limits.max_bytes));
    }
    let written: Written<'_> = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    let namespace = match written.namespace.as_deref() {
        None | Some("") => "/".to_owned(),
        Some(namespace) => namespace.to_owned(),
    };
    let client = || one(written.sid.as_deref(), "sid");
    let room = || match &*names::read(written.room, limits.max_rooms)? {
        [room] => Ok(room.clone()),
        _ => Err(Refusal::malformed("it names no room")),
    };
    Ok(Message::Operation(match &*written.method {
        "emit" => return emit(&written, namespace, lists, limits).map(Message::Emit),
        "disconnect" => Operation::Disconnect {
            client: client()?,
            namespace,
        },
        "enter_room" => Operation::Enter {
            client: client()?,
            room: room()?,
            namespace,
        },
        "leave_room" => Operation::Leave {
            client: client()?,
            room: room()?,
            namespace,
        },
        "close_room" => Operation::Close {
            room: room()?,
            namespace,
        },
        "callback" => return Err(Refusal::Unsupported("an acknowledgement".into())),
        other => {
            let name: String = other.chars().take(64).collect();
            return Err(Refusal::Unsupported(format!("the method {name:?}")));
        }
    }))
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::malformed(format!(
        "{error} (Python's NaN and Infinity are not JSON either)"
    ))
}

fn one(text: Option<&str>, key: &str) -> Result<String, Refusal> {
    let named = text.filter(|text| !text.is_empty());
    named
        .map(str::to_owned)
        .ok_or_else(|| Refusal::malformed(format!("it has no {key}")))
}

fn emit(
    written: &Written<'_>,
    namespace: String,
    lists: ListData,
    limits: MessageLimits,
) -> Result<Broadcast, Refusal> {
    let data = written.data.map_or("null", RawValue::get);
    depth::check(data, limits.max_depth)?;
    let mut attachments = Vec::new();
    let args = match (written.binary, is_list(data)) {
        (None, _) | (Some(false), false) => join([data].into_iter()),
        (Some(false), true) => arguments(data, lists)?,
        (Some(true), true) => {
            let parts: Vec<&RawValue> =
                serde_json::from_str(data).map_err(|error| not_json(&error))?;
            let Some((first, texts)) = parts.split_first() else {
                return Err(Refusal::malformed("its binary data is an empty list"));
            };
            if texts.len() > limits.max_attachments {
                return Err(Refusal::TooManyAttachments(limits.max_attachments));
            }
            for text in texts {
                attachments.push(binary(text.get())?);
            }
            arguments(first.get(), lists)?
        }
        (Some(true), false) => {
            return Err(Refusal::malformed("its binary data is not a list"));
        }
    };
    Ok(Broadcast {
        namespace,
        event: one(written.event.as_deref(), "event")?,
        args,
        attachments,
        rooms: names::read(written.room, limits.max_rooms)?,
        except: names::read(written.skip_sid, limits.max_rooms)?,
        volatile: false,
        asks_ack: written.callback.is_some(),
    })
}

fn is_list(text: &str) -> bool {
    text.starts_with('[')
}

fn arguments(data: &str, lists: ListData) -> Result<String, Refusal> {
    if !is_list(data) || lists == ListData::Raw {
        return Ok(join([data].into_iter()));
    }
    let args: Vec<&RawValue> = serde_json::from_str(data).map_err(|error| not_json(&error))?;
    Ok(join(args.iter().map(|arg| arg.get())))
}

fn binary(text: &str) -> Result<Bytes, Refusal> {
    let text: Cow<'_, str> = serde_json::from_str(text)
        .map_err(|_| Refusal::malformed("a binary part is not a text of base64"))?;
    let bytes = BASE64
        .decode(text.as_bytes())
        .map_err(|_| Refusal::malformed("a binary part is not base64"))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
