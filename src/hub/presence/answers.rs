//! The requests about presence, as the hub carries them out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Change, News, Whom};
use crate::{
    channel::Namespace,
    delivery::Outgoing,
    error::Error,
    event::Object,
    hub::{Hub, command::now as timestamp, member::MemberId, requests::object},
};

/// A visit to a room by HTTP.
#[derive(Debug)]
pub struct Visit {
    /// The namespace of the room.
    pub namespace: Namespace,
    /// The room, already checked.
    pub room: String,
    /// The id that the visitor gives itself.
    pub id: Arc<str>,
    /// The caller, by whom the limits count.
    pub owner: Arc<str>,
    /// The user, if the caller has one.
    pub user: Option<Arc<str>>,
    /// The time for which it is present; none ends the visit.
    pub ttl: Option<Duration>,
}

/// A question about the members of a room.
#[derive(Debug)]
pub struct MembersOf {
    /// The namespace of the room.
    pub namespace: Namespace,
    /// The room, already checked.
    pub room: String,
    /// The most clients, and the most visitors, that the answer names; 0 for the counts alone.
    pub limit: usize,
}

impl Hub {
    /// Tells a member from now on who comes into a room that it is in, and who leaves; or no more. Returns the number
    /// of members.
    pub(in crate::hub) fn watch_presence(
        &mut self,
        id: MemberId,
        room: &str,
        on: bool,
    ) -> Result<usize, Error> {
        let member = self.roster.get(id);
        let key = member.and_then(|member| {
            let key = member.namespace.room_key(room);
            member.rooms.iter().find(|known| ***known == *key).cloned()
        });
        let Some(key) = key else {
            let why = format!("you are not in {room}: join it first");
            return Err(Error::new("forbidden_room", why).about_room(room));
        };
        self.roster.presence.watch(&key, id, on);
        Ok(self.roster.count(&key))
    }

    /// Begins, renews or ends a visit.
    pub(in crate::hub) fn visit(&mut self, visit: &Visit) -> Result<Object, Error> {
        let key: Arc<str> = visit.namespace.room_key(&visit.room).as_ref().into();
        let limits = (self.options.max_visitors, self.options.max_room_size);
        let visitors = &mut self.roster.presence.visitors;
        let changed = match visit.ttl {
            Some(ttl) => visitors
                .come(
                    (&key, &visit.id),
                    (&visit.owner, visit.user.as_ref()),
                    ttl,
                    limits,
                )
                .inspect_err(|_| self.metrics.room_refused("visitors"))?,
            None => visitors.go(&key, &visit.id, &visit.owner),
        };
        if changed {
            self.roster.presence.changed(&key, || Change {
                joined: visit.ttl.is_some(),
                whom: Whom::Visitor(visit.id.clone()),
                user: visit.user.clone(),
            });
        }
        Ok(object(json!({
            "room": visit.room,
            "id": visit.id,
            "present": visit.ttl.is_some(),
            "members": self.roster.count(&key),
            "visitors": self.roster.presence.visitors.count(&key),
        })))
    }

    /// The members and the visitors of a room: how many there are, and some of them.
    pub(in crate::hub) fn members(&self, of: &MembersOf) -> Object {
        let key = of.namespace.room_key(&of.room);
        let visitors = &self.roster.presence.visitors;
        let (members, visits) = (self.roster.count(&key), visitors.count(&key));
        let ids = self.roster.ids_in(&key).take(of.limit);
        let clients: Vec<Value> = ids
            .filter_map(|id| self.roster.get(id))
            .map(|member| json!({ "client_id": member.client_id, "user": member.user }))
            .collect();
        let seen = visitors.some(&key, of.limit).into_iter();
        let seen: Vec<Value> = seen
            .map(|seen| json!({ "id": seen.id, "user": seen.user, "ends_in": seen.left.as_secs() }))
            .collect();
        object(json!({
            "room": of.room,
            "namespace": of.namespace.path(),
            "members": members,
            "visitors": visits,
            "clients": clients,
            "present": seen,
            "complete": members <= of.limit && visits <= of.limit,
        }))
    }

    /// Tells who came and who left since the last time.
    pub(in crate::hub) fn tell_presence(&mut self, now: Instant) {
        if self.roster.presence.due().is_none_or(|due| due > now) {
            return;
        }
        for news in self.roster.presence.take(now) {
            let (app, room) = Namespace::of_key(&news.room);
            let mut body = told(&news);
            body.insert("type".into(), "presence".into());
            body.insert("room".into(), room.into());
            body.insert("members".into(), self.roster.count(&news.room).into());
            let visitors = self.roster.presence.visitors.count(&news.room);
            body.insert("visitors".into(), visitors.into());
            body.insert("timestamp".into(), timestamp());
            let json = Value::Object(body).to_string();
            let update = Outgoing::new(app.unwrap_or(Namespace::Root), "presence", json);
            self.send_to(&news.subscribers, &update);
        }
    }
}

/// One change as it is, several as two lists.
fn told(news: &News) -> Object {
    if let ([one], 0) = (&news.changes[..], news.omitted) {
        let mut body = named(one);
        let event = if one.joined { "join" } else { "leave" };
        body.insert("event".into(), event.into());
        return body;
    }
    let list = |joined: bool| -> Vec<Object> {
        let changes = news.changes.iter().filter(|change| change.joined == joined);
        changes.map(named).collect()
    };
    object(json!({
        "event": "changed",
        "joined": list(true),
        "left": list(false),
        "omitted": news.omitted,
    }))
}

/// The names of somebody who came or left.
fn named(change: &Change) -> Object {
    let mut body = Object::new();
    match &change.whom {
        Whom::Client(id) => body.insert("client_id".into(), json!(id)),
        Whom::Visitor(id) => body.insert("id".into(), json!(id)),
    };
    if let Some(user) = &change.user {
        body.insert("user".into(), json!(user));
    }
    body
}
