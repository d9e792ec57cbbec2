//! The attributes of a span, or of the program that made it.

use serde_json::Value;

/// Attributes that the table knows, by its own names for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes(Vec<(&'static str, Value)>);

impl Attributes {
    /// Keeps an attribute; the first of a name stays.
    pub(super) fn put(&mut self, key: &'static str, value: Value) {
        if self.get(key).is_none() {
            self.0.push((key, value));
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, value)| value)
    }

    /// About how many bytes they hold.
    pub(super) fn held(&self) -> usize {
        self.0.iter().map(|(_, value)| 16 + held(value)).sum()
    }
}

/// About how many bytes a value holds.
fn held(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(held).sum(),
        // A name, and its part of a tree.
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| 32 + key.len() + held(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inside
}
