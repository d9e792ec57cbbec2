//! Operations as they are written: an object with one key that names it, and others that belong to it.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{reconnect::Reconnect, room_name::checked_room};
use crate::{
    doors::backend::Arguments,
    emission::{Emission, EmissionLimits, is_event_name, too_large},
    error::Error,
};

/// The names of all operations.
const NAMES: [&str; 11] = [
    "emit",
    "join",
    "leave",
    "close_room",
    "disconnect",
    "reconnect",
    "session",
    "call",
    "rooms_of",
    "client",
    "members",
];
/// The name under which an operation counts that has none.
const UNKNOWN: &str = "unknown";
/// The time that a client has to answer a call that names none.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// One operation.
#[derive(Debug)]
pub(super) enum Operation {
    /// An emission, or the fault in it.
    Emit(Box<Result<Emission, Error>>),
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
    Reconnect(Reconnect),
    Session {
        data: Box<RawValue>,
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

/// The fields of an operation, each as it is written.
type Fields<'t> = BTreeMap<String, &'t RawValue>;

#[derive(Deserialize)]
struct WrittenCall<'t> {
    client: String,
    event: String,
    #[serde(borrow, default)]
    args: Option<&'t RawValue>,
    #[serde(default)]
    attachments: Option<Vec<String>>,
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

    /// The client that it names.
    pub(super) fn client(&self) -> Option<&str> {
        match self {
            Self::Join { client, .. }
            | Self::Leave { client, .. }
            | Self::Session { client, .. } => client.as_deref(),
            Self::Disconnect(client) | Self::RoomsOf(client) | Self::Client(client) => Some(client),
            Self::Call(call) => Some(&call.client),
            // Clients of any door may be meant by it, and each node knows its own.
            Self::Reconnect(_) => None,
            Self::Emit(_) | Self::CloseRoom { .. } | Self::Members { .. } => None,
        }
    }

    /// Whether it is about all members of a room, wherever they are.
    pub(super) fn is_about_room(&self) -> bool {
        match self {
            Self::CloseRoom { .. } | Self::Members { .. } => true,
            Self::Reconnect(wish) => wish.is_about_room(),
            _ => false,
        }
    }

    /// Reads an operation; what the application sends stays as it is written. Returns its name, for the counters, beside
    /// it: `unknown` for none.
    ///
    /// # Errors
    /// `bad_request`, naming the fault.
    pub(super) fn read(
        text: &RawValue,
        limits: &EmissionLimits,
    ) -> (&'static str, Result<Self, Error>) {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(text.get()) else {
            return (
                UNKNOWN,
                Err(Error::bad_request(
                    "an operation is an object, like {\"join\": \"room\", \"client\": \"id\"}",
                )),
            );
        };
        match named(&fields) {
            Some((name, about)) => (name, Self::of(name, about, &fields, limits)),
            None => (
                UNKNOWN,
                Err(Error::bad_request(format!(
                    "no operation is named; operations are {}",
                    NAMES.join(", ")
                ))),
            ),
        }
    }

    fn of(
        name: &'static str,
        about: &RawValue,
        fields: &Fields<'_>,
        limits: &EmissionLimits,
    ) -> Result<Self, Error> {
        let other = |key: &str| fields.get(key).map_or(Ok(None), |value| text(key, value));
        Ok(match name {
            "emit" => Self::Emit(Box::new(Emission::read(about.get().as_bytes(), limits))),
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
            "reconnect" => Self::Reconnect(Reconnect::read(about)?),
            "session" => Self::Session {
                data: about.to_owned(),
                client: other("client")?,
            },
            "call" => Self::Call(Box::new(call(about, limits)?)),
            "rooms_of" => Self::RoomsOf(id(name, about)?),
            "client" => Self::Client(id(name, about)?),
            _ => Self::Members {
                room: room(name, about)?,
                namespace: other("namespace")?.unwrap_or_default(),
            },
        })
    }
}

/// The name of an operation, and the value that says what it is about.
fn named<'t>(fields: &Fields<'t>) -> Option<(&'static str, &'t RawValue)> {
    // `client` and `namespace` belong to others, too, so they are looked for last.
    NAMES
        .iter()
        .find_map(|name| fields.get(*name).map(|about| (*name, *about)))
}

/// Whether an operation is about the session data of this client: one that names no client is, too.
pub(crate) fn is_session_of(operation: &RawValue, client: &str) -> bool {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(operation.get()) else {
        return false;
    };
    let about = fields
        .get("client")
        .map_or(Ok(None), |id| text("client", id));
    // One whose client can't be read is refused, and the client that comes in with it.
    let is_own = about.map_or(true, |about| about.is_none_or(|id| id == client));
    is_own && named(&fields).is_some_and(|(name, _)| name == "session")
}

fn text(key: &str, value: &RawValue) -> Result<Option<String>, Error> {
    serde_json::from_str(value.get())
        .map_err(|_| Error::bad_request(format!("{key} must be a string")))
}

fn id(name: &str, value: &RawValue) -> Result<String, Error> {
    text(name, value)?
        .ok_or_else(|| Error::bad_request(format!("{name} must name a client by its id")))
}

fn room(name: &str, value: &RawValue) -> Result<String, Error> {
    let room =
        text(name, value)?.ok_or_else(|| Error::bad_request(format!("{name} must name a room")))?;
    checked_room(&room)
}

/// Reads a call. Its client gets the arguments, so they have the bounds of an emission's.
fn call(value: &RawValue, limits: &EmissionLimits) -> Result<Call, Error> {
    let wrong = |why: String| Error::bad_request(format!("call: {why}"));
    let call: WrittenCall<'_> =
        serde_json::from_str(value.get()).map_err(|error| wrong(error.to_string()))?;
    if !is_event_name(&call.event) {
        return Err(Error::new(
            "invalid_event",
            "call: the name of an event has 1 to 128 characters, no control characters, and is none of Socket.IO's own",
        ));
    }
    let attachments = call.attachments.unwrap_or_default();
    let arguments = match call.args {
        None if !attachments.is_empty() => {
            return Err(wrong(
                "attachments need args that hold their places".to_owned(),
            ));
        }
        None => Arguments::default(),
        Some(args) => Arguments::read(args, attachments).map_err(wrong)?,
    };
    // A client that reads by recursion would end by such a call.
    if arguments.depth() > limits.max_depth {
        return Err(wrong(format!(
            "the arguments are nested more than {} levels deep ([content_filtering] max_depth)",
            limits.max_depth
        )));
    }
    if call.event.len() + arguments.bytes() > limits.max_bytes {
        return Err(too_large(limits.max_bytes));
    }
    Ok(Call {
        client: call.client,
        event: call.event,
        arguments,
        timeout: call.timeout_ms.map_or(CALL_TIMEOUT, Duration::from_millis),
    })
}
