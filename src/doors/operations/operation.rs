//! Operations as they are written: an object with one key that names it, and others that belong to it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{access::authz::room_name, doors::backend::Arguments, error::Error};

/// The names of all operations.
const NAMES: [&str; 10] = [
    "emit",
    "join",
    "leave",
    "close_room",
    "disconnect",
    "session",
    "call",
    "rooms_of",
    "client",
    "members",
];
/// The time that a client has to answer a call that names none.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// One operation.
#[derive(Debug)]
pub(super) enum Operation {
    Emit(Value),
    Join {
        room: String,
        client: Option<String>,
    },
    Leave {
        room: String,
        client: Option<String>,
    },
    CloseRoom {
        room: String,
        namespace: String,
    },
    Disconnect(String),
    Session {
        data: Value,
        client: Option<String>,
    },
    Call(Box<Call>),
    RoomsOf(String),
    Client(String),
    Members {
        room: String,
        namespace: String,
    },
}

/// An event that asks one client for an answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) client: String,
    pub(super) event: String,
    pub(super) arguments: Arguments,
    pub(super) timeout: Duration,
}

#[derive(Deserialize)]
struct WrittenCall {
    client: String,
    event: String,
    #[serde(default)]
    args: Option<Box<RawValue>>,
    #[serde(default)]
    attachments: Vec<String>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

impl Operation {
    /// Whether it is there for its result.
    pub(super) fn is_question(&self) -> bool {
        matches!(
            self,
            Self::Call(_) | Self::RoomsOf(_) | Self::Client(_) | Self::Members { .. }
        )
    }

    /// The name of an operation, for the counters; `unknown` for none.
    pub(super) fn name(value: &Value) -> &'static str {
        // `client` and `namespace` belong to others, too, so they are looked for last.
        let named = NAMES.iter().find(|name| value.get(**name).is_some());
        named.copied().unwrap_or("unknown")
    }

    /// Reads an operation.
    ///
    /// # Errors
    /// `bad_request`, naming the fault.
    pub(super) fn read(value: &mut Value) -> Result<Self, Error> {
        let name = Self::name(value);
        let Value::Object(fields) = value else {
            return Err(Error::bad_request(
                "an operation is an object, like {\"join\": \"room\", \"client\": \"id\"}",
            ));
        };
        let Some(about) = fields.remove(name) else {
            return Err(Error::bad_request(format!(
                "no operation is named; operations are {}",
                NAMES.join(", ")
            )));
        };
        let mut other = |key: &str| text(key, fields.remove(key));
        Ok(match name {
            "emit" => Self::Emit(about),
            "join" => Self::Join {
                room: room(name, about)?,
                client: other("client")?,
            },
            "leave" => Self::Leave {
                room: room(name, about)?,
                client: other("client")?,
            },
            "close_room" => Self::CloseRoom {
                room: room(name, about)?,
                namespace: other("namespace")?.unwrap_or_default(),
            },
            "disconnect" => Self::Disconnect(id(name, about)?),
            "session" => Self::Session {
                data: about,
                client: other("client")?,
            },
            "call" => Self::Call(Box::new(call(about)?)),
            "rooms_of" => Self::RoomsOf(id(name, about)?),
            "client" => Self::Client(id(name, about)?),
            _ => Self::Members {
                room: room(name, about)?,
                namespace: other("namespace")?.unwrap_or_default(),
            },
        })
    }
}

fn text(key: &str, value: Option<Value>) -> Result<Option<String>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::bad_request(format!("{key} must be a string"))),
    }
}

fn id(name: &str, value: Value) -> Result<String, Error> {
    text(name, Some(value))?
        .ok_or_else(|| Error::bad_request(format!("{name} must name a client by its id")))
}

fn room(name: &str, value: Value) -> Result<String, Error> {
    let room = text(name, Some(value))?
        .ok_or_else(|| Error::bad_request(format!("{name} must name a room")))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.:@/ -%".contains(&b);
    if room.is_empty() || room.len() > 128 || !room.bytes().all(plain) {
        return Err(Error::bad_request(
            "the name of a room is 1 to 128 of A-Z a-z 0-9 _ . : @ / - and space",
        ));
    }
    Ok(room_name::canonical(&room).into_owned())
}

fn call(value: Value) -> Result<Call, Error> {
    let wrong = |why: String| Error::bad_request(format!("call: {why}"));
    let call: WrittenCall =
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    if !call.attachments.is_empty() {
        return Err(wrong(
            "bytes can't be sent so in this version; emit them".into(),
        ));
    }
    let arguments = match &call.args {
        None => Arguments::default(),
        Some(args) => Arguments::read(args, call.attachments).map_err(wrong)?,
    };
    Ok(Call {
        client: call.client,
        event: call.event,
        arguments,
        timeout: call.timeout_ms.map_or(CALL_TIMEOUT, Duration::from_millis),
    })
}
