//! JSON objects that are written field by field into a text.

use serde_json::Value;

/// Begins a field.
pub(super) fn key(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    text(out, key);
    out.push(':');
}

/// Writes a field.
pub(super) fn field(out: &mut String, name: &str, value: &Value) {
    key(out, name);
    out.push_str(&value.to_string());
}

/// Writes a text.
pub(super) fn text(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}
