//! Coalesces the data of two updates that are [`joinable`](super::joinable): of the earlier one, only facts that the later
//! one says anew are replaced.

use serde_json::Value;

use super::{Coalescing, status::within};
use crate::event::Object;

/// The keys of a message's text.
const TEXT: [&str; 3] = ["content", "delta", "text"];

/// Coalesces `later` into `earlier`.
pub fn coalesce(mut earlier: Object, later: &Object, how: Coalescing) -> Object {
    match how {
        // Calls and sums are joined by what tells of them, not field by field (`pace`).
        Coalescing::Replace | Coalescing::Calls | Coalescing::Sums => return later.clone(),
        Coalescing::Fields | Coalescing::Items => lay_over(&mut earlier, later),
        Coalescing::Changes => {
            let changes = earlier.remove("changes");
            lay_over(&mut earlier, later);
            if let (Some(Value::Object(mut before)), Some(Value::Object(after))) =
                (changes, later.get("changes"))
            {
                lay_over(&mut before, after);
                earlier.insert("changes".into(), Value::Object(before));
            }
        }
        Coalescing::Text => join_text(&mut earlier, later),
    }
    earlier
}

/// Whether `later` has every key of `earlier`, so that coalescing them would give `later` itself.
pub fn later_covers(earlier: &Object, later: &Object) -> bool {
    // The coalesced data of many events is not searched for each further event.
    earlier.len() <= later.len()
        && earlier.keys().all(|key| later.contains_key(key))
        && !later.contains_key("changes")
}

/// Whether the text of `later` is somebody else's part of the message than that of `earlier`. A delta that names no role goes
/// on with the one before it.
pub fn changes_role(earlier: &Object, later: &Object) -> bool {
    let role = |data| {
        let said = within(data, &["message"], "role");
        said.filter(|role| !role.is_null() && role.as_str() != Some(""))
    };
    role(later).is_some_and(|later| role(earlier) != Some(later))
}

fn lay_over(into: &mut Object, later: &Object) {
    for (key, value) in later {
        into.insert(key.clone(), value.clone());
    }
}

/// The text of a delta, under whichever key the producer writes it.
fn text(object: &Object) -> Option<&str> {
    let here = |object: &Object, key: &str| object.get(key).and_then(Value::as_str).is_some();
    let message = object.get("message").and_then(Value::as_object);
    let (object, key) = TEXT.iter().find_map(|key| {
        let inner = message.filter(|message| here(message, key));
        Some(object)
            .filter(|object| here(object, key))
            .or(inner)
            .map(|object| (object, key))
    })?;
    object.get(*key).and_then(Value::as_str)
}

fn take_text(object: &mut Object) -> Option<String> {
    let place = TEXT.iter().find_map(|key| {
        let here = object.get(*key).is_some_and(Value::is_string);
        let inside = || {
            object
                .get("message")
                .and_then(|m| m.get(key))
                .is_some_and(Value::is_string)
        };
        (here || inside()).then_some((*key, here))
    });
    let (key, here) = place?;
    let found = if here {
        object.get_mut(key)
    } else {
        object.get_mut("message").and_then(|m| m.get_mut(key))
    };
    match found.map(Value::take) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Joins two texts; the joined one is written under the later delta's key.
fn join_text(earlier: &mut Object, later: &Object) {
    // The text is moved out and grown in place: a long text is not copied for each delta.
    let joined = take_text(earlier).map(|mut joined| {
        joined.push_str(text(later).unwrap_or_default());
        joined
    });
    let message = earlier.remove("message");
    lay_over(earlier, later);
    if let (Some(Value::Object(mut before)), Some(Value::Object(after))) =
        (message, later.get("message"))
    {
        lay_over(&mut before, after);
        earlier.insert("message".into(), Value::Object(before));
    }
    let Some(joined) = joined else { return };
    let in_message = later.get("message").is_some_and(Value::is_object);
    TEXT.iter().for_each(|key| drop(earlier.remove(*key)));
    let place = match earlier.get_mut("message") {
        Some(Value::Object(message)) => {
            TEXT.iter().for_each(|key| drop(message.remove(*key)));
            if in_message { message } else { earlier }
        }
        _ => earlier,
    };
    place.insert(TEXT[0].into(), joined.into());
}
