//! The questions as doors get at them: the parts that answers and waiting requests have in common.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{answering::Answering, places::Places};
use crate::{error::Error, hub::HubHandle, intake::Intake, observe::Metrics};

/// The parts that questions need of the server, and their limits.
#[derive(Debug)]
pub(crate) struct InputsContext {
    /// Knows the state, and wakes those that wait.
    pub(crate) hub: HubHandle,
    /// Takes the events of answers.
    pub(crate) intake: Arc<Intake>,
    /// Bytes of an answer.
    pub(crate) max_answer: usize,
    /// The most clients that wait for answers, in all and of one caller.
    pub(crate) max_waits: (usize, usize),
    /// The longest time for which one request waits.
    pub(crate) max_wait: Duration,
}

/// The questions, as doors get at them.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(super) context: InputsContext,
    pub(super) answering: Answering,
    pub(super) places: Places,
    pub(super) answered: Counter,
}

impl Inputs {
    /// Questions; their counters are among `metrics`.
    pub(crate) fn new(context: InputsContext, metrics: &Metrics) -> Arc<Self> {
        let waiting = Gauge::default();
        let inputs = Self {
            places: Places::new(context.max_waits, waiting.clone()),
            context,
            answering: Answering::default(),
            answered: Counter::default(),
        };
        metrics.add(|registry| register(registry, &inputs.answered, waiting));
        Arc::new(inputs)
    }
}

fn register(registry: &mut Registry, answered: &Counter, waiting: Gauge) {
    registry.register(
        "inputs_answered",
        "Questions of agents that operators answered by the server",
        answered.clone(),
    );
    registry.register(
        "input_waits",
        "Requests that wait for the answer to a question",
        waiting,
    );
}

/// The refusal of a question that is not there for a client.
pub(super) fn unknown() -> Error {
    Error::new(
        "not_found",
        "no question of this request_id is known, or none that you may see: it was never asked, or it was forgotten long after its end; \
         GET /api/v1/events?type=input.* has all of them",
    )
}
