//! `authenticate`: new claims for a live connection.

use std::sync::Arc;

use serde_json::json;

use super::{
    answer::{Answer, Handled, notify_refusal},
    request::Request,
    rooms,
};
use crate::{
    access::{
        Peer,
        authn::Credential,
        authz::{Connection, DisconnectReason},
    },
    channel::Namespace,
    doors::socketio::{client::Client, welcome},
    error::Error,
    timestamp::Timestamp,
};

pub(super) async fn authenticate(client: &Arc<Client>, request: &Request) -> Handled {
    let member = rooms::member(client)?;
    let before = client.who();
    let credential = request.text("token")?.map(Credential::new);
    // Without a token the client keeps its identity, as long as no token is required.
    if credential.is_none() && !client.context.authenticator.is_required() {
        return Ok(answer(client, &[]));
    }
    let peer = Peer {
        credential: credential.as_ref(),
        address: client.address,
        role: before.role,
        name: before.name.clone(),
        page: before.page,
        is_served: client.context.backend(client.namespace).is_some(),
        is_asked_about: false,
    };
    let who = client.context.authenticator.identify(peer).await?;
    if client.namespace == Namespace::Admin && !who.role.may_see_stats() {
        return Err(Error::forbidden(
            "the namespace /admin is for operators and admins",
        ));
    }
    if before.user.is_some() && who.user != before.user {
        return Err(Error::forbidden(
            "the token is another user's; connect anew with it",
        ));
    }
    let options = &client.context.options;
    let own = welcome::rooms(client.namespace, &who, &options.default_room, Vec::new());
    client.renew(who.clone());
    // A ban or revocation made since the token was checked found the session under its old identity.
    if let Err(refusal) = client
        .context
        .authenticator
        .check_again(&who, client.address)
    {
        client.end(match refusal.code {
            "token_expired" => DisconnectReason::Expired,
            "banned" => DisconnectReason::Banned,
            _ => DisconnectReason::Revoked,
        });
        return Err(refusal);
    }
    let lost = client.context.hub.reidentify(member, who, own).await?;
    for room in &lost {
        client.context.metrics.refused("socketio", "forbidden_room");
        let why = Error::new(
            "forbidden_room",
            format!("you are no longer in {room}: the new token doesn't allow it"),
        );
        notify_refusal(client, &why, Some(room));
    }
    Ok(answer(client, &lost))
}

fn answer(client: &Client, lost: &[Arc<str>]) -> Answer {
    let who = client.who();
    let authentication = if who.token.is_some() { "on" } else { "off" };
    json!({
        "role": who.role,
        "user": who.user,
        "expires_at": who.expires.map(Timestamp::from),
        "rooms_left": lost,
        "authentication": authentication,
    })
    .into()
}
