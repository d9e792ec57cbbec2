//! Emissions in the journal, beside the event's own fields.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Emission;
use crate::channel::Namespace;

/// The stored form. The arguments are kept as the text that they are, so that numbers stay as they are written.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    namespace: String,
    args: String,
    arguments: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
}

/// A room that nobody can be in: that of an emission whose namespace is no longer declared.
const NOWHERE: &str = "(nowhere)";

impl Emission {
    /// The stored form; the event has the name and the id.
    pub fn to_stored(&self) -> Value {
        serde_json::to_value(Stored {
            namespace: self.namespace.path().to_owned(),
            args: self.args.clone(),
            arguments: self.arguments,
            attachments: self.base64().collect(),
            rooms: self.rooms.clone(),
            except: self.except.clone(),
        })
        .unwrap_or_default()
    }

    /// Reads what [`Emission::to_stored`] wrote.
    pub fn of_stored(event: &str, stored: Value) -> Option<Self> {
        let stored: Stored = serde_json::from_value(stored).ok()?;
        let namespace = Namespace::at(&stored.namespace);
        let attachments = stored.attachments.iter();
        let attachments = attachments.map(|text| STANDARD.decode(text).map(Into::into));
        Some(Self {
            namespace: namespace.unwrap_or(Namespace::Root),
            event: event.to_owned(),
            args: stored.args,
            arguments: stored.arguments,
            attachments: attachments.collect::<Result<_, _>>().ok()?,
            rooms: match namespace {
                Some(_) => stored.rooms,
                None => vec![NOWHERE.to_owned()],
            },
            except: stored.except,
            volatile: false,
            keep: true,
            id: None,
        })
    }

    /// The form for the history.
    pub fn to_public(&self) -> Value {
        let args = serde_json::from_str(&format!("[{}]", self.args));
        json!({
            "event": self.event,
            "args": args.unwrap_or(Value::Null),
            "attachments": self.base64().collect::<Vec<_>>(),
            "rooms": self.rooms,
            "except": self.except,
            "namespace": self.namespace.path(),
        })
    }

    fn base64(&self) -> impl Iterator<Item = String> {
        self.attachments.iter().map(|bytes| STANDARD.encode(bytes))
    }
}
