//! The commands, as the hub carries them out.

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
        authz::{Fixed, OPERATORS},
    },
    channel::Namespace,
    delivery::Outgoing,
    error::Error,
    event::Object,
    journal::Seq,
    observe::Stamp,
};

/// The most commands between two flushes, so that neither starves the other.
pub(super) const MAX_COMMANDS_PER_TURN: usize = 256;
/// The time for commands between two flushes: some of them are work.
const COMMANDS_TIME_PER_TURN: Duration = Duration::from_millis(2);

impl Hub {
    /// Handles a command and others that wait; returns the caller of a `Stop`. The loop first reads the events that
    /// were acknowledged before the command came: a client that publishes and then looks sees its own event.
    pub(super) async fn handle_some(
        &mut self,
        mut command: Command,
        grown: &watch::Receiver<Seq>,
    ) -> Option<oneshot::Sender<()>> {
        // The clock is the runtime's, which stands still where a test says so.
        let began = tokio::time::Instant::now();
        let mut handled = 0;
        loop {
            let newest = *grown.borrow();
            // The loop logs a journal that can't be read, and tries again: commands don't wait for it.
            self.follow(newest).await.ok();
            if let Command::Stop(reply) = command {
                return Some(reply);
            }
            self.handle(command);
            self.metrics.filter_bytes(self.roster.filter_bytes());
            handled += 1;
            // A command that is taken is handled, so none is taken without time for it.
            if handled == MAX_COMMANDS_PER_TURN || began.elapsed() > COMMANDS_TIME_PER_TURN {
                break;
            }
            match self.commands.try_recv() {
                Ok(next) => command = next,
                Err(_) => break,
            }
        }
        self.deliver_emissions();
        None
    }

