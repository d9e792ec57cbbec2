//! State that the handlers share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::rendering::Renderings;
use crate::{
    access::Authenticator, hub::HubHandle, intake::Intake, net::BodyLimits, observe::Metrics,
};

/// State that the handlers share.
#[derive(Debug, Clone)]
pub struct Api {
    /// The ordered loop.
    pub hub: HubHandle,
    /// The way in.
    pub intake: Arc<Intake>,
    /// For `/metrics`, and refusals are counted.
    pub metrics: Arc<Metrics>,
    /// Authenticates clients.
    pub authenticator: Arc<Authenticator>,
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// The answers with the state that are being given.
    pub renderings: Arc<Renderings>,
    /// Limits on streams.
    pub stream: StreamOptions,
    /// Limits on request bodies.
    pub body: BodyLimits,
}

/// Whether the server takes new work.
#[derive(Debug, Default)]
pub struct Readiness {
    /// It is going down.
    stopping: AtomicBool,
}

impl Readiness {
    /// It goes down from now on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether it goes down.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Limits on a stream, as on a Socket.IO client.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// The room that everybody is in.
    pub default_room: String,
    /// The most rooms that may be asked for.
    pub max_rooms: usize,
    /// Bytes that may wait.
    pub max_bytes: usize,
    /// The interval at which a quiet stream shows that it is alive.
    pub heartbeat: Duration,
}
