//! A client of one of these doors, from its handshake to its membership.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Extensions, Request};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use super::{
    connected::{Connected, LAST_WORD, Stay},
    context::Context,
    ending::Ending,
    opening::Opening,
    protocol::Protocol,
    session::Session,
    socket::ClientSocket,
};
use crate::{
    access::{Identity, authz::Origin},
    channel::Namespace,
    config::Role,
    doors::{handshake::Handshake, peer, queue::ObserverQueue},
    error::Error,
    net::{ConnectionSlot, Socket},
    observe::ConnectionKind,
};

/// A client that was identified, before its handshake is answered.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) who: Identity,
    pub(super) address: IpAddr,
}

/// Identifies the client of a request at a door, and counts a refusal. Without a token the client has `role`.
///
/// # Errors
/// As the authenticator's; `rate_limited`; `unavailable` while the node is drained.
pub(super) async fn identify(
    context: &Context,
    door: &'static str,
    extensions: &Extensions,
    role: Role,
) -> Result<Visitor, Error> {
    context.drain.admit(door)?;
    let authenticator = &context.authenticator;
    let count = |refusal: &Error| context.metrics.turned_away(door, refusal);
    let (who, address) = peer::identify(authenticator, extensions, role)
        .await
        .inspect_err(count)?;
    authenticator
        .request(&who, address, true)
        .inspect_err(count)?;
    Ok(Visitor { who, address })
}

/// Answers the handshake, and serves the client in a task of its own.
pub(super) fn serve(
    context: Context,
    door: &'static str,
    mut request: Request<Body>,
    visitor: Visitor,
    opening: impl FnOnce(&Arc<str>, &Identity) -> Opening + Send + 'static,
    protocol: impl Protocol,
) -> Response {
    let answered = Handshake::read(&mut request).and_then(|mut handshake| {
        let compression = handshake.agree(request.headers(), context.options.compression.as_ref());
        Ok((handshake.accept()?, compression))
    });
    let ((response, on_upgrade), compression) = match answered {
        Ok(answered) => answered,
        Err((status, message)) => {
            context.metrics.turned_away(door, "bad_request");
            let mut response = Error::bad_request(message).into_response();
            *response.status_mut() = status;
            return response;
        }
    };
    let requested = Instant::now();
    let presence = request.extensions_mut().remove::<ConnectionSlot>();
    tokio::spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        let Some((socket, early)) = Socket::upgraded(upgraded) else {
            return;
        };
        let bounds = &context.options.bounds;
        let socket = ClientSocket::new(socket, early, bounds, compression).await;
        let socket = Box::new(socket);
        let client = Arriving {
            context,
            door,
            visitor,
            requested,
            _presence: presence,
        };
        let joined = Box::pin(client.join(socket, opening, protocol)).await;
        if let Some((connected, socket)) = joined {
            connected.run(socket).await;
        }
    });
    response
}

/// A client whose WebSocket is open and that is no member yet.
struct Arriving {
    context: Context,
    door: &'static str,
    visitor: Visitor,
    /// The time of the handshake.
    requested: Instant,
    /// The slot among the connections that its address has open behind a proxy.
    _presence: Option<ConnectionSlot>,
}

impl Arriving {
    /// Makes the client a member; `None` for one that is refused, and told so.
    async fn join<P: Protocol>(
        self,
        mut socket: Box<ClientSocket>,
        opening: impl FnOnce(&Arc<str>, &Identity) -> Opening,
        protocol: P,
    ) -> Option<(Box<Connected<P>>, Box<ClientSocket>)> {
        let Visitor { who, address } = self.visitor;
        let context = self.context;
        let id: Arc<str> = crate::event::mint_id().to_string().into();
        let opening = opening(&id, &who);
        let queue = ObserverQueue::with_manner(
            opening.wire,
            context.options.max_bytes,
            context.metrics.sockets.clone(),
            protocol.manner(&context),
        );
        let ending = Ending::new(queue.clone());
        let origin = Origin {
            client_id: id.clone(),
            transport: "websocket",
            namespace: Namespace::Root.path(),
            address,
        };
        let (request, reply) = opening.into_join(self.requested, &id, &who, &queue);
        let joined = async {
            let membership = context.hub.join(request, reply).await?;
            let listed = context.authenticator.begin(&origin, &who, &ending)?;
            Ok::<_, Error>((membership, listed))
        };
        let (membership, listed) = match joined.await {
            Ok(joined) => joined,
            Err(refusal) => {
                context.metrics.turned_away(self.door, &refusal);
                let frame = CloseFrame {
                    code: CloseCode::Policy,
                    reason: refusal.code.into(),
                };
                socket.close(frame, LAST_WORD).await;
                return None;
            }
        };
        context.metrics.usage.came_by(self.door);
        let meter = context.authenticator.meter(&who, address);
        let live = context.options.quota.live(address);
        let counted = context.metrics.client_begins(ConnectionKind {
            transport: "websocket",
            door: self.door,
            role: who.role.as_str(),
        });
        let session = Session {
            door: self.door,
            id,
            who,
            address,
            meter,
            queue,
            membership,
            context,
        };
        let stay = Stay {
            listed,
            _live: live,
            _counted: counted,
        };
        let connected = Connected::new(session, ending, protocol, stay);
        Some((Box::new(connected), socket))
    }
}
