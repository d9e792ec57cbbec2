//! State that the doors share, and their limits.

use std::{sync::Arc, time::Duration};

use super::socket::Bounds;
use crate::{
    access::Authenticator,
    breaker::Breakers,
    doors::{actions::Actions, admin::Controls, depths::Depths, figures::Figures},
    drain::Drain,
    error::Error,
    hub::HubHandle,
    intake::Intake,
    net::{Quota, deflate::Compression},
    observe::Metrics,
};

/// The limits of a client, the same at each of these doors.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes that may wait for the client; beyond it the client is parked.
    pub max_bytes: usize,
    /// The bounds of its WebSocket.
    pub bounds: Bounds,
    /// The compression of messages; none when it is switched off.
    pub compression: Option<Arc<Compression>>,
    /// The most rooms that a client may be in.
    pub max_rooms: usize,
    /// The interval of pings, and the time that an answer may take.
    pub ping: (Duration, Duration),
    /// The interval at which a quiet stream of server-sent events shows that it is alive.
    pub heartbeat: Duration,
    /// The shortest interval at which an operator is pushed figures.
    pub push_interval: Duration,
    /// Updates in one batch of the visualization, and the time that one may wait for others.
    pub batches: (usize, Duration),
    /// Counts sessions by address.
    pub quota: Arc<Quota>,
}

/// State that the doors share.
#[derive(Debug, Clone)]
pub struct Context {
    /// Delivers updates, and keeps the rooms.
    pub hub: HubHandle,
    /// Accepts events.
    pub intake: Arc<Intake>,
    /// Identifies clients.
    pub authenticator: Arc<Authenticator>,
    /// Actions on agents.
    pub(crate) actions: Arc<Actions>,
    /// Counts what clients do and what they are refused.
    pub metrics: Arc<Metrics>,
    /// The figures for operators.
    pub figures: Arc<Figures>,
    /// Sends clients elsewhere.
    pub drain: Arc<Drain>,
    /// The circuit breakers around outside parts.
    pub breakers: Breakers,
    /// Counts the updates that wait for clients of the visualization.
    pub depths: Depths,
    /// Limits of a client.
    pub options: Options,
}

impl Context {
    /// The parts that an admin's acts work on.
    pub(super) fn controls(&self) -> Controls<'_> {
        Controls {
            authenticator: &self.authenticator,
            breakers: &self.breakers,
            drain: &self.drain,
        }
    }

    /// The refusal of a request that is wrong, counted at its door.
    pub(super) fn bad_request(&self, door: &'static str, message: String) -> Error {
        let refusal = Error::bad_request(message);
        self.metrics.turned_away(door, &refusal);
        refusal
    }
}
