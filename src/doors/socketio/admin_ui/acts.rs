//! The acts of the UI: `_disconnect`, with a socket or a room to say which.
//!
//! The UI asks for no answers: a refusal is told as an `error`, and each act is in the audit log.

use serde_json::{Value, json};

use crate::{
    channel::Namespace,
    config::Role,
    doors::{
        admin::{Act, Actor},
        socketio::{client::Client, inbox::Inbound},
    },
    error::Error,
};

/// The features by which the UI offers these acts.
pub(super) const FEATURES: [&str; 2] = ["DISCONNECT", "MDISCONNECT"];

/// Carries out an act of the UI; false if the event is none of its.
pub(in crate::doors::socketio) async fn act(client: &Client, inbound: &Inbound) -> bool {
    let Ok(Value::Array(arguments)) = serde_json::from_str(&inbound.text) else {
        return false;
    };
    let text = |nth: usize| arguments.get(nth).and_then(Value::as_str);
    if text(0) != Some("_disconnect") {
        return false;
    }
    client.used("admin");
    let done = match (client.context.admin_ui.is_readonly(), text(3)) {
        (true, _) => Err(Error::forbidden(
            "this login may only look ([admin_ui] readonly)",
        )),
        (false, None) => Err(Error::bad_request(
            "name a socket or a room: all of a namespace are not disconnected at once",
        )),
        (false, Some(filter)) => match text(1).and_then(Namespace::at) {
            Some(namespace) => disconnect(client, namespace, filter).await,
            None => Err(Error::bad_request("there is no such namespace")),
        },
    };
    if let Err(refusal) = done {
        client.context.metrics.refused("admin_ui", &refusal);
        client.emit("error", refusal.to_event(None));
    }
    true
}

/// Ends the connection of a socket, or those of a room's members.
async fn disconnect(client: &Client, namespace: Namespace, filter: &str) -> Result<(), Error> {
    let room = namespace.room_key(filter).into_owned();
    let members = client.context.hub.members_of(room).await?;
    if members.is_empty() {
        return Err(Error::new("not_found", "there is no such socket or room"));
    }
    let mut who = (*client.who()).clone();
    who.role = Role::Admin;
    let who = std::sync::Arc::new(who);
    for id in members {
        let actor = Actor {
            who: who.clone(),
            address: client.address,
            door: "admin_ui",
        };
        let (authenticator, breakers) = (&client.context.authenticator, &client.context.breakers);
        let argument = json!({ "client_id": id });
        // One that left by itself meanwhile is disconnected, too.
        Act::Disconnect
            .perform(authenticator, breakers, actor, argument)
            .await
            .or_else(|refusal| match refusal.code {
                "not_found" => Ok(Value::Null),
                _ => Err(refusal),
            })?;
    }
    Ok(())
}
