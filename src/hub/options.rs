//! The settings of the hub.

use std::time::Duration;

use crate::{config::Recipients, pace::LevelShares, projections::state::Limits};

/// The hub's part of the configuration.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The time that updates gather under load.
    pub flush_interval: Duration,
    /// The most updates that one flush sends.
    pub flush_max: usize,
    /// The part of a flush that each priority may count on.
    pub level_shares: LevelShares,
    /// The most events that may be under way before a producer waits for its own.
    pub producer_backlog: usize,
    /// The most members of a room that is joined by request.
    pub max_room_size: usize,
    /// The most rooms that a client may be in by request.
    pub max_rooms_per_client: usize,
    /// Bounds of the state.
    pub state: Limits,
    /// Seneca's own updates go to everybody.
    pub seneca_broadcast: bool,
    /// The observers that are sent Seneca's aggregates.
    pub aggregates: Recipients,
    /// Bytes that the picture for Seneca's pages may hold.
    pub max_dashboard: usize,
    /// The observers that are sent texts that are harmless in HTML.
    pub sanitize: Recipients,
    /// Bytes that the newest events may hold, for those who come back.
    pub max_recent: usize,
    /// Bytes of one part of a snapshot.
    pub snapshot_part: usize,
    /// Bytes of updates that are made ready in one go for those who are behind.
    pub max_segment: usize,
    /// The time that something may wait for a member without end before it is parked.
    pub max_delay: Duration,
    /// The room in which everybody is: it has no `kind:` by which to tell it from a client's own rooms.
    pub default_room: String,
}
