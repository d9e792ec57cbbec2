//! Reads the fields of messages, and refuses those that lack what they are about.

use serde_json::Value;

use crate::{error::Error, event::Object};

/// Bytes of an id: a stream holds the ids of what is open.
const MAX_ID: usize = 512;

/// A field, in the spelling of JavaScript (`messageId`) or of Python (`message_id`).
pub(super) fn field<'o>(object: &'o Object, key: &str) -> Option<&'o Value> {
    object
        .get(key)
        .or_else(|| object.get(snake(key).as_str()))
        .filter(|value| !value.is_null())
}

pub(super) fn text<'o>(object: &'o Object, key: &str) -> Option<&'o str> {
    field(object, key).and_then(Value::as_str)
}

/// A text that a message must have.
///
/// # Errors
/// It is not there, or no text.
pub(super) fn needed<'o>(object: &'o Object, key: &str) -> Result<&'o str, Error> {
    text(object, key).ok_or_else(|| without(object, key, "text"))
}

/// An id that a message must have.
///
/// # Errors
/// It is not there, empty, no text, or too long.
pub(super) fn id<'o>(object: &'o Object, key: &str) -> Result<&'o str, Error> {
    let id = needed(object, key)?;
    match id.len() {
        0 => Err(without(object, key, "text that is not empty")),
        1..=MAX_ID => Ok(id),
        _ => Err(long(object, key)),
    }
}

/// An id that a message may have.
///
/// # Errors
/// It is too long.
pub(super) fn id_if_any<'o>(object: &'o Object, key: &str) -> Result<Option<&'o str>, Error> {
    match text(object, key).filter(|id| !id.is_empty()) {
        Some(id) if id.len() > MAX_ID => Err(long(object, key)),
        id => Ok(id),
    }
}

/// The error of a message that lacks a field.
pub(super) fn without(object: &Object, key: &str, kind: &str) -> Error {
    let name = named(object);
    Error::new(
        "invalid_data",
        format!("{name} has no {key}, or none that is a {kind}: send it as its protocol says"),
    )
}

fn long(object: &Object, key: &str) -> Error {
    let name = named(object);
    Error::new(
        "invalid_data",
        format!("the {key} of {name} is longer than {MAX_ID} bytes: use short ids"),
    )
}

/// The name of a message, for a sentence about it.
fn named(object: &Object) -> String {
    let name = ["type", "event"]
        .iter()
        .find_map(|key| object.get(*key).and_then(Value::as_str));
    cut(name.unwrap_or("a message without a type"), 64)
}

/// The beginning of a text, on one line.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > most {
        line = line.chars().take(most.saturating_sub(1)).collect();
        line.push('…');
    }
    line
}

/// The words of a value: a text, the texts of content blocks, or the field of an object that asks or says something.
pub(super) fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let said: String = parts.iter().filter_map(words).collect();
            (!said.is_empty()).then_some(said)
        }
        Value::Object(object) => ["question", "message", "text", "content", "description"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str())
            .map(str::to_owned),
        _ => None,
    }
}

/// `messageId` as `message_id`.
fn snake(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A name as the last part of an event's type.
pub(super) fn as_type(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    let slug: String = name
        .chars()
        .take(100)
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let slug = slug.trim_matches(['.', ':', '_', '-']);
    match slug {
        "" => "unnamed".to_owned(),
        slug => slug.to_owned(),
    }
}
