//! A client's entrance, as its parts hand it on: what the application's service is shown, and the reason of a refusal.

use std::fmt;

use serde_json::{Value, json, value::RawValue};

use super::word::Word;
use crate::{
    doors::{backend::Refusal, socketio::engine::REFUSAL},
    error::Error,
    observe::Metrics,
};

/// The parts of a request to connect that the service is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'r> {
    pub(super) auth: &'r Value,
    pub(super) query: &'r str,
    pub(super) headers: &'r Value,
}

/// The service's answer about a client that it lets in.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The operations to be carried out once the client is in.
    pub(super) operations: Vec<Box<RawValue>>,
    /// The service's word, if it was asked.
    pub(super) word: Option<Word>,
}

/// The reason why a client is not let in.
#[derive(Debug)]
pub(super) enum NotAdmitted {
    /// The server refuses it.
    Refused(Error),
    /// The application's service refuses it, in its own words.
    ByService(Refusal),
}

impl From<Error> for NotAdmitted {
    fn from(refusal: Error) -> Self {
        Self::Refused(refusal)
    }
}

impl NotAdmitted {
    /// The body of the CONNECT_ERROR, as JSON; the service's own data stays as it is written.
    pub(super) fn body(&self) -> String {
        match self {
            Self::Refused(refusal) => json!({ "message": refusal.to_string() }).to_string(),
            Self::ByService(Refusal {
                message,
                data: None,
            }) => json!({ "message": message }).to_string(),
            Self::ByService(Refusal {
                message,
                data: Some(data),
            }) => format!("{{\"message\":{},\"data\":{data}}}", json!(message)),
        }
    }

    /// Counts a refusal of the service's; the server's own are counted where they are made.
    pub(super) fn count(&self, metrics: &Metrics) {
        match self {
            Self::Refused(refusal) => metrics.turned_away("connect", refusal),
            Self::ByService(_) => metrics.turned_away("connect", &Error::new("refused", "")),
        }
    }
}

/// The text that the engine makes a message of. The whole body of the service stands in the message, and is put right on
/// its way out: the engine has no place for data, and a message in the service's words could have the mark itself.
impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::ByService(_) => write!(f, "{REFUSAL}{}", self.body()),
        }
    }
}
