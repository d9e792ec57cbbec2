//! A setting that names the clients to which something applies that is meant for Seneca's and Marcus' own pages.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// `true`, `false` or `"pages"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recipients {
    /// Every observer.
    Everybody,
    #[default]
    /// The clients that behave like Seneca's or Marcus' own pages.
    Pages,
    /// No observer.
    Nobody,
}

impl Recipients {
    /// Whether a client is among the recipients; `page` says whether it behaves like one of the pages.
    pub fn include(self, page: bool) -> bool {
        match self {
            Self::Everybody => true,
            Self::Pages => page,
            Self::Nobody => false,
        }
    }
}

impl Serialize for Recipients {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everybody => serializer.serialize_bool(true),
            Self::Pages => serializer.serialize_str("pages"),
            Self::Nobody => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bool(bool),
            Text(String),
        }
        let text = match Written::deserialize(deserializer) {
            Ok(Written::Bool(true)) => return Ok(Self::Everybody),
            Ok(Written::Bool(false)) => return Ok(Self::Nobody),
            Ok(Written::Text(text)) => text,
            Err(_) => return Err(D::Error::custom("must be true, false or \"pages\"")),
        };
        // The environment has text only: a word that may be text is passed on as text.
        match text.as_str() {
            "true" => Ok(Self::Everybody),
            "false" => Ok(Self::Nobody),
            "pages" => Ok(Self::Pages),
            _ => Err(D::Error::custom(format!(
                "{text:?} is neither true nor false nor \"pages\""
            ))),
        }
    }
}
