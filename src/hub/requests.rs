//! The hub's side of the commands.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::{
    Hub,
    command::{Command, JoinReply},
    member::{JoinRequest, MemberId},
};
use crate::{
    access::{
        self, Identity,
        authz::{PRODUCERS, too_many_rooms},
    },
    channel::Namespace,
    error::Error,
    event::Object,
    journal::Seq,
};

/// Commands handled between two flushes, so that neither starves the other.
pub(super) const MAX_COMMANDS_PER_TURN: usize = 256;
/// The same in time: some commands are work.
const COMMANDS_TIME_PER_TURN: Duration = Duration::from_millis(2);

impl Hub {
    /// Handles a command and what else waits; who asked for it, when it is time to stop. What was acknowledged before a
    /// command came is read before it is handled: whoever publishes and then looks sees it.
    pub(super) async fn handle_some(
        &mut self,
        mut command: Command,
        grown: &watch::Receiver<Seq>,
    ) -> Option<oneshot::Sender<()>> {
        // By the clock of the runtime, which stands still where a test says so.
        let began = tokio::time::Instant::now();
        let mut handled = 0;
        loop {
            let newest = *grown.borrow();
            // The loop tells of a journal that can't be read, and tries again: commands don't wait for it.
            self.read(newest).await.ok();
            if let Command::Stop(reply) = command {
                return Some(reply);
            }
            self.handle(command);
            self.metrics.filter_bytes(self.roster.filter_bytes());
            handled += 1;
            // A command that is taken is handled: none is taken for which there is no time.
            if handled == MAX_COMMANDS_PER_TURN || began.elapsed() > COMMANDS_TIME_PER_TURN {
                break;
            }
            match self.commands.try_recv() {
                Ok(next) => command = next,
                Err(_) => break,
            }
        }
        None
    }

    pub(super) fn handle(&mut self, command: Command) {
        self.settle(&command);
        match command {
            Command::Join {
                request,
                welcome,
                reply,
            } => {
                let id = self.welcome(request, *welcome);
                // A caller that no longer waits for it lets go of it, and so it ends.
                if let Some(membership) = self.handle.membership(id) {
                    reply.send(membership).ok();
                }
            }
            Command::Leave(member) => {
                // The queue of those who are behind passes over members that are gone.
                self.roster.remove(member);
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
            Command::SetSubscription(member, subscription) => {
                self.roster.set_subscription(member, subscription);
            }
            Command::Listen { member, topic, on } => {
                self.roster.listen(member, topic, on);
                self.is_page(member);
            }
            Command::IsPage(member) => self.is_page(member),
            Command::Notify { member, name, body } => {
                self.notify_where_it_stands(member, name, body);
            }
            Command::NotifyAll {
                namespace,
                name,
                body,
            } => self.notify_all(namespace, name, body),
            Command::Picture(reply) => {
                reply.send(self.picture()).ok();
            }
            Command::Moment(reply) => {
                reply.send(self.projections.present(&self.stream)).ok();
            }
            Command::FindSnapshot { of, reply } => self.find_snapshot(of, reply),
            Command::GiveSnapshot {
                member,
                project,
                snapshot,
            } => self.give_snapshot(member, project, snapshot),
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
                from,
                reply,
            } => self.resume(member, from, Some(reply)),
            Command::Ask(question, reply) => {
                reply.send(self.answer(question)).ok();
            }
            Command::MembersOf { room, reply } => {
                let ids = self.roster.ids_in(&room);
                let public = ids.filter_map(|id| self.roster.get(id).map(|m| m.client_id.clone()));
                reply.send(public.collect()).ok();
            }
            Command::Stop(reply) => {
                reply.send(()).ok();
            }
        }
    }

    fn welcome(&mut self, request: JoinRequest, welcome: JoinReply) -> MemberId {
        let namespace = request.namespace;
        let id = self.roster.add(request);
        let asked: Vec<String> = welcome.rooms.iter().map(ToString::to_string).collect();
        for room in &welcome.own_rooms {
            self.roster.join(id, room);
        }
        // A client that can't be in one room is not kept out of the others.
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
        let own = resumes.as_ref().filter(|from| self.is_own(from));
        let cursor = own
            .map(|from| &*from.text)
            .unwrap_or(self.stream.cursor_text())
            .to_owned();
        body.insert("cursor".into(), cursor.as_str().into());
        let greeting = Value::Object(body).to_string();
        // Nor is it a place to go on from for one that is given the state: if it leaves before, it would not have that.
        let is_given_state = own.is_none() && (welcome.snapshot || resumes.is_some());
        let place = (!is_given_state).then_some(cursor.as_str());
        self.notify_json(id, name, &greeting, place);
        for (room, refusal) in refused {
            self.metrics.refused("connect", refusal.code);
            self.notify(id, "error", refusal.to_event(Some(&room)));
        }
        if namespace == Namespace::Conversations && self.roster.wants(id, "agents_update") {
            let agents = self.projections.dashboard().agents();
            self.notify(id, "agents_update", agents);
        }
        if namespace == Namespace::Root
            && self.options.aggregates.include(false)
            && self.roster.wants(id, "conversation_summary")
        {
            let mut summary = self.projections.dashboard().summary();
            summary.insert("cursor".into(), cursor.into());
            let summary = self.stamp_aggregate("conversation_summary", summary);
            self.notify(id, "conversation_summary", summary);
        }
        if let Some(from) = resumes {
            self.resume(id, from, None);
        } else if welcome.snapshot {
            self.send_snapshot(id);
        }
        id
    }

    /// A member with other claims: the rooms that it may no longer be in are left and told.
    fn reidentify(&mut self, id: MemberId, who: &Identity, rooms: &[Arc<str>]) -> Vec<Arc<str>> {
        self.roster.set_permissions(id, who.permissions.clone());
        self.roster.set_user(id, who.user.clone());
        let Some(member) = self.roster.get_mut(id) else {
            return Vec::new();
        };
        let is_own = |room: &str| !room.contains(':') && room != PRODUCERS;
        let is_kept = |room: &str| {
            is_own(room)
                || room.starts_with("flow:")
                || access::authz::check_room(room, who, &self.options.default_room, &[]).is_ok()
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

    fn join_rooms(&mut self, member: MemberId, rooms: &[String]) -> Result<usize, Error> {
        let known = self
            .roster
            .get(member)
            .ok_or_else(|| Error::bad_request("the connection is closed"))?;
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
            return Err(Error::new(
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
}

pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
