//! Read-only questions, answered from the parts of the hub at one place of the stream.

use std::sync::Arc;

use serde_json::json;

use super::{
    Hub,
    command::{Answer, Question, now},
    requests::object,
};
use crate::{
    access::authz::{OPERATORS, Permissions, may_know_room},
    channel::Namespace,
    event::Object,
    timestamp::Timestamp,
};

impl Hub {
    pub(super) fn answer(&mut self, question: Question) -> Answer {
        let now = Timestamp::now();
        Answer::Ready(match question {
            Question::Alive => Object::new(),
            Question::Connections => self.connections(),
            Question::Stats { permissions } => return self.stats(permissions),
            Question::Rooms { permissions } => {
                let rooms = self.known_rooms(permissions);
                return Answer::ToWrite(Box::new(move || {
                    let mut rooms: Vec<_> = rooms().collect();
                    rooms.sort_unstable();
                    let total = rooms.len();
                    object(json!({ "active_rooms": rooms, "total_rooms": total }))
                }));
            }
            Question::RoomSizes { rooms } => {
                let size = |room: &Arc<str>| (room.to_string(), self.roster.count(room).into());
                rooms.iter().map(size).collect()
            }
            Question::Members(of) => self.members(&of),
            Question::RoomsOfClients { clients } => {
                let rooms = |(namespace, id): &(Namespace, Arc<str>)| {
                    // A client is the only one in the room of its id.
                    let member = self.roster.ids_in(&namespace.room_key(id)).next()?;
                    let keys = self.roster.get(member)?.rooms.iter();
                    let rooms: Vec<&str> = keys.map(|key| Namespace::of_key(key).1).collect();
                    Some((id.to_string(), json!(rooms)))
                };
                clients.iter().filter_map(rooms).collect()
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

    fn connections(&self) -> Object {
        let census = self.roster.census();
        let namespaces: Object = census
            .on()
            .map(|(namespace, on)| (namespace.path().to_owned(), on.into()))
            .collect();
        object(json!({
            "total_connections": self.roster.len(),
            "user_connections": census.users(),
            "connections_by_namespace": namespaces,
        }))
    }

    fn stats(&self, permissions: Permissions) -> Answer {
        let rooms = self.known_rooms(permissions);
        let mut stats = self.connections();
        stats.extend(object(json!({
            "active_rooms": 0,
            "peak_connections": self.roster.peak(),
            "events": self.stream.seq(),
            "updates_waiting": self.stream.pacer().ready(),
            "updates_held": self.stream.pacer().held(),
            "cursor": self.stream.cursor_text(),
            "started_at": self.started,
            "server_time": now(),
        })));
        Answer::ToWrite(Box::new(move || {
            stats.insert("active_rooms".into(), rooms().count().into());
            stats
        }))
    }

    /// The rooms on the server's own namespaces that a client may know of, without those that belong to one client. The
    /// loop only takes the names: there may be many, and the right to each is asked outside of it.
    fn known_rooms(
        &self,
        permissions: Permissions,
    ) -> impl FnOnce() -> Box<dyn Iterator<Item = Arc<str>>> + Send + use<> {
        let names: Vec<Arc<str>> = self.roster.room_names().cloned().collect();
        let default = self.options.default_room.clone();
        move || {
            let is_known = move |key: &Arc<str>| {
                let is_app = Namespace::of_key(key).0.is_some();
                let may_know = **key == *default || may_know_room(&permissions, key);
                !is_app && **key != *OPERATORS && may_know
            };
            Box::new(names.into_iter().filter(is_known))
        }
    }
}
