//! Rooms: join, leave, subscribe, unsubscribe.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{answer::Handled, request::Request};
use crate::{
    access::authz::{Filter, Fixed},
    doors::socketio::client::Client,
    error::Error,
    event::Object,
    hub::{MemberId, Subscription},
    timestamp::Timestamp,
};

pub(super) async fn join(client: &Arc<Client>, request: &Request) -> Handled {
    let (member, room) = one_room(client, request)?;
    check(client, std::slice::from_ref(&room)).await?;
    let members = client
        .context
        .hub
        .join_rooms(member, vec![room.clone()])
        .await?;
    notify(
        client,
        "room_joined",
        json!({ "room": room, "room_id": room, "members": members }),
    );
    Ok(json!({ "room": room, "members": members }).into())
}

pub(super) async fn leave(client: &Arc<Client>, request: &Request) -> Handled {
    let (member, room) = one_room(client, request)?;
    let members = client
        .context
        .hub
        .leave_rooms(member, vec![room.clone()])
        .await?;
    notify(
        client,
        "room_left",
        json!({ "room": room, "room_id": room, "members": members }),
    );
    Ok(json!({ "room": room, "members": members }).into())
}

pub(super) async fn subscribe(client: &Arc<Client>, request: &Request) -> Handled {
    let member = member(client)?;
    let rooms = named(client, request)?;
    let filters = request.field("filters");
    if rooms.is_empty() && filters.is_null() {
        return Err(Error::bad_request(
            "nothing to subscribe to: give room_id, rooms, channels or filters",
        ));
    }
    check(client, &rooms).await?;
    // Everything is read before anything is changed: a request is done whole or not at all.
    let filter = if filters.is_null() {
        None
    } else {
        Some(Filter::parse(filters)?)
    };
    if !rooms.is_empty() {
        client.context.hub.join_rooms(member, rooms.clone()).await?;
    }
    if let Some(filter) = filter {
        client
            .context
            .hub
            .set_subscription(member, Subscription::Filter(filter))
            .await;
    }
    confirm(client, &rooms, "subscribed");
    Ok(json!({ "rooms": rooms }).into())
}

pub(super) async fn unsubscribe(client: &Arc<Client>, request: &Request) -> Handled {
    let member = member(client)?;
    let rooms = named(client, request)?;
    if rooms.is_empty() {
        return Err(Error::bad_request(
            "nothing to unsubscribe from: give room_id, rooms or channels",
        ));
    }
    client
        .context
        .hub
        .leave_rooms(member, rooms.clone())
        .await?;
    confirm(client, &rooms, "unsubscribed");
    Ok(json!({ "rooms": rooms }).into())
}

fn confirm(client: &Client, rooms: &[String], event: &str) {
    for room in rooms {
        notify(
            client,
            "subscription",
            json!({ "type": "subscription", "event": event, "room_id": room }),
        );
    }
}

fn notify(client: &Client, name: &str, body: Value) {
    // On the namespace of an application nothing else speaks.
    if client.namespace.is_app() {
        return;
    }
    let mut all = Object::new();
    all.insert("type".into(), name.into());
    if let Value::Object(body) = body {
        all.extend(body);
    }
    all.insert("timestamp".into(), json!(Timestamp::now()));
    client.emit(name, all);
}

async fn check(client: &Client, rooms: &[String]) -> Result<(), Error> {
    let context = &client.context;
    let rooms = rooms.iter().map(String::as_str);
    let fixed = Fixed {
        default_room: &context.options.default_room,
        own: &[&*client.id],
        is_app: client.namespace.is_app(),
    };
    context
        .authenticator
        .check_rooms(rooms, &client.who(), fixed)
}

/// The rooms that a request names.
fn named(client: &Client, request: &Request) -> Result<Vec<String>, Error> {
    let mut rooms = request.rooms()?;
    for room in &mut rooms {
        // A client of Engine.IO 3 knows itself by another id.
        if client.former_id.as_deref() == Some(room.as_str()) {
            *room = client.id.to_string();
        }
    }
    Ok(rooms)
}

/// The one room that a request names.
pub(super) fn one_room(client: &Client, request: &Request) -> Result<(MemberId, String), Error> {
    let mut rooms = named(client, request)?.into_iter();
    match (rooms.next(), rooms.next()) {
        (Some(room), None) => Ok((member(client)?, room)),
        _ => Err(Error::bad_request(
            "name one room: {\"room\": \"project:p1\"} or a string",
        )),
    }
}

/// The client's id in the hub. Handlers run only after the introduction, so this fails only while the server goes down.
pub(super) fn member(client: &Client) -> Result<MemberId, Error> {
    client
        .member()
        .ok_or_else(|| Error::unavailable("the connection is not ready; try again"))
}
