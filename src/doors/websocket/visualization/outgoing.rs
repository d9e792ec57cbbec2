//! Updates in the shape of the visualization: `VisualUpdate`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    delivery::{Outgoing, Shape, WireMessage},
    doors::{
        queue::Wire,
        websocket::{session::object, shaped::shaped},
    },
    error::Error,
    event::Object,
    update::COMMON,
};

/// The name of the greeting, which clients of this door are not sent: they take their first message for an answer.
pub(super) const GREETING: &str = "connection";

/// Updates one by one.
#[derive(Debug)]
pub(super) struct Updates;

/// The one value of [`Updates`].
pub(super) static UPDATES: Updates = Updates;

impl Wire for Updates {
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>> {
        shaped(update, Shape::Visualization, write)
    }

    /// The answer to an update that is refused: the sentence is for people, the code for programs.
    fn refusal(&self, refusal: &Error, _room: Option<&str>) -> Object {
        object(json!({ "status": "error", "error": refusal.message, "code": refusal.code }))
    }

    fn leaves_out_own(&self) -> bool {
        true
    }
}

/// The message of an update, or of a notice to this client alone.
fn write(name: &str, fields: Object) -> Option<Object> {
    // An alert is about the server or a run, and no change of a graph.
    if fields.contains_key("alert") {
        return None;
    }
    if fields.contains_key("source_type") {
        return Some(visual_update(name, fields));
    }
    match name {
        GREETING => None,
        "error" => Some(ended(fields)),
        _ => Some(fields),
    }
}

/// The `VisualUpdate` of an update. One of another kind is a `node_update` of the thing that it is about.
fn visual_update(name: &str, mut fields: Object) -> Object {
    let mut update = Object::new();
    let kind = match name {
        "visual_update" => fields.remove("update_type"),
        _ => None,
    };
    let is_visual = kind.is_some();
    let kind = kind.unwrap_or_else(|| "node_update".into());
    let target = fields.get("hint").and_then(|hint| hint.get("target"));
    let target = target.cloned().unwrap_or_default();
    update.insert(
        "update_id".into(),
        fields
            .remove("update_id")
            .unwrap_or_else(|| fields["id"].clone()),
    );
    update.insert("update_type".into(), kind.clone());
    update.insert("type".into(), kind);
    update.insert("priority".into(), priority(&fields).into());
    for key in ["timestamp", "id", "cursor", "source_type", "coalesced"] {
        if let Some(value) = fields.remove(key) {
            update.insert(key.into(), value);
        }
    }
    if is_visual {
        for (key, default) in [
            ("target_id", target["id"].clone()),
            ("changes", json!({})),
            ("metadata", json!({})),
        ] {
            let value = fields.remove(key).filter(|value| !value.is_null());
            update.insert(key.into(), value.unwrap_or(default));
        }
        return update;
    }
    let metadata = json!({
        "source_type": update.get("source_type"), "update": name, "target_kind": target["kind"],
    });
    update.insert("target_id".into(), target["id"].clone());
    update.insert("changes".into(), Value::Object(changes(fields)));
    update.insert("metadata".into(), metadata);
    update
}

/// The facts of an update of another kind: its `data`, else its own fields.
fn changes(mut fields: Object) -> Object {
    if let Some(Value::Object(data)) = fields.remove("data") {
        return data;
    }
    fields.retain(|key, _| !COMMON.contains(&key.as_str()));
    fields
}

/// The priority in the three words that the clients know.
pub(super) fn priority(fields: &Object) -> &'static str {
    match fields.get("priority").and_then(Value::as_str) {
        Some("critical" | "high") => "high",
        Some("low") => "low",
        _ => "medium",
    }
}

/// The last word to a client whose session ends, as an answer that refuses.
fn ended(mut fields: Object) -> Object {
    let message = fields.remove("message").unwrap_or_default();
    fields.insert("status".into(), "error".into());
    fields.insert("error".into(), message);
    fields
}