    pub(super) fn handle(&mut self, command: Command) {
        if !matches!(command, Command::Emit(_)) {
            self.deliver_emissions();
        }
        self.settle(&command);
        self.is_heard(&command);
        match command {
            Command::Join {
                request,
                welcome,
                reply,
            } => {
                // A newcomer has them in the state that it is given.
                self.send_sums();
                let id = self.welcome(request, *welcome);
                // A caller that no longer waits drops the membership, which ends it.
                if let Some(membership) = self.handle.membership(id) {
                    reply.send(membership).ok();
                }
            }
            Command::Leave(member) => {
                // The queue of members that are behind passes over members that are gone.
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
                    // The size of a room is told only to its members.
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
                self.send_sums();
                reply.send(self.projections.present(&mut self.stream)).ok();
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
            Command::NotifyOperators {
                name,
                body,
                audiences,
            } => self.notify_operators(name, body, &audiences),
            Command::Resume {
                member,
                from,
                reply,
            } => self.resume(member, from, Some(reply)),
            Command::Ask(question, reply) => {
                reply.send(self.answer(question)).ok();
            }
            Command::Place {
                whom,
                room,
                on,
                reply,
            } => {
                reply.send(self.place(&whom, &room, on)).ok();
            }
            Command::WatchPresence {
                member,
                room,
                on,
                reply,
            } => {
                reply.send(self.watch_presence(member, &room, on)).ok();
            }
            Command::Visit(visit, reply) => {
                reply.send(self.visit(&visit)).ok();
            }
            Command::Emit(emit) => self.emit(emit),
            Command::Standing {
                member,
                leaves,
                reply,
            } => {
                reply.send(self.standing(member, leaves)).ok();
            }
            Command::CanResume { from, reply } => {
                reply.send(self.can_resume(&from)).ok();
            }
            Command::RoomsOf { member, reply } => {
                let member = self.roster.get(member);
                let rooms = member.map(|member| member.rooms.clone());
                reply.send(rooms.unwrap_or_default()).ok();
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
        let activity = self.metrics.usage.activity(&request.client_id);
        let id = self.roster.add(request);
        if let Some(member) = self.roster.get_mut(id) {
            member.activity = Some(activity);
        }
        let asked: Vec<String> = welcome.rooms.iter().map(ToString::to_string).collect();
        for room in &welcome.own_rooms {
            self.roster.join(id, room);
        }
        // A client that can't be in one room is not kept out of the others.
        let (mut joined, mut refused) = (Vec::new(), Vec::new());
        for room in asked {
            let is_placed = welcome.placed.iter().any(|placed| **placed == *room);
            let put = match is_placed {
                true => self.place_member(id, &room),
                false => self.join_rooms(id, std::slice::from_ref(&room)),
            };
            match put {
                Ok(_) => joined.push(room),
                Err(refusal) => refused.push((room, refusal)),
            }
        }
        let resumes = welcome.resume;
        let Some((name, mut body)) = welcome.greeting else {
            self.tell_refused(id, refused);
            if let Some(from) = resumes {
                self.resume(id, from, None);
            }
            return id;
        };
        body.insert("rooms".into(), json!(joined));
        // A client that resumes has no new cursor before it has caught up: until then it would have to begin again at
        // its old one.
        let resumes = resumes.filter(|_| namespace == Namespace::Root);
        let own = resumes.as_ref().filter(|from| self.is_own(from));
        let cursor = own
            .map(|from| &*from.text)
            .unwrap_or(self.stream.cursor_text())
            .to_owned();
        body.insert("cursor".into(), cursor.as_str().into());
        let greeting = Value::Object(body).to_string();
        // Nor has a client that is being given the state: if it left before the end, it would not have the state.
        let is_given_state = match own {
            Some(_) => !welcome.state.is_empty(),
            None => welcome.snapshot || resumes.is_some(),
        };
        let stamp = Stamp::greeting(welcome.requested);
        let greeting = Outgoing::new(namespace, name, greeting).stamped(Some(stamp));
        let greeting = match is_given_state {
            true => greeting,
            false => greeting.at(&cursor),
        };
        self.send_to(&[id], &greeting);
        if let Some(member) = self.roster.get(id) {
            let state = welcome.state.iter();
            state.for_each(|message| member.outlet.send_exempt(message));
        }
        self.tell_refused(id, refused);
        if namespace == Namespace::Conversations && self.roster.wants(id, "agents_update") {
            let agents = self.projections.dashboard().agents();
            self.notify(id, "agents_update", agents);
        }
        // Nobody knows yet which client is a page: this one is told to each, once.
        if namespace == Namespace::Root
            && self.options.aggregates.include(true)
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

    /// Tells a client of the rooms that it could not be put into.
    fn tell_refused(&mut self, id: MemberId, refused: Vec<(String, Error)>) {
        for (room, refusal) in refused {
            self.metrics.refused("connect", &refusal);
            self.notify(id, "error", refusal.to_event(Some(&room)));
        }
    }

    /// Gives a member other claims: it leaves the rooms that it may no longer be in, which are returned.
    fn reidentify(&mut self, id: MemberId, who: &Identity, rooms: &[Arc<str>]) -> Vec<Arc<str>> {
        self.roster.set_permissions(id, who.permissions.clone());
        self.roster.set_user(id, who.user.clone());
        let Some(member) = self.roster.get(id) else {
            return Vec::new();
        };
        let namespace = member.namespace;
        let fixed = Fixed {
            default_room: &self.options.default_room,
            own: &[&*member.client_id],
            is_app: namespace.is_app(),
        };
        let placed = |room: &str| {
            let key = namespace.room_key(room);
            member.placed.iter().any(|placed| **placed == *key)
        };
        let is_kept = |room: &str| {
            room == OPERATORS
                || room.starts_with("flow:")
                || placed(room)
                || access::authz::check_room(room, who, fixed).is_ok()
        };
        let lost: Vec<Arc<str>> = member
            .rooms
            .iter()
            .map(|key| Namespace::of_key(key).1)
            .filter(|room| !is_kept(room))
            .map(Into::into)
            .collect();
        for room in &lost {
            self.roster.leave(id, room);
        }
        for room in rooms {
            self.roster.join(id, room);
        }
        // Nobody asks for this room, and nobody is told of it.
        self.roster.leave(id, OPERATORS);
        if let Some(room) = access::authz::unlisted_rooms(who).filter(|_| !namespace.is_app()) {
            self.roster.join(id, &room);
        }
        lost
    }
}

pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
