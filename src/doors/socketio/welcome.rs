//! The welcome of an accepted client: it is introduced to the hub, and greeted.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json, value::RawValue};

use super::{client::Client, hello::Hello, way_back::Coming};
use crate::{
    access::{
        self, Identity,
        authz::{Filter, OBSERVERS},
    },
    channel::Namespace,
    event::Object,
    hub::{JoinReply, JoinRequest, Resumption, Subscription},
    timestamp::Timestamp,
    update::{UpdateShape, seneca::ConversationFilter},
};

/// The parts of a hello that the hub needs.
pub(super) struct ConnectOptions {
    /// Rooms to join, once they are checked.
    rooms: Wanted,
    /// The rooms among these that it is in by the word of the application's service.
    placed: Vec<Arc<str>>,
    /// The news about the session that it asked for.
    recovery: Option<Value>,
    /// The client's filter and permissions.
    subscription: Subscription,
    /// Whether the client wants batches.
    batch: bool,
    /// The shape in which the client takes updates.
    shape: UpdateShape,
    /// Whether the client wants a snapshot.
    snapshot: bool,
    /// The place to resume from.
    cursor: Option<String>,
    /// Whether the client says nothing of itself and began with polling.
    silent: bool,
    /// The time of the request to connect.
    requested: Instant,
}

impl ConnectOptions {
    pub(super) fn of(
        hello: &Hello,
        namespace: Namespace,
        (polls, requested): (bool, Instant),
        coming: &Coming,
    ) -> Self {
        let recovery = match (&coming.recovered, coming.refused) {
            (Some(_), _) => Some(json!({ "recovered": true })),
            (None, Some(reason)) => Some(json!({ "recovered": false, "reason": reason })),
            (None, None) => None,
        };
        let asked = Self {
            rooms: Wanted::Asked(hello.rooms.clone()),
            placed: Vec::new(),
            recovery,
            subscription: match namespace {
                Namespace::Conversations => {
                    Subscription::Conversation(ConversationFilter::default())
                }
                _ => Subscription::Filter(hello.filter.clone()),
            },
            batch: hello.batch,
            shape: hello.shape,
            snapshot: hello.snapshot,
            cursor: hello.cursor.clone(),
            silent: polls && hello.is_empty(),
            requested,
        };
        let Some((session, from)) = &coming.recovered else {
            return asked;
        };
        let filter = Filter::parse(&session.filter).unwrap_or_default();
        Self {
            rooms: Wanted::All(session.rooms.clone()),
            placed: session.placed.clone(),
            subscription: Subscription::Filter(filter),
            cursor: Some(from.clone()),
            ..asked
        }
    }
}

/// The rooms that a client wants to be in.
enum Wanted {
    /// These beside those of all clients.
    Asked(Vec<String>),
    /// These and no others.
    All(Vec<Arc<str>>),
}

pub(super) async fn introduce(
    client: Arc<Client>,
    options: ConnectOptions,
    operations: Vec<Box<RawValue>>,
) {
    let context = client.context.clone();
    let request = JoinRequest {
        outlet: client.outlet.clone(),
        namespace: client.namespace,
        client_id: client.id.clone(),
        user: client.who().user.clone(),
        subscription: options.subscription,
        permissions: client.who().permissions.clone(),
        batch: options.batch && context.options.batch,
        shape: options.shape,
        silent: options.silent,
    };
    let welcome = JoinReply {
        rooms: match options.rooms {
            Wanted::All(rooms) => rooms,
            Wanted::Asked(asked) => rooms(
                client.namespace,
                &client.who(),
                &context.options.default_room,
                asked,
            ),
        },
        placed: options.placed,
        own_rooms: own_rooms(&client),
        greeting: greeting(&client, options.shape, options.recovery),
        snapshot: options.snapshot,
        state: Vec::new(),
        requested: options.requested,
        resume: options.cursor.map(|cursor| match client.namespace {
            // On the namespace of an application nothing else speaks.
            Namespace::App(_) => Resumption::silently(cursor),
            _ => cursor.into(),
        }),
    };
    match context.hub.join(request, welcome).await {
        Ok(membership) => client.introduced(membership, operations).await,
        // The server goes down, and tells every client so.
        Err(refusal) => context.metrics.refused("connect", &refusal),
    }
}

/// The rooms that are a client's own, or its role's, and are not listed to it.
fn own_rooms(client: &Client) -> Vec<Arc<str>> {
    // Seneca's namespace has events of its own.
    let of_role = access::authz::unlisted_rooms(&client.who())
        .filter(|_| matches!(client.namespace, Namespace::Root | Namespace::Admin));
    std::iter::once(client.id.clone()).chain(of_role).collect()
}

/// The rooms that a client is in from the start.
pub(super) fn rooms(
    namespace: Namespace,
    who: &Identity,
    default_room: &str,
    asked: Vec<String>,
) -> Vec<Arc<str>> {
    if namespace != Namespace::Root {
        return Vec::new();
    }
    let mut rooms: Vec<Arc<str>> = vec![default_room.into(), OBSERVERS.into()];
    if who.role.may_publish() {
        rooms.push(access::authz::PRODUCERS.into());
    }
    if let Some(user) = &who.user {
        rooms.push(format!("user:{user}").into());
    }
    for room in asked {
        if !rooms.iter().any(|r| **r == *room) {
            rooms.push(room.into());
        }
    }
    rooms
}

/// The event that greets a client; none on the namespace of an application, on which nothing else speaks.
fn greeting(
    client: &Client,
    shape: UpdateShape,
    recovery: Option<Value>,
) -> Option<(&'static str, Object)> {
    let now = Timestamp::now().to_string();
    let id = &client.id;
    let (name, body) = match client.namespace {
        Namespace::Conversations => ("connected", json!({ "client_id": id, "timestamp": now })),
        Namespace::App(_) => return None,
        Namespace::Root | Namespace::Admin => (
            "connection_established",
            json!({
                "type": "connection_established",
                "client_id": id,
                "session_id": id,
                "connection_id": id,
                "server_time": now,
                "timestamp": now,
                "role": client.who().role,
                "user": client.who().user,
                "expires_at": client.who().expires.map(Timestamp::from),
                "shape": shape.as_str(),
                "server": { "name": "stoa", "version": env!("CARGO_PKG_VERSION") },
            }),
        ),
    };
    let mut body = match body {
        Value::Object(body) => body,
        _ => Object::new(),
    };
    if let Some(recovery) = recovery {
        body.insert("recovery".into(), recovery);
    }
    Some((name, body))
}
