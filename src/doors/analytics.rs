//! The analytics, for every door that shows them.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    access::authz::{Permissions, may_know_room},
    error::Error,
    hub::{HubHandle, Question},
    observe::Metrics,
    projections::analytics::{Report, WatchedRoom},
};

/// The analytics as a client with these permissions may see them: rooms that it may be in, and the types of events only
/// if it sees everything.
///
/// # Errors
/// `unavailable` while the server goes down.
pub(in crate::doors) async fn analytics(
    hub: &HubHandle,
    metrics: &Metrics,
    permissions: &Permissions,
    max_connections: u64,
) -> Result<Value, Error> {
    let picture = metrics.usage_picture();
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
        max_connections,
    };
    Ok(report.answer())
}
