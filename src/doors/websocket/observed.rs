//! Server-sent events from these doors: the same members, whose queue is the body of an answer.

use std::{sync::Arc, time::Instant};

use axum::response::Response;
use http::Extensions;

use super::{context::Context, opening::Opening, served::Visitor};
use crate::{
    access::{Identity, authz::Origin},
    channel::Namespace,
    doors::{queue::ObserverQueue, sse},
    error::Error,
    net::PeerClosed,
    observe::ConnectionKind,
};

/// Makes the client a member, and answers with what it is sent.
///
/// # Errors
/// `unavailable` while the server goes down; those of a session that may not begin. They are counted here.
pub(super) async fn observe(
    context: &Context,
    door: &'static str,
    extensions: &Extensions,
    visitor: Visitor,
    opening: impl FnOnce(&Arc<str>, &Identity) -> Opening,
) -> Result<Response, Error> {
    let requested = Instant::now();
    let Visitor { who, address } = visitor;
    let id: Arc<str> = crate::event::mint_id().to_string().into();
    let opening = opening(&id, &who);
    let queue = ObserverQueue::new(
        opening.wire,
        context.options.max_bytes,
        context.metrics.sockets.clone(),
    );
    let hangup = extensions.get::<PeerClosed>();
    let ending = sse::Ending::new(queue.clone(), hangup.map(|PeerClosed(token)| token.clone()));
    let origin = Origin {
        client_id: id.clone(),
        transport: "sse",
        namespace: Namespace::Root.path(),
        address,
    };
    let (request, reply) = opening.into_join(requested, &id, &who, &queue);
    let joined = async {
        let membership = context.hub.join(request, reply).await?;
        let session = context.authenticator.begin(&origin, &who, &ending)?;
        Ok::<_, Error>((membership, session))
    };
    let joined = joined.await;
    let (membership, session) =
        joined.inspect_err(|refusal| context.metrics.turned_away(door, refusal))?;
    context.metrics.usage.came_by(door);
    let counted = context.metrics.client_begins(ConnectionKind {
        transport: "sse",
        door,
        role: who.role.as_str(),
    });
    let counts = (session, counted);
    let heartbeat = context.options.heartbeat;
    Ok(sse::response(queue, heartbeat, membership, counts, ending))
}
