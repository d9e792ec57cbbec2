//! The engine's own way to a client, for what the express lane can't carry: packets for polling sessions, and marks.
//!
//! socketioxide serialises each packet that it emits; Stoa has the JSON already. An adapter is the one place where a
//! ready packet can be handed to it, so this one adds nothing to the local adapter but a handle that outlives `new`.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use http::Request;
use socketioxide::{adapter::Emitter, service::SocketIoService, socket::Sid};
use socketioxide_core::{
    Str, Value,
    adapter::{BroadcastOptions, CoreAdapter, CoreLocalAdapter, DefinedAdapter, SocketEmitter},
    packet,
};
use tower::Service;

use crate::{
    channel::Namespace,
    doors::socketio::engine::{Engine, Frame, frame::Packet},
};

/// socketioxide's types with Stoa's adapter.
pub(in crate::doors::socketio) type SocketIo = socketioxide::SocketIo<Adapter>;
/// One namespace connection of a client.
pub(in crate::doors::socketio) type SocketRef = socketioxide::extract::SocketRef<Adapter>;
/// The engine as a tower service.
pub(in crate::doors::socketio) type EngineService = SocketIoService<NotFound, Adapter>;
type NotFound = engineioxide::service::NotFoundService;
type Local = CoreLocalAdapter<Emitter>;

/// The local adapters of all namespaces, by path.
#[derive(Clone, Default)]
pub(in crate::doors::socketio) struct Locals(Arc<Mutex<HashMap<String, Arc<Local>>>>);

impl fmt::Debug for Locals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locals")
    }
}

impl Locals {
    fn of(&self, namespace: Namespace) -> Option<Arc<Local>> {
        let locals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locals.get(namespace.path()).cloned()
    }
}

/// The local adapter, reachable from outside.
pub(in crate::doors::socketio) struct Adapter(Arc<Local>);

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adapter")
    }
}

impl CoreAdapter<Emitter> for Adapter {
    type Error = Infallible;
    type State = Locals;
    type AckStream = <Emitter as SocketEmitter>::AckStream;
    type InitRes = ();

    fn new(state: &Locals, local: Local) -> Self {
        let local = Arc::new(local);
        let mut locals = state.0.lock().unwrap_or_else(PoisonError::into_inner);
        locals.insert(local.path().to_string(), local.clone());
        Self(local)
    }

    fn init(self: Arc<Self>, on_success: impl FnOnce() + Send + 'static) {
        on_success();
    }

    async fn broadcast_with_ack(
        &self,
        packet: packet::Packet,
        opts: BroadcastOptions,
        timeout: Option<Duration>,
    ) -> Result<Self::AckStream, Infallible> {
        Ok(self.0.broadcast_with_ack(packet, opts, timeout).0)
    }

    fn get_local(&self) -> &Local {
        &self.0
    }
}

impl DefinedAdapter for Adapter {}

/// The engine's way to one session.
pub(in crate::doors::socketio) struct EngineSide {
    locals: Locals,
    /// The session's id, never shown: it is the only credential of a polling session.
    sid: Sid,
    /// Takes the request that closes a polling session.
    service: EngineService,
}

impl EngineSide {
    /// The engine's way to session `sid`.
    pub(in crate::doors::socketio) fn new(
        locals: Locals,
        sid: Sid,
        service: EngineService,
    ) -> Self {
        Self {
            locals,
            sid,
            service,
        }
    }
}

impl fmt::Debug for EngineSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineSide")
    }
}

impl Engine for EngineSide {
    fn send(&self, frame: &Frame) -> bool {
        let Some(local) = self.locals.of(frame.namespace()) else {
            return false;
        };
        let to = BroadcastOptions::new(self.sid);
        if frame.packet == Packet::Disconnect {
            return local.disconnect_socket(to).is_ok();
        }
        let attachments = match frame.packets() {
            1 => None,
            _ => Some(frame.attachments().into()),
        };
        let body = Value::Str(
            Str::from(String::from_utf8_lossy(frame.body()).into_owned()),
            attachments,
        );
        let path = Str::from(frame.namespace().path());
        let packet = match frame.packet {
            Packet::Event | Packet::Attaching(_) => packet::Packet::event(path, body),
            Packet::Asking(id) | Packet::AskingAttaching(id, _) => {
                // The packet's kind, with or without attachments, is found by its body.
                let mut packet = packet::Packet::event(path, body);
                packet.inner.set_ack_id(id);
                packet
            }
            // A client without a namespace gets no CONNECT_ERROR by polling.
            Packet::ConnectError => return false,
            Packet::Ack(id) | Packet::AckAttaching(id, _) => match i64::try_from(id) {
                Ok(id) => packet::Packet::ack(path, body, id),
                // The lane gives the engine no packet that it can't write.
                Err(_) => return true,
            },
            Packet::Disconnect => packet::Packet::disconnect(path),
        };
        local.broadcast(packet, to).is_ok()
    }

    /// Closes a polling session. The engine has no call for it, but the client may send a packet that closes its
    /// session, and so may the server in its name.
    fn close(&self) {
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        let Ok(request) = Request::post(uri).body(Body::from("1")) else {
            return;
        };
        let closing = Service::<Request<Body>>::call(&mut self.service.clone(), request);
        tokio::spawn(closing);
    }
}
