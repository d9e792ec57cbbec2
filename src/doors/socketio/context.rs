//! State that clients and their handlers share.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    admin_ui::AdminUi,
    here::{Here, RecoveryOptions},
};
use crate::{
    access::Authenticator,
    breaker::Breakers,
    channel::Namespace,
    config,
    doors::{
        actions::Actions,
        admin::Controls,
        backend::{Backend, SessionBounds},
        nodes::AllNodes,
        operations::Operations,
        socketio::engine::{
            CloseReason, LaneLimits,
            adapter::{EngineService, Locals, SocketIo},
            lanes::Lanes,
        },
    },
    drain::Drain,
    emitter::Emitter,
    hub::HubHandle,
    intake::Intake,
    net::{Quota, deflate::Compression},
    observe::Metrics,
    timestamp::Timestamp,
};

/// The options of the namespace layer.
#[derive(Debug, Clone)]
pub struct Options {
    /// The room of all clients.
    pub default_room: String,
    /// Whether clients may ask for `batch`.
    pub batch: bool,
    /// The interval of heartbeats, and the time that an answer may take.
    pub ping: (Duration, Duration),
    /// The time after which a session ends that has joined no namespace.
    pub connect_timeout: Duration,
    /// The largest message a client may send.
    pub max_payload: usize,
    /// Bounds on each client's lane.
    pub lane: LaneLimits,
    /// The most rooms that a client may ask to be in.
    pub max_rooms: usize,
    /// Bytes of one part of a snapshot; an answer is no longer either.
    pub snapshot_part: usize,
    /// The namespaces of applications that clients may join.
    pub namespaces: Vec<Namespace>,
    /// Counts sessions by address.
    pub quota: Arc<Quota>,
    /// The login of Socket.IO's Admin UI.
    pub admin_ui: config::AdminUi,
    /// The compression of messages; none when it is switched off.
    pub compression: Option<Arc<Compression>>,
    /// The application's service, if there is one.
    pub(crate) backend: Option<Arc<Backend>>,
    /// The sessions that clients come back to.
    pub recovery: RecoveryOptions,
    /// Carries out what the application wants done.
    pub(crate) operations: Arc<Operations>,
    /// Sends clients elsewhere.
    pub drain: Arc<Drain>,
    /// The nodes that share the journal.
    pub(crate) nodes: Arc<AllNodes>,
    /// The bounds of session data.
    pub(crate) sessions: Arc<SessionBounds>,
}

/// State that clients and their handlers share.
pub struct DoorContext {
    pub(super) hub: HubHandle,
    pub(super) intake: Arc<Intake>,
    pub(super) emitter: Emitter,
    pub(super) authenticator: Arc<Authenticator>,
    /// Admins look at them, and close them.
    pub(super) breakers: Breakers,
    pub(super) metrics: Arc<Metrics>,
    pub(super) options: Options,
    pub(super) lanes: Lanes,
    /// Actions in flight, and the clients that may perform them.
    pub(super) actions: Arc<Actions>,
    /// Socket.IO's Admin UI.
    pub(super) admin_ui: Arc<AdminUi>,
    /// The clients that could come back to their sessions.
    pub(super) here: Here,
    /// The engine's own way to a client.
    pub(super) locals: Locals,
    /// Set once the engine exists, which is made of handlers that hold this context.
    pub(super) engine: OnceLock<(SocketIo, EngineService)>,
}

impl fmt::Debug for DoorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorContext")
    }
}

impl DoorContext {
    /// The engine, once it exists.
    pub(super) fn service(&self) -> Option<&EngineService> {
        self.engine.get().map(|(_, service)| service)
    }

    /// The parts that an admin's acts work on.
    pub(super) fn controls(&self) -> Controls<'_> {
        Controls {
            authenticator: &self.authenticator,
            breakers: &self.breakers,
            drain: &self.options.drain,
        }
    }

    /// The namespace at a path that clients may join.
    pub(super) fn namespace(&self, path: &str) -> Option<Namespace> {
        let declared = &self.options.namespaces;
        Namespace::at(path).filter(|n| !n.is_app() || declared.contains(n))
    }

    /// Tells every client that the server goes down, and ends every connection.
    pub async fn shutdown(&self) {
        let body = json!({
            "type": "system_notification", "level": "warning", "timestamp": Timestamp::now(),
            "message": "the server is going down; clients reconnect by themselves",
        });
        if let Value::Object(body) = body {
            self.hub
                .notify_all(Namespace::Root, "system_notification", body)
                .await;
        }
        self.hub.stop().await;
        self.lanes.drain().await;
        self.lanes.kill_all(CloseReason::Shutdown);
    }
}
