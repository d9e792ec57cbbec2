//! State that the handlers share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{foreign::Threads, hooks::Hooks, otlp::Spans, rendering::Renderings};
use crate::{
    access::Authenticator,
    breaker::Breakers,
    channel::Namespace,
    cluster::Cluster,
    doors::{
        admin::Controls, backend::Backend, bus::BusCounters, figures::Figures, inputs::Inputs,
        nodes::AllNodes, operations::Operations,
    },
    drain::Drain,
    emitter::Emitter,
    hub::HubHandle,
    intake::Intake,
    net::BodyLimits,
    observe::Metrics,
};

/// State that the handlers share.
#[derive(Debug, Clone)]
pub struct Api {
    /// Answers what clients see.
    pub hub: HubHandle,
    /// Accepts events.
    pub intake: Arc<Intake>,
    /// Accepts emissions.
    pub emitter: Emitter,
    /// Shown at `/metrics`; handlers count refusals in it.
    pub metrics: Arc<Metrics>,
    /// Identifies clients.
    pub authenticator: Arc<Authenticator>,
    /// Sends clients elsewhere.
    pub drain: Arc<Drain>,
    /// The nodes that share the journal.
    pub(crate) nodes: Arc<AllNodes>,
    /// The circuit breakers around outside parts.
    pub breakers: Breakers,
    /// Asked by `/readyz`.
    pub readiness: Arc<Readiness>,
    /// Streams of other systems that go on in further bodies.
    pub threads: Arc<Threads>,
    /// Renderings of the state that are being sent.
    pub renderings: Arc<Renderings>,
    /// Limits on streams.
    pub stream: StreamOptions,
    /// Limits on request bodies.
    pub body: BodyLimits,
    /// The figures for operators.
    pub figures: Arc<Figures>,
    /// The memories of exporters' spans.
    pub spans: Arc<Spans>,
    /// The sessions of Claude that tell of themselves.
    pub hooks: Arc<Hooks>,
    /// The state of the bus, if there is one.
    pub bus: Option<BusCounters>,
    /// The link with the other nodes.
    pub cluster: Cluster,
    /// Questions of agents to people.
    pub(crate) inputs: Arc<Inputs>,
    /// Carries out what an application wants done.
    pub(crate) operations: Arc<Operations>,
    /// The application's service, if there is one: it proves itself by its signature.
    pub(crate) backend: Option<Arc<Backend>>,
}

impl Api {
    /// The parts that an admin's acts work on.
    pub(super) fn controls(&self) -> Controls<'_> {
        Controls {
            authenticator: &self.authenticator,
            breakers: &self.breakers,
            drain: &self.drain,
        }
    }

    /// The limits on bodies that hold emissions: there is room for one of the largest.
    pub(super) fn emission_body(&self) -> BodyLimits {
        let mut limits = self.body.clone();
        let largest = self.emitter.options().limits.max_text();
        if largest > limits.max {
            (limits.max, limits.max_key) = (largest, "twice [emit] max_bytes");
        }
        limits
    }
}

/// Whether the server takes new work.
#[derive(Debug, Default)]
pub struct Readiness {
    stopping: AtomicBool,
}

impl Readiness {
    /// Refuses new work from now on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the server goes down.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Limits on a stream, as on a Socket.IO client.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// The room of all clients.
    pub default_room: String,
    /// The namespaces of applications.
    pub namespaces: Vec<Namespace>,
    /// The most rooms that a stream may ask for.
    pub max_rooms: usize,
    /// Bytes that may wait for the client.
    pub max_bytes: usize,
    /// The interval at which a quiet stream shows that it is alive.
    pub heartbeat: Duration,
}
