//! The operation that has clients connect again: one, those of a user, or those of a room.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::room_name::checked_room;
use crate::{drain::Returning, error::Error};

/// The longest time over which clients are told to connect again.
const MAX_OVER: Duration = Duration::from_secs(86_400);

/// A wish that clients connect again.
#[derive(Debug)]
pub(super) struct Reconnect {
    pub(super) target: ReconnectTarget,
    /// The time over which they are told so.
    pub(super) over: Duration,
}

/// The clients that are meant.
#[derive(Debug)]
pub(super) enum ReconnectTarget {
    These(Returning),
    Room { room: String, namespace: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    client: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    over_ms: Option<u64>,
}

impl Reconnect {
    /// Whether it is about the members of a room.
    pub(super) fn is_about_room(&self) -> bool {
        matches!(self.target, ReconnectTarget::Room { .. })
    }

    /// Reads `{client | user | room, namespace?, over_ms?}`, or the id of a client.
    ///
    /// # Errors
    /// `bad_request`, naming the fault.
    pub(super) fn read(about: &RawValue) -> Result<Self, Error> {
        if let Ok(id) = serde_json::from_str::<String>(about.get()) {
            return Ok(Self {
                target: ReconnectTarget::These(Returning::Client(id)),
                over: Duration::ZERO,
            });
        }
        let wrong = |why: String| Error::bad_request(format!("reconnect: {why}"));
        let written: Written =
            serde_json::from_str(about.get()).map_err(|error| wrong(error.to_string()))?;
        let over = Duration::from_millis(written.over_ms.unwrap_or_default());
        if over > MAX_OVER {
            return Err(wrong(format!(
                "over_ms may be at most {}, a day",
                MAX_OVER.as_millis()
            )));
        }
        let target = match (written.client, written.user, written.room) {
            (Some(id), None, None) => ReconnectTarget::These(Returning::Client(id)),
            (None, Some(user), None) => ReconnectTarget::These(Returning::User(user)),
            (None, None, Some(room)) => ReconnectTarget::Room {
                room: checked_room(&room)?,
                namespace: written.namespace.unwrap_or_default(),
            },
            _ => return Err(wrong("name one of client, user and room".to_owned())),
        };
        Ok(Self { target, over })
    }
}
