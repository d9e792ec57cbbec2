//! State that clients and their handlers share.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};

use super::actions::Actions;
use crate::{
    access::Authenticator,
    channel::Namespace,
    doors::socketio::engine::{
        CloseReason, LaneLimits,
        adapter::{EngineService, Locals, SocketIo},
        lanes::Lanes,
    },
    hub::HubHandle,
    intake::Intake,
    net::Quota,
    observe::Metrics,
    timestamp::Timestamp,
};

/// The namespace layer's part of the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// The room that everybody is in.
    pub default_room: String,
    /// Whether `batch` is honoured.
    pub batch: bool,
    /// Heartbeat: how often, and how long an answer may take.
    pub ping: (Duration, Duration),
    /// A session that joins no namespace for so long ends.
    pub connect_timeout: Duration,
    /// The largest message a client may send.
    pub max_payload: usize,
    /// Bounds on what a client may cost.
    pub lane: LaneLimits,
    /// The most rooms that a client may ask to be in.
    pub max_rooms: usize,
    /// Bytes of one part of a snapshot; an answer is no longer either.
    pub snapshot_part: usize,
    /// The time that a producer has to answer an action.
    pub action_timeout: Duration,
    /// Counts sessions by address.
    pub quota: Arc<Quota>,
    /// The most actions of one operator that may be unanswered, and their bytes.
    pub max_actions: (usize, usize),
}

/// State that clients and their handlers share.
pub struct DoorContext {
    /// The ordered loop.
    pub(super) hub: HubHandle,
    /// The way in.
    pub(super) intake: Arc<Intake>,
    /// Authenticates clients.
    pub(super) authenticator: Arc<Authenticator>,
    /// Refusals are counted.
    pub(super) metrics: Arc<Metrics>,
    /// The configuration's part.
    pub(super) options: Options,
    /// All lanes.
    pub(super) lanes: Lanes,
    /// Actions, and who may perform them.
    pub(super) actions: Actions,
    /// The engine's own way to a client.
    pub(super) locals: Locals,
    /// Set once the engine exists; it is made of handlers that hold this context.
    pub(super) engine: OnceLock<(SocketIo, EngineService)>,
}

impl fmt::Debug for DoorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorContext")
    }
}

impl DoorContext {
    /// The engine, once it is there.
    pub(super) fn service(&self) -> Option<&EngineService> {
        self.engine.get().map(|(_, service)| service)
    }

    /// Tells everybody that the server goes down, and ends every connection.
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
