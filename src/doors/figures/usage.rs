//! The body of `GET /api/v1/analytics`: the use that clients make of the server.

use std::sync::Arc;

use serde_json::Value;

use super::Figures;
use crate::{
    access::authz::{Permissions, may_know_room},
    error::Error,
    hub::{HubHandle, Question},
    projections::analytics::{Report, WatchedRoom},
};

impl Figures {
    /// The analytics as a client with these permissions may see them: rooms that it may be in, and the types of events
    /// only if it sees everything.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn analytics(
        &self,
        hub: &HubHandle,
        permissions: &Permissions,
    ) -> Result<Value, Error> {
        let picture = self.parts.metrics.usage_picture();
        let may_know = |room: &str| may_know_room(permissions, room);
        let picked: Vec<_> = Report::pick(&picture, may_know).collect();
        let rooms: Vec<Arc<str>> = picked.iter().map(|(name, _)| name.clone()).collect();
        let sizes = hub.question(Question::RoomSizes { rooms }).await?;
        let room = |(name, watch): (Arc<str>, _)| WatchedRoom {
            members: sizes.get(&*name).and_then(Value::as_u64).unwrap_or(0),
            name,
            watch,
        };
        let report = Report {
            rooms: picked.into_iter().map(room).collect(),
            picture,
            is_everything: permissions.is_everything(),
            grades: self.judge().grades,
        };
        Ok(report.answer())
    }
}
