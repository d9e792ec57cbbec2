//! A client's update of the graph, made an event.

use serde_json::Value;

use crate::{
    doors::websocket::session::Session,
    error::Error,
    event::{self, Object},
    intake::Raw,
};

/// The kinds of updates.
const TYPES: [&str; 5] = [
    "node_update",
    "edge_update",
    "layout_update",
    "style_update",
    "complete_refresh",
];
/// The priorities of updates.
const PRIORITIES: [&str; 3] = ["high", "medium", "low"];

/// Publishes the update of a message. Returns its id once it can no longer be lost, or why its event was not taken, which is
/// counted then.
///
/// # Errors
/// The message is no update, or may not be published; the sentence says what to do.
pub(super) async fn publish(session: &Session, text: &str) -> Result<Result<Value, Error>, Error> {
    let (value, len) = session.context.intake.read(text.as_bytes())?;
    let Value::Object(mut update) = value else {
        return Err(Error::bad_request(
            "an update is a JSON object with type, target_id and changes",
        ));
    };
    check(&update)?;
    let id = match ["update_id", "id"]
        .into_iter()
        .find_map(|key| given(&update, key))
    {
        Some(id) => id.clone(),
        None => Value::String(event::mint_id().to_string()),
    };
    update.insert("update_id".into(), id.clone());
    let receipt = session
        .publish(vec![Raw::Json(Value::Object(update), len)])
        .await?;
    Ok(match receipt.rejected.into_iter().next() {
        None => Ok(id),
        Some(rejected) => Err(rejected.error),
    })
}

/// Checks the parts that an update must have.
fn check(update: &Object) -> Result<(), Error> {
    let kind = given(update, "type").or_else(|| given(update, "update_type"));
    let Some(kind) = kind else {
        return Err(Error::new(
            "missing_type",
            format!("type is missing: it is one of {}", TYPES.join(", ")),
        ));
    };
    if !kind.as_str().is_some_and(|kind| TYPES.contains(&kind)) {
        let message = format!(
            "type is {}: it must be one of {}",
            short(kind),
            TYPES.join(", ")
        );
        return Err(Error::new("invalid_type", message));
    }
    match given(update, "target_id") {
        Some(Value::String(id)) if !id.is_empty() => {}
        Some(other) => {
            let message = format!(
                "target_id is {}: it must be a string, the id of a node or an edge",
                short(other)
            );
            return Err(Error::new("invalid_data", message));
        }
        None => {
            return Err(Error::new(
                "invalid_data",
                "target_id is missing: name the node or the edge that changes",
            ));
        }
    }
    match given(update, "changes") {
        Some(Value::Object(_)) => {}
        Some(other) => {
            let message = format!("changes is {}: it must be an object", short(other));
            return Err(Error::new("invalid_data", message));
        }
        None => {
            return Err(Error::new(
                "invalid_data",
                "changes is missing: it is an object of the properties that change",
            ));
        }
    }
    let priority = given(update, "priority");
    if let Some(priority) = priority
        && !priority.as_str().is_some_and(|name| {
            PRIORITIES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name.trim()))
        })
    {
        let message = format!(
            "priority is {}: it must be high, medium or low",
            short(priority)
        );
        return Err(Error::new("invalid_data", message));
    }
    Ok(())
}

/// A field that is there and not null.
fn given<'o>(object: &'o Object, key: &str) -> Option<&'o Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The beginning of a value, as a sentence quotes it.
fn short(value: &Value) -> String {
    const SHOWN: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
