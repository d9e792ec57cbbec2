//! Read-only questions, answered from the parts of the hub at one place of the stream.

use std::sync::Arc;

use serde_json::json;

use super::{
    Hub,
    command::{Answer, Question, now},
    requests::object,
};
use crate::{
    access::authz::{OBSERVERS, PRODUCERS, Permissions, may_know_room},
    channel::Namespace,
    event::Object,
    timestamp::Timestamp,
};

impl Hub {
    pub(super) fn answer(&mut self, question: Question) -> Answer {
        let now = Timestamp::now();
        Answer::Ready(match question {
            Question::Alive => Object::new(),
            Question::Stats { permissions } => self.stats(&permissions),
            Question::Rooms { permissions } => {
                let mut rooms: Vec<&str> = self.roster.room_names().map(|r| &**r).collect();
                // A client's own rooms are nobody else's business.
                rooms.retain(|room| self.is_public(room) && may_know_room(&permissions, room));
                rooms.sort_unstable();
                let total = rooms.len();
                object(json!({ "active_rooms": rooms, "total_rooms": total }))
            }
            Question::RoomSizes { rooms } => {
                let size = |room: &Arc<str>| (room.to_string(), self.roster.count(room).into());
                rooms.iter().map(size).collect()
            }
            Question::HealthNow => self
                .projections
                .dashboard()
                .health_current()
                .unwrap_or_default(),
            Question::HealthHistory { hours } => {
                return Answer::ToWrite(Box::new(
                    self.projections.dashboard().health_history(hours, now),
                ));
            }
            Question::Conversations {
                limit,
                offset,
                minutes,
                agent_id,
            } => {
                let dashboard = self.projections.dashboard();
                let recent = dashboard.recent_conversations(limit, offset, minutes, agent_id, now);
                return Answer::ToWrite(Box::new(recent));
            }
            Question::Dashboard => self.projections.dashboard().dashboard(now),
            Question::ActiveFlows => {
                let flows = self.projections.dashboard().active_flows();
                self.stamp_aggregate("active_flows_update", flows)
            }
        })
    }

    fn stats(&self, permissions: &Permissions) -> Object {
        let census = self.roster.census();
        let namespaces: Object = census
            .on()
            .map(|(namespace, on)| (namespace.path().to_owned(), on.into()))
            .collect();
        let rooms = self.roster.room_names();
        let rooms = rooms.filter(|room| self.is_public(room) && may_know_room(permissions, room));
        object(json!({
            "total_connections": self.roster.len(),
            "user_connections": census.users(),
            "active_rooms": rooms.count(),
            "peak_connections": self.roster.peak(),
            "connections_by_namespace": namespaces,
            "events": self.stream.seq(),
            "updates_waiting": self.stream.pacer().ready(),
            "updates_held": self.stream.pacer().held(),
            "cursor": self.stream.cursor_text(),
            "started_at": self.started,
            "server_time": now(),
        }))
    }

    /// Whether a room is not a client's own.
    fn is_public(&self, room: &str) -> bool {
        let default = self.options.default_room.as_str();
        let (app, room) = Namespace::of_key(room);
        app.is_none() && room.contains(':') || [default, OBSERVERS, PRODUCERS].contains(&room)
    }
}
