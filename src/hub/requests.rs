//! The hub's side of the commands.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Hub,
    command::{Command, Question, Welcome, now},
    member::{MemberId, Newcomer},
};
use crate::{
    access::{self, Identity, OBSERVERS, PRODUCERS, Sight, too_many_rooms},
    event::{Kind, Object, Timestamp},
    refusal::Refusal,
    update::Namespace,
};

/// The aggregates that one is told who caught up.
pub(super) const CAUGHT_UP: [&str; 4] = [
    "conversation_summary",
    "system_metrics",
    "active_flows_update",
    "dashboard_update",
];

impl Hub {
    pub(super) fn handle(&mut self, command: Command) {
        self.settle(&command);
        match command {
            Command::Join {
                newcomer,
                welcome,
                reply,
            } => {
                let id = self.welcome(newcomer, *welcome);
                // Whoever no longer waits for it lets go of it, and so it ends.
                if let Some(membership) = self.handle.membership(id) {
                    reply.send(membership).ok();
                }
            }
            Command::Leave(member) => {
                self.roster.remove(member);
                self.catchup.forget(member);
            }
            Command::JoinRooms {
                member,
                rooms,
                reply,
            } => {
                reply.send(self.join_rooms(member, &rooms)).ok();
            }
            Command::LeaveRooms {
                member,
                rooms,
                reply,
            } => {
                let mut left = 0;
                for room in &rooms {
                    // How many are in a room is not for those who are not in it.
                    let was_in = self.roster.is_in(member, room);
                    let others = self.roster.leave(member, room);
                    left = if was_in { others } else { 0 };
                }
                reply.send(left).ok();
            }
            Command::SetView(member, view) => self.roster.set_view(member, view),
            Command::Listen { member, topic, on } => self.roster.listen(member, topic, on),
            Command::Tell { member, name, body } => self.tell(member, name, body),
            Command::TellAll {
                namespace,
                name,
                body,
            } => self.tell_everybody(namespace, name, body),
            Command::Snapshot {
                project,
                sight,
                reply,
            } => {
                reply.send(self.snapshot(project.as_deref(), &sight)).ok();
            }
            Command::Reidentify {
                member,
                who,
                rooms,
                reply,
            } => {
                reply.send(self.reidentify(member, &who, &rooms)).ok();
            }
            Command::Resume {
                member,
                cursor,
                reply,
            } => self.resume(member, &cursor, Some(reply)),
            Command::Ask(question, reply) => {
                reply.send(self.answer(question)).ok();
            }
            Command::MembersOf { room, reply } => {
                let ids = self.roster.ids_in(&room).iter();
                let public = ids.filter_map(|&id| self.roster.get(id).map(|m| m.client_id.clone()));
                reply.send(public.collect()).ok();
            }
            Command::Stop(reply) => {
                reply.send(()).ok();
            }
        }
    }

    fn welcome(&mut self, newcomer: Newcomer, welcome: Welcome) -> MemberId {
        let namespace = newcomer.namespace;
        let id = self.roster.add(newcomer);
        let asked: Vec<String> = welcome.rooms.iter().map(ToString::to_string).collect();
        for room in &welcome.own_rooms {
            self.roster.join(id, room);
        }
        // Who can't be in one room is not kept out of the others.
        let (mut joined, mut refused) = (Vec::new(), Vec::new());
        for room in asked {
            match self.join_rooms(id, std::slice::from_ref(&room)) {
                Ok(_) => joined.push(room),
                Err(refusal) => refused.push((room, refusal)),
            }
        }
        let (name, mut body) = welcome.greeting;
        body.insert("rooms".into(), json!(joined));
        // Until it has caught up, the place that it named is where it would have to begin again.
        let resumes = welcome.resume.filter(|_| namespace == Namespace::Root);
        let own = resumes.as_deref().filter(|c| self.own_cursor(c).is_some());
        let cursor = own.unwrap_or(self.position.text()).to_owned();
        body.insert("cursor".into(), cursor.as_str().into());
        let greeting = Value::Object(body).to_string();
        self.tell_json(id, name, &greeting, Some(&cursor), false);
        for (room, refusal) in refused {
            self.metrics.refused("connect", refusal.code);
            self.tell(id, "error", refusal.to_event(Some(&room)));
        }
        if namespace == Namespace::Conversations && self.roster.wants(id, "agents_update") {
            let agents = self.desk.agents();
            self.tell(id, "agents_update", agents);
        }
        if namespace == Namespace::Root && self.roster.wants(id, "conversation_summary") {
            let mut summary = self.desk.summary();
            summary.insert("cursor".into(), cursor.into());
            let summary = self.stamp_aggregate("conversation_summary", summary);
            self.tell(id, "conversation_summary", summary);
        }
        if let Some(from) = resumes {
            self.resume(id, &from, None);
        } else if welcome.snapshot {
            self.send_snapshot(id);
        }
        id
    }

