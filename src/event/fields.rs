//! Readers of the fields that the dialects share. Each takes its field out of the object.

use std::sync::Arc;

use jiff::{civil, tz::TimeZone};
use serde_json::Value;

use super::{Intake, Object, Priority};
use crate::{error::Error, timestamp::Timestamp};

const MAX_TYPE: usize = 128;
const MAX_ID: usize = 128;
const MAX_SOURCE: usize = 256;
/// Epoch numbers from here on are milliseconds: as seconds they would be in the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;
/// The end of the year 9999, in microseconds.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// `type`, or `event_type`.
pub(super) fn event_type(object: &mut Object) -> Result<String, Error> {
    let named = object.remove("type");
    let other = object.remove("event_type");
    match named.filter(|v| !v.is_null()).or(other) {
        Some(Value::String(name)) if is_type(&name) => Ok(name),
        Some(Value::String(name)) => Err(Error::new(
            "invalid_type",
            format!(
                "type {:?} is not allowed: 1 to {MAX_TYPE} characters of A-Z a-z 0-9 _ . : -",
                name.chars().take(40).collect::<String>()
            ),
        )),
        _ => Err(Error::new("invalid_type", "type must be a string")),
    }
}

pub(super) fn is_type(name: &str) -> bool {
    (1..=MAX_TYPE).contains(&name.len()) && name.bytes().all(is_type_byte)
}

fn is_type_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

/// Free text as a type: what isn't allowed becomes `_`.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if slug.len() >= MAX_TYPE {
            break;
        }
        if u8::try_from(c).is_ok_and(is_type_byte) {
            slug.push(c);
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug
}

/// `id` or `event_id`; minted when there is none.
pub(super) fn id(object: &mut Object) -> Result<Arc<str>, Error> {
    let id = object.remove("id").filter(|v| !v.is_null());
    let event_id = object.remove("event_id").filter(|v| !v.is_null());
    read_id(id.or(event_id))
}

pub(super) fn read_id(value: Option<Value>) -> Result<Arc<str>, Error> {
    match value {
        None => Ok(super::mint_id().to_string().into()),
        Some(Value::String(id)) if (1..=MAX_ID).contains(&id.len()) => Ok(id.into()),
        Some(Value::Number(id)) => Ok(id.to_string().into()),
        Some(_) => Err(Error::new(
            "bad_request",
            format!("id must be a string of 1 to {MAX_ID} characters"),
        )),
    }
}

/// `timestamp`; now when there is none.
pub(super) fn timestamp(object: &mut Object, intake: &Intake<'_>) -> Result<Timestamp, Error> {
    match object.remove("timestamp") {
        None | Some(Value::Null) => Ok(intake.now),
        Some(value) => read_timestamp(&value).ok_or_else(|| {
            Error::new(
                "invalid_timestamp",
                format!(
                    "timestamp {} is not ISO 8601 (2026-05-23T14:00:00Z) and no epoch number in s or ms",
                    value.to_string().chars().take(60).collect::<String>()
                ),
            )
        }),
    }
}

/// A point in time as producers write it; without an offset it is taken as UTC.
pub(super) fn read_timestamp(value: &Value) -> Option<Timestamp> {
    let micros = match value {
        Value::Number(number) => {
            let number = number.as_f64()?;
            let seconds = if number < MILLISECONDS_FROM {
                number
            } else {
                number / 1_000.0
            };
            (0.0..253_402_300_800.0)
                .contains(&seconds)
                .then(|| (seconds * 1e6).round() as i64)?
        }
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<jiff::Timestamp>() {
                Ok(instant) => instant.as_microsecond(),
                Err(_) => {
                    let naive: civil::DateTime = text.parse().ok()?;
                    naive
                        .to_zoned(TimeZone::UTC)
                        .ok()?
                        .timestamp()
                        .as_microsecond()
                }
            }
        }
        _ => return None,
    };
    (0..=LAST_MICROS)
        .contains(&micros)
        .then(|| Timestamp::from_micros(micros))
}

/// `source` of the event, else of its data, else the producer.
pub(super) fn source(
    own: Option<Value>,
    data: &Object,
    intake: &Intake<'_>,
) -> Result<Arc<str>, Error> {
    match own {
        None | Some(Value::Null) => {
            let named = data.get("source").and_then(Value::as_str);
            Ok(named
                .filter(|s| !s.is_empty() && s.len() <= MAX_SOURCE)
                .unwrap_or(intake.producer)
                .into())
        }
        Some(Value::String(source)) if source.len() <= MAX_SOURCE => Ok(source.into()),
        Some(_) => Err(Error::new(
            "bad_request",
            format!("source must be a string of at most {MAX_SOURCE} characters"),
        )),
    }
}

/// `project_id` beside the data; what the data names is found with its other ids.
pub(super) fn project_id(own: Option<Value>) -> Result<Option<Arc<str>>, Error> {
    match own {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.into())),
        Some(Value::Number(id)) => Ok(Some(id.to_string().into())),
        Some(_) => Err(Error::new("bad_request", "project_id must be a string")),
    }
}

/// `priority`.
pub(super) fn priority(object: &mut Object) -> Result<Option<Priority>, Error> {
    match object.remove("priority") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match Priority::read(Some(&value)) {
            Some(priority) => Ok(Some(priority)),
            // Other systems have other words and numbers for it: the event has the priority of its type.
            None if value.is_number() || value.as_str().is_some_and(is_type) => Ok(None),
            None => Err(Error::new(
                "bad_request",
                "priority must be critical, high, normal (or medium) or low",
            )),
        },
    }
}

/// `data`; nothing is an empty object.
pub(super) fn data(object: &mut Object) -> Result<Object, Error> {
    match object.remove("data") {
        None => Ok(Object::new()),
        Some(Value::Object(data)) => Ok(data),
        Some(Value::Null) => Ok(Object::new()),
        Some(other) => Err(Error::new(
            "invalid_data",
            format!(
                "data must be an object, not {}{}",
                kind(&other),
                super::meant::no_data(&other, object)
            ),
        )),
    }
}

/// `metadata`; nothing is an empty object.
pub(super) fn metadata(object: &mut Object) -> Result<Object, Error> {
    match object.remove("metadata") {
        None | Some(Value::Null) => Ok(Object::new()),
        Some(Value::Object(metadata)) => Ok(metadata),
        Some(other) => Err(Error::new(
            "bad_request",
            format!("metadata must be an object, not {}", kind(&other)),
        )),
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
