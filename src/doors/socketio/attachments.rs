//! Binary attachments of a packet, which JSON has no place for.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;

/// Puts attachments back as base64 text where their placeholders stood, since JSON has no bytes.
pub(super) fn attach(value: &mut Value, attachments: &[Bytes]) {
    if attachments.is_empty() {
        return;
    }
    if value.get("_placeholder") == Some(&Value::Bool(true)) {
        let at = value
            .get("num")
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok());
        if let Some(bytes) = at.and_then(|at| attachments.get(at)) {
            *value = STANDARD.encode(bytes).into();
        }
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| attach(v, attachments)),
        Value::Object(fields) => fields.values_mut().for_each(|v| attach(v, attachments)),
        _ => {}
    }
}
