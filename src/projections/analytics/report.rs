//! The answer of `GET /api/v1/analytics`.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::patterns::{MessageFlow, per_second};
use crate::{
    observe::usage::{KEPT_HOURS, LENGTHS, LONG, MINUTE, UsagePicture, Watch},
    timestamp::Timestamp,
};

/// The hours over which rates of sessions are told.
const RATE_HOURS: u32 = 24;
/// The most types and rooms that are told.
const MAX_TOLD: usize = 50;

/// A room with its members now.
#[derive(Debug, Clone)]
pub struct WatchedRoom {
    /// The name.
    pub name: Arc<str>,
    /// Its members now.
    pub members: u64,
    /// The updates that reached them through it.
    pub watch: Watch,
}

/// The facts that the answer is made of.
#[derive(Debug)]
pub struct Report {
    /// All counts.
    pub picture: Arc<UsagePicture>,
    /// The rooms that the caller may know, most deliveries first.
    pub rooms: Vec<WatchedRoom>,
    /// Whether the caller sees everything: only then it is told the types of events, which are of all projects.
    pub is_everything: bool,
    /// The grades of the server's health.
    pub grades: Value,
}

/// The sessions of the last day, and the share of them whose clients came back soon after they had lost their connection.
pub fn reconnections(picture: &UsagePicture) -> (u64, Option<f64>) {
    let day = picture.came.sum(picture.hour, RATE_HOURS);
    (day.opened, share(day.returned, day.opened))
}

impl Report {
    /// The rooms of which the caller's own may be told, at most as many as an answer has.
    pub fn pick(
        picture: &UsagePicture,
        may_know: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (Arc<str>, Watch)> {
        let known = picture.rooms.iter().filter(move |(room, _)| may_know(room));
        known
            .take(MAX_TOLD)
            .map(|(room, watch)| (room.clone(), *watch))
    }

    /// The answer.
    pub fn answer(&self) -> Value {
        let picture = &*self.picture;
        let totals = &picture.totals;
        let day = picture.came.sum(picture.hour, RATE_HOURS);
        let counted = picture.counted.sum(picture.hour, RATE_HOURS);
        let minute = picture.seconds.sum(0, MINUTE);
        let (_, reconnection) = reconnections(picture);
        let lengths = lengths(&totals.by_length);
        let session_minutes = day.millis as f64 / 60_000.0;
        json!({
            "total_connections": picture.sessions,
            "connections_opened": totals.opened,
            "connections_ended": totals.ended,
            "connection_duration_avg": share(totals.millis, totals.ended).map(|millis| millis / 1_000.0),
            "connection_duration_distribution": lengths.clone(),
            "session_duration_distribution": lengths,
            "reconnection_rate": reconnection,
            "reconnections": day.returned,
            "message_throughput": per_second(minute.updates, picture.seconds.lived(0, MINUTE)),
            "total_updates": picture.sum.updates,
            "total_deliveries": picture.sum.deliveries,
            "concurrent_users": picture.users,
            "peak_concurrent_users": totals.peak_users,
            "peak_concurrent_at": totals.peak_at.map(Timestamp::from_micros),
            "peak_connections": totals.peak_sessions,
            "active_sessions": picture.active,
            "client_messages": picture.sum.messages,
            "interaction_frequency": match session_minutes > 0.0 {
                true => counted.messages as f64 / session_minutes,
                false => 0.0,
            },
            "feature_usage": picture.features,
            "peak_hours": peak_hours(picture),
            "event_types": if self.is_everything { types(picture) } else { Vec::new() },
            "rooms": self.rooms(),
            "all_projects": self.is_everything,
            "patterns": {
                "connections": {
                    "stable": picture.stable,
                    "flapping": picture.flapping,
                    "failed": picture.seconds.sum(0, LONG).turned_away,
                    "degraded": picture.degraded,
                },
                "messages": <&str>::from(MessageFlow::of(&picture.seconds)),
            },
            "grades": self.grades,
            "kept_since": picture.kept_since,
            "server_time": picture.at,
        })
    }

    fn rooms(&self) -> Vec<Value> {
        let told = |room: &WatchedRoom| json!({ "room": room.name, "members": room.members, "deliveries": room.watch.deliveries });
        self.rooms.iter().take(MAX_TOLD).map(told).collect()
    }
}

/// A part of a whole; none where there is no whole.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn lengths(by_length: &[u64]) -> Value {
    let bounds = LENGTHS.iter().map(|bound| Some(*bound)).chain([None]);
    let classes = bounds.zip(by_length);
    classes
        .map(|(bound, sessions)| json!({ "up_to_seconds": bound, "sessions": sessions }))
        .collect()
}

/// The hours of the day by the most sessions at one time, the busiest first.
fn peak_hours(picture: &UsagePicture) -> Vec<Value> {
    let mut by_hour = BTreeMap::<u32, (u64, u64)>::new();
    for (hour, came) in picture.came.last(picture.hour, KEPT_HOURS) {
        let (peak, opened) = by_hour.entry(hour % 24).or_default();
        *peak = came.peak.max(*peak);
        *opened += came.opened;
    }
    let mut hours: Vec<_> = by_hour.into_iter().collect();
    hours.sort_by_key(|(hour, counts)| (Reverse(*counts), *hour));
    let told = |(hour, (peak, opened)): (u32, (u64, u64))| json!({ "hour": hour, "connections": peak, "opened": opened });
    hours.into_iter().map(told).collect()
}

fn types(picture: &UsagePicture) -> Vec<Value> {
    let told = |(name, watch): &(Arc<str>, Watch)| json!({ "type": name, "updates": watch.updates, "deliveries": watch.deliveries });
    picture.types.iter().take(MAX_TOLD).map(told).collect()
}