    /// A member with other claims: the rooms that it may no longer be in are left and told.
    fn reidentify(&mut self, id: MemberId, who: &Identity, rooms: &[Arc<str>]) -> Vec<Arc<str>> {
        self.roster.set_sight(id, who.sight.clone());
        let Some(member) = self.roster.get_mut(id) else {
            return Vec::new();
        };
        member.user = who.user.clone();
        let is_own = |room: &str| !room.contains(':') && room != PRODUCERS;
        let is_kept = |room: &str| {
            is_own(room)
                || room.starts_with("flow:")
                || access::check_room(room, who, &self.options.default_room, &[]).is_ok()
        };
        let lost: Vec<Arc<str>> = member
            .rooms
            .iter()
            .filter(|room| !is_kept(room))
            .cloned()
            .collect();
        for room in &lost {
            self.roster.leave(id, room);
        }
        for room in rooms {
            self.roster.join(id, room);
        }
        lost
    }

    fn join_rooms(&mut self, member: MemberId, rooms: &[String]) -> Result<usize, Refusal> {
        let known = self
            .roster
            .get(member)
            .ok_or_else(|| Refusal::bad_request("the connection is closed"))?;
        let new = rooms
            .iter()
            .filter(|room| room.contains(':'))
            .filter(|room| !known.rooms.iter().any(|r| &**r == room.as_str()))
            .count();
        // Those that everybody has from the start are of no kind.
        let asked = known.rooms.iter().filter(|r| r.contains(':')).count();
        if asked + new > self.options.max_rooms_per_client {
            return Err(too_many_rooms(self.options.max_rooms_per_client));
        }
        let full = rooms.iter().find(|room| {
            room.contains(':')
                && self.roster.count(room) >= self.options.max_room_size
                && !known.rooms.iter().any(|r| &**r == room.as_str())
        });
        if let Some(room) = full {
            return Err(Refusal::new(
                "room_full",
                format!(
                    "room {room} is full: {} are in it",
                    self.options.max_room_size
                ),
            )
            .about_room(room));
        }
        let mut members = 0;
        for room in rooms {
            members = self.roster.join(member, room).unwrap_or(0);
        }
        Ok(members)
    }

    fn snapshot(&mut self, project: Option<&str>, sight: &Sight) -> Arc<str> {
        // Many ask at the same place of the stream when many come at once.
        let whole = project.is_none() && sight.is_everything();
        let known = self.last_snapshot.as_ref().filter(|_| whole);
        if let Some((_, text)) = known.filter(|(seq, _)| *seq == self.seq) {
            return text.clone();
        }
        let snapshot: Arc<str> = self.write_snapshot(project, sight).into();
        if whole {
            self.last_snapshot = Some((self.seq, snapshot.clone()));
        }
        snapshot
    }

    fn write_snapshot(&self, project: Option<&str>, sight: &Sight) -> String {
        let cursor = self.position.everything_up_to(self.seq);
        self.state
            .snapshot(&cursor, Timestamp::now(), project, sight)
    }

    /// The state, and from then on only what comes after it.
    pub(super) fn send_snapshot(&mut self, member: MemberId) {
        let Some(sight) = self.roster.sight(member) else {
            return;
        };
        let snapshot = self.snapshot(None, &sight);
        let seq = self.seq;
        let cursor = self.position.everything_up_to(self.seq);
        self.tell_json(member, "snapshot", &snapshot, Some(&cursor), true);
        if let Some(member) = self.roster.get_mut(member) {
            member.since = seq;
        }
    }

