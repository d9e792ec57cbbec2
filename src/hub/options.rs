//! The settings of the hub.

use std::time::Duration;

use super::degrade::DegradationOptions;
use crate::{config::Recipients, pace::LevelShares, projections::state::Limits};

/// The hub's part of the configuration.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The time between two flushes under load.
    pub flush_interval: Duration,
    /// The most updates that one flush sends.
    pub flush_max: usize,
    /// The steps that follow from a load that is too high.
    pub degradation: DegradationOptions,
    /// The part of a flush that each priority may count on.
    pub level_shares: LevelShares,
    /// The most events that a producer may have in flight before it waits for its own.
    pub producer_backlog: usize,
    /// The most members of a room that is joined by request.
    pub max_room_size: usize,
    /// The most rooms that a client may be in by request.
    pub max_rooms_per_client: usize,
    /// The most free rooms with members, and the bytes that they may hold.
    pub max_free: (usize, usize),
    /// The most visitors of rooms by HTTP.
    pub max_visitors: usize,
    /// Bounds of the state.
    pub state: Limits,
    /// Whether Seneca's own updates go to everybody.
    pub seneca_broadcast: bool,
    /// The observers that are sent Seneca's aggregates.
    pub aggregates: Recipients,
    /// Bytes that the dashboards of Seneca's pages may hold.
    pub max_dashboard: usize,
    /// The observers that are sent texts that are harmless in HTML.
    pub sanitize: Recipients,
    /// Bytes that the newest events may hold in memory, for clients that come back.
    pub max_recent: usize,
    /// Bytes of one part of a snapshot.
    pub snapshot_part: usize,
    /// Bytes of updates that a segment may have.
    pub max_segment: usize,
    /// The time for which an emission waits for the queues of its members.
    pub emit_patience: Duration,
    /// The time for which a member's queue may stay non-empty before it is parked.
    pub max_delay: Duration,
    /// The room of all observers: it has no `kind:` by which to tell it from a client's own rooms.
    pub default_room: String,
}
