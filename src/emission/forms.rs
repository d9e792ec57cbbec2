//! The forms in which doors send an emission that are no Socket.IO.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    Emission,
    placeholders::{placeholders, replaced},
};

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
        let shown = placeholders(&self.args).into_iter().filter_map(|one| {
            let bytes = self.attachments.get(usize::try_from(one.num).ok()?)?;
            let text = STANDARD.encode(bytes);
            Some((one.object, format!("{{\"base64\":\"{text}\"}}")))
        });
        replaced(&self.args, shown.collect())
    }
}