    /// Whether a room is not a client's own.
    fn is_public(&self, room: &str) -> bool {
        let default = self.options.default_room.as_str();
        room.contains(':') || [default, OBSERVERS, PRODUCERS].contains(&room)
    }

    /// The present aggregates, for one that missed their changes.
    pub(super) fn tell_aggregates(&mut self, id: MemberId) {
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        if !std::mem::take(&mut member.missed_aggregates) || member.namespace != Namespace::Root {
            return;
        }
        let aggregates = [
            self.desk.summary(),
            self.desk.metrics(),
            self.desk.active_flows(),
            self.desk.dashboard(Timestamp::now()),
        ];
        for (name, body) in CAUGHT_UP.into_iter().zip(aggregates) {
            if self.roster.wants(id, name) {
                let body = self.stamp_aggregate(name, body);
                self.tell(id, name, body);
            }
        }
    }

    /// What every update has, on one that no single event stands behind.
    pub(super) fn stamp_aggregate(&self, name: &str, mut body: Object) -> Object {
        let mut fill = |key: &str, value: Value| {
            body.entry(key).or_insert(value);
        };
        fill("type", name.into());
        fill("timestamp", now());
        fill("id", format!("{name}-{}", self.seq).into());
        fill("cursor", self.position.text().into());
        fill("source_type", name.into());
        fill("priority", "normal".into());
        fill("animation", "none".into());
        fill(
            "hint",
            json!({ "target": { "kind": "system", "id": name }, "duration_ms": 0, "intensity": 0 }),
        );
        body
    }

    fn answer(&mut self, question: Question) -> Object {
        let now = Timestamp::now();
        match question {
            Question::Stats { sight } => self.stats(&sight),
            Question::Rooms { sight } => {
                let mut rooms: Vec<&str> = self.roster.room_names().map(|r| &**r).collect();
                // A client's own rooms are nobody else's business.
                rooms.retain(|room| self.is_public(room) && may_know(&sight, room));
                rooms.sort_unstable();
                let total = rooms.len();
                object(json!({ "active_rooms": rooms, "total_rooms": total }))
            }
            Question::HealthNow => self.desk.health_current().unwrap_or_default(),
            Question::HealthHistory { hours } => self.desk.health_history(hours, now),
            Question::Conversations {
                limit,
                offset,
                minutes,
                agent_id,
            } => self
                .desk
                .recent_conversations(limit, offset, minutes, agent_id.as_deref(), now),
            Question::Dashboard => self.desk.dashboard(now),
            Question::ActiveFlows => {
                let flows = self.desk.active_flows();
                self.stamp_aggregate("active_flows_update", flows)
            }
            Question::Agents => self.desk.agents(),
        }
    }

    fn stats(&self, sight: &Sight) -> Object {
        let users: std::collections::HashSet<_> = self
            .roster
            .members()
            .filter_map(|m| m.user.as_deref())
            .collect();
        let namespaces: Object = Namespace::ALL
            .iter()
            .map(|n| {
                (
                    n.path().to_owned(),
                    self.roster
                        .members()
                        .filter(|m| m.namespace == *n)
                        .count()
                        .into(),
                )
            })
            .collect();
        let rooms = self.roster.room_names();
        let rooms = rooms.filter(|room| self.is_public(room) && may_know(sight, room));
        object(json!({
            "total_connections": self.roster.len(),
            "user_connections": users.len(),
            "active_rooms": rooms.count(),
            "peak_connections": self.roster.peak(),
            "connections_by_namespace": namespaces,
            "events": self.seq,
            "updates_waiting": self.pacer.ready(),
            "updates_held": self.pacer.held(),
            "cursor": self.position.text(),
            "started_at": self.started,
            "server_time": now(),
        }))
    }
}

/// Whether one may know of a room at all: its name says that there is such a thing.
fn may_know(sight: &Sight, room: &str) -> bool {
    let Some((kind, id)) = room.split_once(':') else {
        return true;
    };
    Kind::from_name(kind).map_or(sight.is_everything(), |kind| sight.may_enter(kind, id))
}

pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
