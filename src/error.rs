//! What is answered when something is refused: a code of the contract and a sentence for people.

use std::time::Duration;

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Map, Value};

use crate::timestamp::Timestamp;

/// A refusal. On the wire it is `{"code", "message"}`; as a CONNECT_ERROR it is `code: message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// One of the contract's codes, §8.
    pub code: &'static str,
    /// What was wrong, where, and what to do.
    pub message: String,
    /// The room that was refused, where a request names several.
    room: Option<Box<str>>,
    /// In how long it may do, where that is known.
    wait: Option<Duration>,
}

impl Error {
    /// A refusal with one of the contract's codes.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            room: None,
            wait: None,
        }
    }

    /// The same with the time after which it may do.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// In how many seconds it may do, for a `Retry-After`.
    pub fn retry_after(&self) -> Option<u64> {
        let wait = self.wait?;
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// The same about one of the rooms that were asked for.
    #[must_use]
    pub fn about_room(mut self, room: &str) -> Self {
        self.room = Some(room.into());
        self
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> StatusCode {
        match self.code {
            "unauthorized" | "token_expired" => StatusCode::UNAUTHORIZED,
            "forbidden" | "forbidden_room" | "banned" => StatusCode::FORBIDDEN,
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
            "timeout" => StatusCode::REQUEST_TIMEOUT,
            "overloaded" | "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "not_found" => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A request that makes no sense as it stands.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new("bad_request", message)
    }

    /// Something the caller's role may not do.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new("forbidden", message)
    }

    /// The server can't do it now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new("unavailable", message)
    }
}

impl Error {
    /// The fields of the `error` event; `room` is the one that the request was about, unless the refusal knows better.
    pub fn to_event(&self, room: Option<&str>) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("type".into(), "error".into());
        body.insert("code".into(), self.code.into());
        body.insert("message".into(), self.message.as_str().into());
        if let Some(room) = self.room.as_deref().or(room) {
            body.insert("room_id".into(), room.into());
        }
        body.insert("timestamp".into(), Timestamp::now().to_string().into());
        body
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Error", 2)?;
        out.serialize_field("code", self.code)?;
        out.serialize_field("message", &self.message)?;
        out.end()
    }
}
