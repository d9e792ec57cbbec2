//! Readers of the fields that the dialects share. Each takes its field out of the object.

use std::sync::Arc;

use jiff::civil;
use serde_json::Value;

use super::{Object, ParseContext, Priority, numeral};
use crate::{error::Error, timestamp::Timestamp};

const MAX_TYPE: usize = 128;
const MAX_ID: usize = 128;
const MAX_SOURCE: usize = 256;
/// The first number of milliseconds: as seconds such numbers would be in the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;
/// The first number of microseconds: milliseconds end with the year 9999.
const MICROSECONDS_FROM: f64 = LAST_SECOND * 1e3;
/// The first number of nanoseconds: microseconds end with the year 9999.
const NANOSECONDS_FROM: f64 = LAST_SECOND * 1e6;
/// The end of the year 9999, in seconds.
const LAST_SECOND: f64 = 253_402_300_800.0;
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

/// Free text as a type: characters that aren't allowed become `_`.
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

/// Takes `id` or `event_id`; mints one when there is none.
pub(super) fn id(object: &mut Object) -> Result<Arc<str>, Error> {
    let id = object.remove("id").filter(|v| !v.is_null());
    let event_id = object.remove("event_id").filter(|v| !v.is_null());
    read_id(id.or(event_id))
}

pub(super) fn read_id(value: Option<Value>) -> Result<Arc<str>, Error> {
    match value {
        None => Ok(super::mint_id().to_string().into()),
        Some(Value::String(id)) if (1..=MAX_ID).contains(&id.len()) => Ok(id.into()),
        Some(Value::Number(id)) => Ok(numeral::id_of(&id).into()),
        Some(_) => Err(Error::new(
            "bad_request",
            format!("id must be a string of 1 to {MAX_ID} characters"),
        )),
    }
}

/// Takes `timestamp`; it is now when there is none.
pub(super) fn timestamp(
    object: &mut Object,
    context: &ParseContext<'_>,
) -> Result<Timestamp, Error> {
    match object.remove("timestamp") {
        None | Some(Value::Null) => Ok(context.now),
        Some(value) => read_timestamp(&value).ok_or_else(|| {
            Error::new(
                "invalid_timestamp",
                format!(
                    "timestamp {} is not ISO 8601 (2026-05-23T14:00:00Z) and no epoch number in s, ms, µs or ns",
                    value.to_string().chars().take(60).collect::<String>()
                ),
            )
        }),
    }
}

/// A point in time as producers write it; without an offset it is UTC.
pub(crate) fn read_timestamp(value: &Value) -> Option<Timestamp> {
    let micros = match value {
        Value::Number(number) => micros_of(number.as_f64()?)?,
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<jiff::Timestamp>() {
                Ok(instant) => instant.as_microsecond(),
                Err(_) if is_epoch(text) => micros_of(text.parse().ok()?)?,
                Err(_) => {
                    // The library's moments end a day before the last one that can be written.
                    let naive = text
                        .strip_suffix('Z')
                        .filter(|_| text.starts_with("9999-12-3"));
                    let naive: civil::DateTime = naive.unwrap_or(text).parse().ok()?;
                    let since =
                        naive.duration_since(civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
                    i64::try_from(since.as_micros()).ok()?
                }
            }
        }
        _ => return None,
    };
    (0..=LAST_MICROS)
        .contains(&micros)
        .then(|| Timestamp::from_micros(micros))
}

/// Microseconds of an epoch number in s, ms, µs or ns: a number that is a year up to 9999 in one unit is too large in
/// the unit before.
fn micros_of(number: f64) -> Option<i64> {
    let seconds = match number {
        n if n < MILLISECONDS_FROM => n,
        n if n < MICROSECONDS_FROM => n / 1e3,
        n if n < NANOSECONDS_FROM => n / 1e6,
        n => n / 1e9,
    };
    (0.0..LAST_SECOND)
        .contains(&seconds)
        .then(|| (seconds * 1e6).round() as i64)
}

/// Whether a text is an epoch number: a text with fewer digits would be a day.
fn is_epoch(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (10..=19).contains(&whole.len()) && digits(whole) && digits(part)
}

/// Takes `source` of the event, else of its data, else the producer.
pub(super) fn source(
    own: Option<Value>,
    data: &Object,
    context: &ParseContext<'_>,
) -> Result<Arc<str>, Error> {
    match own {
        None | Some(Value::Null) => {
            let named = data.get("source").and_then(Value::as_str);
            Ok(named
                .filter(|s| !s.is_empty() && s.len() <= MAX_SOURCE)
                .unwrap_or(context.producer)
                .into())
        }
        Some(Value::String(source)) if source.len() <= MAX_SOURCE => Ok(source.into()),
        Some(_) => Err(Error::new(
            "bad_request",
            format!("source must be a string of at most {MAX_SOURCE} characters"),
        )),
    }
}

/// Takes `project_id` beside the data; a project in the data is found with the other ids.
pub(super) fn project_id(own: Option<Value>) -> Result<Option<Arc<str>>, Error> {
    match own {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.into())),
        Some(Value::Number(id)) => Ok(Some(numeral::id_of(&id).into())),
        Some(_) => Err(Error::new("bad_request", "project_id must be a string")),
    }
}

/// Takes `priority`.
pub(super) fn priority(object: &mut Object) -> Result<Option<Priority>, Error> {
    match object.remove("priority") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match Priority::read(Some(&value)) {
            Some(priority) => Ok(Some(priority)),
            // Other systems have other words and numbers for it: the event gets the priority of its type.
            None if value.is_number() || value.as_str().is_some_and(is_type) => Ok(None),
            None => Err(Error::new(
                "bad_request",
                "priority must be critical, high, normal (or medium) or low",
            )),
        },
    }
}

/// Takes `data`; without it the object is empty.
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

/// Takes `metadata`; without it the object is empty.
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
