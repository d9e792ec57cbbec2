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
        let values = self.0.iter().map(|(_, value)| match value {
            Value::String(text) => text.len() + 48,
            _ => 256,
        });
        values.sum()
    }
}
