//! Tells streams of other systems at the plain door.
//!
//! The first message of a body decides. It begins a run in one of the languages such that no plain event can be meant, or it
//! goes on with a stream of the same producer, which an earlier body began.

use bytes::Bytes;
use serde_json::Value;

use super::threads::Key;
use crate::{
    doors::http::{api::Api, caller::Caller},
    event::Object,
    intake,
    translate::{Language, StreamContext},
};

/// The language of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Plain events.
    Plain,
    /// Messages of this language.
    Foreign(Language),
    /// The next message tells.
    Unsure,
}

/// The language of a body that begins with this message.
pub(crate) fn opening(api: &Api, caller: &Caller, first: &Bytes) -> Opening {
    let Some(message) = read(api, first) else {
        return Opening::Plain;
    };
    if let Some(language) = Language::begun_by(&message) {
        return Opening::Foreign(language);
    }
    let known = Language::ALL
        .into_iter()
        .find(|language| language.speaks(&message) && goes_on(api, caller, *language));
    match known {
        Some(language) => Opening::Foreign(language),
        None if Language::perhaps_begun_by(&message).is_some() => Opening::Unsure,
        None => Opening::Plain,
    }
}

/// The same of a body with several messages, by the first two.
pub(crate) fn opening_of(api: &Api, caller: &Caller, messages: &[Bytes]) -> Opening {
    let Some(first) = messages.first() else {
        return Opening::Plain;
    };
    match opening(api, caller, first) {
        Opening::Unsure => messages
            .get(1)
            .map_or(Opening::Plain, |second| after(api, first, second)),
        opening => opening,
    }
}

/// The language of a body whose first message may begin a stream, by its second one.
pub(crate) fn after(api: &Api, first: &Bytes, second: &Bytes) -> Opening {
    let language = read(api, first).and_then(|first| Language::perhaps_begun_by(&first));
    let second = read(api, second);
    match (language, second) {
        (Some(language), Some(second)) if language.speaks(&second) => Opening::Foreign(language),
        _ => Opening::Plain,
    }
}

/// Whether a stream of this producer goes on, which has no name.
fn goes_on(api: &Api, caller: &Caller, language: Language) -> bool {
    let producer = intake::flow(&caller.who, caller.address);
    let key = Key::new(producer, language, &StreamContext::default());
    api.threads.is_open(&key)
}

fn read(api: &Api, text: &Bytes) -> Option<Object> {
    let limits = api.intake.limits();
    if text.len() > limits.max_event {
        return None;
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(message)) => Some(message),
        _ => None,
    }
}
