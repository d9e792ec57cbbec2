//! The forms in which doors send an emission that are no Socket.IO.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Emission;

impl Emission {
    /// The arguments as one value: the only one as it is, else the list of them. Bytes stand in their places as
    /// `{"base64": ".."}`.
    pub fn as_one_value(&self) -> String {
        match self.arguments {
            1 => self.readable_args(),
            _ => format!("[{}]", self.readable_args()),
        }
    }

    /// The whole as one object: `{"type": "name", "args": [..]}`, for doors whose messages are objects with a type.
    pub fn as_object(&self) -> String {
        let name = Value::from(&*self.event);
        format!("{{\"type\":{name},\"args\":[{}]}}", self.readable_args())
    }

    /// The arguments with bytes in their places.
    fn readable_args(&self) -> String {
        if self.attachments.is_empty() {
            return self.args.clone();
        }
        let list = serde_json::from_str::<Vec<Value>>(&format!("[{}]", self.args));
        let mut list = list.unwrap_or_default();
        list.iter_mut().for_each(|value| self.put_bytes(value));
        let text = Value::Array(list).to_string();
        text.get(1..text.len() - 1).unwrap_or_default().to_owned()
    }

    fn put_bytes(&self, value: &mut Value) {
        if value.get("_placeholder") == Some(&Value::Bool(true)) {
            let at = value.get("num").and_then(Value::as_u64);
            let at = at.and_then(|at| usize::try_from(at).ok());
            if let Some(bytes) = at.and_then(|at| self.attachments.get(at)) {
                *value = json!({ "base64": STANDARD.encode(bytes) });
            }
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_bytes(item)),
            Value::Object(fields) => fields.values_mut().for_each(|item| self.put_bytes(item)),
            _ => {}
        }
    }
}
