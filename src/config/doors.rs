//! `[doors]`: the doors for clients of other systems.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use smart_default::SmartDefault;

use super::numbers::{Count, Millis};

/// `[doors]`: the doors for clients of other systems.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Doors {
    /// The port of the workflow visualization alone, beside `/ws/visualization`.
    pub visualization_port: DoorPort,
    /// Updates in one batch for clients of the visualization that ask for batches.
    pub visualization_batch_size: Count<10, 1, 1_000>,
    /// Milliseconds that an update may wait for others to share a batch with.
    pub visualization_batch_ms: Millis<100, 1, 10_000>,
    /// Updates of one priority that wait for clients of the visualization: from this number on, the log tells of them.
    pub visualization_queue_warning: Count<10_000>,
}

/// A port that a door may have for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DoorPort {
    /// None: written as 0.
    #[default]
    Off,
    /// One that the system chooses: written as `"auto"`, for tests.
    Auto,
    /// This one.
    At(u16),
}

impl DoorPort {
    /// The port to listen on, where 0 lets the system choose; none if the door has no port of its own.
    pub fn to_listen_on(self) -> Option<u16> {
        match self {
            Self::Off => None,
            Self::Auto => Some(0),
            Self::At(port) => Some(port),
        }
    }
}

impl Serialize for DoorPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_u16(0),
            Self::Auto => serializer.serialize_str("auto"),
            Self::At(port) => serializer.serialize_u16(*port),
        }
    }
}

impl<'de> Deserialize<'de> for DoorPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let (number, shown) = match Written::deserialize(deserializer)? {
            Written::Text(text) if text == "auto" => return Ok(Self::Auto),
            Written::Text(text) => (text.parse().ok(), format!("{text:?}")),
            Written::Number(number) => (u16::try_from(number).ok(), number.to_string()),
        };
        match number {
            Some(0) => Ok(Self::Off),
            Some(port) => Ok(Self::At(port)),
            None => Err(D::Error::custom(format!(
                "{shown} is no port: a number from 1 to 65535, 0 for none, or \"auto\""
            ))),
        }
    }
}
