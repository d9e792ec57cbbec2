//! A setting that is on, off, or decided by other settings.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// `true`, `false` or `"auto"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
    /// Decided by other settings.
    #[default]
    Auto,
}

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::On => serializer.serialize_bool(true),
            Self::Off => serializer.serialize_bool(false),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bool(bool),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Bool(true) => return Ok(Self::On),
            Written::Bool(false) => return Ok(Self::Off),
            Written::Text(text) => text,
        };
        // The environment has text only: a word that may be text is passed on as text.
        match text.as_str() {
            "true" => Ok(Self::On),
            "false" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            _ => Err(D::Error::custom(format!(
                "{text:?} is neither true nor false nor \"auto\""
            ))),
        }
    }
}
