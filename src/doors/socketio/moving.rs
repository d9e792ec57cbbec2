//! A session that began with polling and goes on without the engine (`engine/successor.rs`).

use std::sync::Arc;

use socketioxide::socket::Sid;

use super::{
    admission::Requested,
    client::Client,
    context::DoorContext,
    engine::{Counted, Door, ExpressLane, Source, Successor},
    websocket::Session,
};
use crate::channel::{Namespace, PerNamespace};

/// A session that is to leave the engine.
#[derive(Debug)]
pub(super) struct Moving {
    /// The id of the session, in the engine and after it.
    sid: Sid,
    context: Arc<DoorContext>,
    lane: Arc<ExpressLane>,
    /// The client on each namespace that it is on.
    clients: PerNamespace<Option<Arc<Client>>>,
    /// The session's request, as the engine has kept it.
    requested: Option<Requested>,
}

impl Moving {
    /// The successor of the engine for a session.
    pub(super) fn of(door: &Door, sid: Sid, lane: &Arc<ExpressLane>) -> Box<dyn Successor> {
        Box::new(Self {
            sid,
            context: door.context.clone(),
            lane: lane.clone(),
            clients: PerNamespace::default(),
            requested: None,
        })
    }
}

impl Successor for Moving {
    fn take_clients(&mut self) -> bool {
        let Some((engine, _)) = self.context.engine.get() else {
            return false;
        };
        let declared = &self.context.options.namespaces;
        for namespace in Namespace::OWN.iter().chain(declared).copied() {
            let sockets = engine.of(namespace.path());
            let socket = sockets.and_then(|sockets| sockets.get_socket(self.sid));
            let Some(socket) = socket else { continue };
            let Some(client) = socket.extensions.get::<Arc<Client>>() else {
                continue;
            };
            // One that has left is still listed until its handler has run.
            if !client.served.leave_engine(|| socket.connected()) {
                continue;
            }
            let request = socket.req_parts();
            let headers = self.context.shown(&request.headers);
            // The bytes of the request's own address are a part of the buffer into which HTTP read all of it.
            let uri = request.uri.to_string().parse().unwrap_or_default();
            self.requested = Some(Requested::of(uri, &request.extensions, true, headers));
            *self.clients.of(namespace) = Some(client);
        }
        self.requested.is_some()
    }

    fn go_on(self: Box<Self>, source: Source, counted: Counted) {
        let Some(requested) = self.requested else {
            return;
        };
        self.lane.without_engine();
        let session = Session::new(
            self.sid,
            self.context,
            self.lane,
            source,
            requested,
            counted,
        );
        tokio::spawn(session.go_on(self.clients));
    }
}
