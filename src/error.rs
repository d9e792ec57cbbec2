//! The answer to a refused request: a code of the protocol, and a sentence for people.

use std::{borrow::Cow, time::Duration};

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Map, Value};

use crate::timestamp::Timestamp;

/// The codes that one node may tell another; any other one is the refusal of a node of another version.
const CODES: [&str; 27] = [
    "backend_unavailable",
    "bad_request",
    "banned",
    "closed",
    "forbidden",
    "forbidden_room",
    "invalid_data",
    "invalid_event",
    "invalid_type",
    "missing_type",
    "not_found",
    "overloaded",
    "rate_limited",
    "refused",
    "room_full",
    "timeout",
    "token_expired",
    "too_deep",
    "too_large",
    "unauthorized",
    "unavailable",
    "unknown_encoding",
    "unknown_event",
    "unknown_namespace",
    "unknown_room_type",
    "unknown_shape",
    "invalid_timestamp",
];

/// A refusal. On the wire it is `{"code", "message"}`; as a CONNECT_ERROR it is `code: message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.shown())]
pub struct Error {
    /// One of the protocol's codes.
    pub code: &'static str,
    /// The fault, its place, and what to do.
    pub message: String,
    /// The room that was refused, where a request names several.
    room: Option<Box<str>>,
    /// The time after which a retry may succeed, where it is known.
    wait: Option<Duration>,
    /// Whether the reason lies with somebody else, although the code is one of a server that can't do its work.
    elsewhere: bool,
}

impl Error {
    /// A refusal with one of the protocol's codes.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            room: None,
            wait: None,
            elsewhere: false,
        }
    }

    /// The refusal that another node told.
    pub(crate) fn told(code: &str, message: impl Into<String>) -> Self {
        let known = CODES.iter().find(|known| **known == code);
        let refusal = Self::new(known.unwrap_or(&"unavailable"), message);
        // Its own node counts it as a failure, if it is one.
        refusal.elsewhere()
    }

    /// The words of a CONNECT_ERROR; a code without a message stands for itself.
    fn shown(&self) -> Cow<'_, str> {
        match self.message.as_str() {
            "" => self.code.into(),
            message => format!("{}: {message}", self.code).into(),
        }
    }

    /// The same, where the reason is no fault of the server: a producer's own backlog, a producer that is not there.
    #[must_use]
    pub fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// Whether the server failed. Otherwise it did its work: it refused something that was wrong, or not allowed.
    pub fn is_failure(&self) -> bool {
        !self.elsewhere && matches!(self.code, "overloaded" | "unavailable")
    }

    /// The same, with the time after which a retry may succeed.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// The seconds for a `Retry-After`, where they are known.
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

    /// The HTTP status for the code.
    pub fn status(&self) -> StatusCode {
        match self.code {
            "unauthorized" | "token_expired" => StatusCode::UNAUTHORIZED,
            "forbidden" | "forbidden_room" | "banned" => StatusCode::FORBIDDEN,
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
            "timeout" => StatusCode::REQUEST_TIMEOUT,
            "overloaded" | "unavailable" | "backend_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "not_found" => StatusCode::NOT_FOUND,
            "closed" => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The refusal of a request that is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new("bad_request", message)
    }

    /// The refusal of something that the caller's role may not do.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new("forbidden", message)
    }

    /// The refusal of something that the server can't do now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new("unavailable", message)
    }
}

impl Error {
    /// The fields of the `error` event; `room` is the request's room, unless the refusal names one itself.
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

/// The words of an HTTP client's error and of its causes, without the address, which may hold a secret.
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
