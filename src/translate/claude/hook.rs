//! A hook as it came, and its fields.

use serde_json::{Map, Value};

use crate::translate::{one_line, slug};

/// The project of a session that says no folder.
const NAMELESS: &str = "claude";

/// The reason why a body is no hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHook {
    /// It is no JSON object.
    #[error("a hook is a JSON object")]
    Shape,
    /// It names no hook or no session.
    #[error("a hook has the texts hook_event_name and session_id")]
    Nameless,
}

/// A hook.
#[derive(Debug, Clone)]
pub struct Hook {
    fields: Map<String, Value>,
    name: String,
    session: String,
}

impl Hook {
    /// Reads a hook.
    ///
    /// # Errors
    /// It is none.
    pub fn read(body: &[u8]) -> Result<Self, NoHook> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(NoHook::Shape);
        };
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(slug);
        let name = text("hook_event_name").filter(|name| !name.is_empty());
        let session = text("session_id").filter(|session| !session.is_empty());
        let (Some(name), Some(session)) = (name, session) else {
            return Err(NoHook::Nameless);
        };
        Ok(Self {
            fields,
            name,
            session,
        })
    }

    /// The name of the hook.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The session that it is of.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The name of the folder that the session works in.
    pub(super) fn project(&self) -> String {
        let folder = self.text("cwd").unwrap_or_default();
        let name = folder.rsplit(['/', '\\']).find(|part| !part.is_empty());
        let name = name.map(one_line).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| NAMELESS.into())
    }

    /// A text that is there and not empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let text = self.fields.get(key).and_then(Value::as_str);
        text.filter(|text| !text.trim().is_empty())
    }

    /// A short name.
    pub(super) fn name_of(&self, key: &str) -> Option<String> {
        let name = self.text(key).map(one_line);
        name.filter(|name| !name.is_empty())
    }

    /// A value as text.
    pub(super) fn said(&self, key: &str) -> Option<String> {
        match self.fields.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        }
    }

    pub(super) fn number(&self, key: &str) -> Option<Value> {
        let value = self.fields.get(key)?;
        value.is_number().then(|| value.clone())
    }

    pub(super) fn is(&self, key: &str) -> bool {
        self.fields.get(key) == Some(&Value::Bool(true))
    }
}
