//! The acts of the UI: `_disconnect`, `join` and `leave`, with a socket or a room to say which sockets.
//!
//! The UI asks for no answers: a refusal is told as an `error`, and each act is in the audit log.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    access::authz::RoomKind,
    channel::Namespace,
    config::Role,
    doors::{
        admin::{Act, Actor, audit},
        socketio::{client::Client, inbox::Inbound},
    },
    error::Error,
};

/// The features by which the UI offers these acts.
pub(super) const FEATURES: [&str; 6] = [
    "DISCONNECT",
    "MDISCONNECT",
    "JOIN",
    "MJOIN",
    "LEAVE",
    "MLEAVE",
];

/// An act, by the event that asks for it: `[event, namespace, close or room, sockets]`.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Disconnect,
    /// Into a room, or out of it.
    Move(&'a str, bool),
}

/// Carries out an act of the UI; false if the event is none of its.
pub(in crate::doors::socketio) async fn act(client: &Client, inbound: &Inbound) -> bool {
    let Ok(Value::Array(arguments)) = serde_json::from_str(&inbound.text) else {
        return false;
    };
    let text = |nth: usize| arguments.get(nth).and_then(Value::as_str);
    let wish = match (text(0), text(2)) {
        (Some("_disconnect"), _) => Wish::Disconnect,
        (Some("join"), Some(room)) => Wish::Move(room, true),
        (Some("leave"), Some(room)) => Wish::Move(room, false),
        _ => return false,
    };
    client.used("admin");
    let done = match (client.context.admin_ui.is_readonly(), text(3)) {
        (true, _) => Err(Error::forbidden(
            "this login may only look ([admin_ui] readonly)",
        )),
        (false, None) => Err(Error::bad_request(
            "name a socket or a room: an act is not for all of a namespace at once",
        )),
        (false, Some(filter)) => match text(1).and_then(Namespace::at) {
            Some(namespace) => carry_out(client, wish, namespace, filter).await,
            None => Err(Error::bad_request("there is no such namespace")),
        },
    };
    if let Err(refusal) = done {
        client.context.metrics.refused("admin_ui", &refusal);
        client.emit("error", refusal.to_event(None));
    }
    true
}

/// Does to a socket, or to each of a room's members, as the UI wishes.
async fn carry_out(
    client: &Client,
    wish: Wish<'_>,
    namespace: Namespace,
    filter: &str,
) -> Result<(), Error> {
    let default_room = client.context.options.default_room.as_str();
    let is_everybodys = RoomKind::on(namespace.is_app(), filter) == RoomKind::Standing
        || !namespace.is_app() && filter == default_room;
    if is_everybodys {
        return Err(Error::bad_request(format!(
            "everybody is in the room {filter}, and an act is not for all of a namespace at once: name a socket, or another room"
        )));
    }
    let room = namespace.room_key(filter).into_owned();
    let members = client.context.hub.members_of(room).await?;
    if members.is_empty() {
        return Err(Error::new("not_found", "there is no such socket or room"));
    }
    let mut who = (*client.who()).clone();
    who.role = Role::Admin;
    let who = Arc::new(who);
    for id in members {
        let actor = Actor {
            who: who.clone(),
            address: client.address,
            door: "admin_ui",
        };
        let done = match wish {
            Wish::Disconnect => disconnect(client, actor, &id).await,
            Wish::Move(room, on) => place(client, &actor, (namespace, id), (room, on)).await,
        };
        // One that left by itself meanwhile is disconnected, too.
        done.or_else(|refusal| match refusal.code {
            "not_found" => Ok(()),
            _ => Err(refusal),
        })?;
    }
    Ok(())
}

/// Ends the connection of a socket.
async fn disconnect(client: &Client, actor: Actor, id: &str) -> Result<(), Error> {
    let argument = json!({ "client_id": id });
    let done = Act::Disconnect.perform(client.context.controls(), actor, argument);
    done.await.map(|_| ())
}

/// Puts a socket into a room of the application, or takes it out of one. Rooms of things are joined by rights alone: a
/// login of the UI gives nobody what a token does not.
async fn place(
    client: &Client,
    actor: &Actor,
    (namespace, id): (Namespace, Arc<str>),
    (room, on): (&str, bool),
) -> Result<(), Error> {
    let argument = json!({ "client_id": &*id, "namespace": namespace.path(), "room": room });
    let placed = match RoomKind::on(namespace.is_app(), room) {
        RoomKind::Free => {
            let moved = client.context.options.operations.clients.get(&id);
            let placed = client.context.hub.place((namespace, id), room.to_owned(), on);
            let placed = placed.await;
            if let Some(moved) = moved {
                moved.has_changed().await;
            }
            placed.map(|members| json!({ "members": members }))
        }
        _ => Err(Error::new(
            "forbidden_room",
            "the Admin UI moves clients between the application's own rooms only; this one takes a right of theirs",
        )
        .about_room(room)),
    };
    let act = if on { "join_room" } else { "leave_room" };
    audit(actor, act, &argument, &placed, &client.context.metrics);
    placed.map(|_| ())
}
