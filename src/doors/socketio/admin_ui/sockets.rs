//! Sockets one by one, for development mode: all of them to a UI that comes, later what changed since the last look.
//!
//! A look takes a bounded number of sockets, once in two seconds and only while a UI watches; nothing is noted where clients
//! connect or join.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    access::authz::Session, channel::Namespace, doors::socketio::context::DoorContext,
    hub::Question, timestamp::Timestamp,
};

/// Characters of a public id that name the client to the UI: the last ones, since the first are a time.
const SHORT_ID: usize = 12;

/// The sockets that were shown at the last look, by public id.
#[derive(Debug, Default)]
pub(super) struct Shown(BTreeMap<Arc<str>, (Session, BTreeSet<String>)>);

impl Shown {
    /// All sockets of the last look.
    pub(super) fn all(&self) -> Vec<Value> {
        self.0
            .values()
            .map(|(session, rooms)| serialized(session, rooms))
            .collect()
    }

    /// Looks again: the events that tell what changed, each with its arguments.
    pub(super) async fn changes(
        &mut self,
        context: &Arc<DoorContext>,
        most: usize,
    ) -> Vec<(&'static str, Value)> {
        let sessions = context.authenticator.sessions();
        let (sockets, _) = sessions.list(most, |session| session.transport == "socketio");
        let known =
            |socket: &Session| Some((Namespace::at(socket.namespace)?, socket.client_id.clone()));
        let clients = sockets.iter().filter_map(known).collect();
        let rooms = context
            .hub
            .question(Question::RoomsOfClients { clients })
            .await;
        let rooms = rooms.unwrap_or_default();
        let now: BTreeMap<_, _> = sockets
            .into_iter()
            .map(|session| {
                let listed = rooms.get(&*session.client_id).and_then(Value::as_array);
                let listed = listed.into_iter().flatten().filter_map(Value::as_str);
                let rooms = listed.map(str::to_owned).collect();
                (session.client_id.clone(), (session, rooms))
            })
            .collect();
        let before = std::mem::replace(&mut self.0, now);
        differences(&before, &self.0)
    }
}

type Sockets = BTreeMap<Arc<str>, (Session, BTreeSet<String>)>;

fn differences(before: &Sockets, now: &Sockets) -> Vec<(&'static str, Value)> {
    let at = Timestamp::now().to_string();
    let mut changes = Vec::new();
    for (id, (session, rooms)) in now {
        let Some((_, rooms_before)) = before.get(id) else {
            changes.push(("socket_connected", json!([serialized(session, rooms), at])));
            continue;
        };
        for room in rooms.difference(rooms_before) {
            changes.push(("room_joined", json!([session.namespace, room, id, at])));
        }
        for room in rooms_before.difference(rooms) {
            changes.push(("room_left", json!([session.namespace, room, id, at])));
        }
    }
    for (id, (session, _)) in before {
        if !now.contains_key(id) {
            let reason = "not connected any more";
            changes.push((
                "socket_disconnected",
                json!([session.namespace, id, reason, at]),
            ));
        }
    }
    changes
}

/// A socket as the UI reads it: no header, no query and no id of a transport is in it.
fn serialized(session: &Session, rooms: &BTreeSet<String>) -> Value {
    let id = &session.client_id;
    json!({
        "id": id,
        "clientId": &id[id.len().saturating_sub(SHORT_ID)..],
        "transport": session.transport,
        "nsp": session.namespace,
        "data": { "role": session.role, "user": session.user, "name": session.name },
        "handshake": {
            "address": session.address,
            "headers": {},
            "query": {},
            "issued": session.connected_at.as_micros() / 1_000,
            "secure": false,
            "time": session.connected_at,
            "url": "/socket.io/",
            "xdomain": false,
        },
        "rooms": rooms,
    })
}
