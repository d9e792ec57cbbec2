//! `presence`: who comes into a room and who leaves it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{answer::Handled, request::Request, rooms};
use crate::{
    access::authz::{RoomKind, room_name},
    doors::socketio::client::Client,
    error::Error,
};

/// Tells the client from now on, or no more, about a room that it is in.
pub(super) async fn watch(client: &Arc<Client>, request: &Request) -> Handled {
    let (member, room) = rooms::one_room(client, request)?;
    let on = match request.field("on") {
        Value::Null => true,
        Value::Bool(on) => *on,
        _ => {
            return Err(Error::bad_request(
                "on is true or false: {\"room\": \"lobby\", \"on\": true}",
            ));
        }
    };
    let kind = RoomKind::on(client.namespace.is_app(), &room);
    let is_everybodys = kind == RoomKind::Standing || room == client.context.options.default_room;
    if is_everybodys && !client.namespace.is_app() && !client.who().may_see_stats() {
        return Err(Error::forbidden(
            "in the rooms of everybody only operators and admins are told who is there",
        ));
    }
    let who = client.who();
    let sees_all = who.may_see_stats() || who.permissions.is_everything();
    if on && room_name::is_of_any_project(&room) && !sees_all {
        return Err(Error::forbidden(
            "clients of other projects may be in this room, so only operators and admins are told who is there: name the project, kind:{project}/{id}",
        ));
    }
    let hub = &client.context.hub;
    let members = hub.watch_presence(member, room.clone(), on).await?;
    Ok(json!({ "room": room, "members": members, "on": on }).into())
}
