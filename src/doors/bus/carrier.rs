//! The way of a message that was read: within the scope it becomes an emission, an event of agents, or an operation.
//!
//! Messages are carried on in the order in which they came.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    counters::BusCounters,
    message::{Broadcast, Message, Operation},
    operate::operate,
    options::BusOptions,
    refusal::Refusal,
    scope::Scope,
    targets::BusTargets,
};
use crate::{
    emission::{Emission, EmissionLimits, Parts},
    error::Error,
    intake::{Producer, Raw, Receipt},
    journal::FlowId,
    pattern::BadPattern,
};

/// The wait before something that the server could not take is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A message, read or refused.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) message: Result<Message, Refusal>,
    /// The id by which a repetition is known; channels have none.
    pub(super) id: Option<String>,
}

/// Carries messages on.
#[derive(Debug)]
pub(super) struct Carrier {
    targets: BusTargets,
    scope: Scope,
    limits: EmissionLimits,
    name: String,
    verified: Arc<str>,
    flow: FlowId,
    counters: BusCounters,
}

/// Things of one kind in a row.
#[derive(Debug)]
enum Step {
    Emissions(Vec<Result<Emission, Error>>),
    Events(Vec<Raw>),
    Operation(Operation),
}

impl Carrier {
    pub(super) fn new(
        targets: BusTargets,
        options: &BusOptions,
        flow: FlowId,
        counters: BusCounters,
    ) -> Result<Self, BadPattern> {
        Ok(Self {
            targets,
            scope: Scope::new(options)?,
            limits: options.emissions,
            name: options.name.clone(),
            verified: format!("bus:{}", options.name).into(),
            flow,
            counters,
        })
    }

    /// Carries messages on. Those that the server can't take now are lost, and counted.
    pub(super) async fn carry(&self, arrivals: Vec<Arrival>) {
        for step in self.steps(arrivals) {
            match step {
                Step::Emissions(emissions) => {
                    let taken = self.targets.emitter.emit(emissions, self.producer()).await;
                    self.count(taken);
                }
                Step::Events(events) => {
                    let taken = self.targets.intake.publish(events, self.producer()).await;
                    self.count(taken);
                }
                Step::Operation(operation) => self.operate(operation).await,
            }
        }
    }

    /// Carries messages on; while the server can't take one, it waits.
    pub(super) async fn carry_surely(&self, arrivals: Vec<Arrival>) {
        for step in self.steps(arrivals) {
            match step {
                Step::Emissions(emissions) => loop {
                    // An id makes what was taken already a repetition.
                    let emissions = emissions.clone();
                    let taken = self.targets.emitter.emit(emissions, self.producer()).await;
                    if self.is_settled(taken).await {
                        break;
                    }
                },
                Step::Events(events) => loop {
                    let events = events.clone();
                    let taken = self.targets.intake.publish(events, self.producer()).await;
                    if self.is_settled(taken).await {
                        break;
                    }
                },
                Step::Operation(operation) => self.operate(operation).await,
            }
        }
    }

    async fn operate(&self, operation: Operation) {
        let done = operate(operation, &self.scope, &self.targets, self.producer()).await;
        if let Err((reason, why)) = done {
            self.counters.refused(reason, &why);
        }
    }

    fn producer(&self) -> Producer<'_> {
        Producer {
            name: &self.name,
            door: "bus",
            permissions: &self.targets.permissions,
            within: None,
            verified: &self.verified,
            trace: None,
            flow: self.flow,
            connection: None,
        }
    }

    /// Sorts messages into steps, without a change of their order, and counts those that are refused.
    fn steps(&self, arrivals: Vec<Arrival>) -> Vec<Step> {
        let mut steps = Vec::new();
        for Arrival { message, id } in arrivals {
            match message {
                Err(refusal) => self.counters.refused(refusal.reason(), &refusal),
                Ok(Message::Operation(operation)) => steps.push(Step::Operation(operation)),
                Ok(Message::Emit(broadcast)) => {
                    if broadcast.asks_ack {
                        self.counters.unanswered();
                    }
                    match self.scope.is_out_of(&broadcast) {
                        Some((key, name)) => self
                            .counters
                            .refused("scope", &format!("{name:?} is not among [bus] {key}")),
                        None => self.place(broadcast, id, &mut steps),
                    }
                }
            }
        }
        steps
    }

    fn place(&self, broadcast: Broadcast, id: Option<String>, steps: &mut Vec<Step>) {
        if self.scope.is_event(&broadcast.event) {
            let event = event(&broadcast, id);
            match steps.last_mut() {
                Some(Step::Events(events)) => events.push(event),
                _ => steps.push(Step::Events(vec![event])),
            }
            return;
        }
        let emission = self.emission(broadcast, id);
        match steps.last_mut() {
            Some(Step::Emissions(emissions)) => emissions.push(emission),
            _ => steps.push(Step::Emissions(vec![emission])),
        }
    }

    fn emission(&self, broadcast: Broadcast, id: Option<String>) -> Result<Emission, Error> {
        let keep = self.scope.is_kept(&broadcast.event);
        let parts = Parts {
            namespace: &broadcast.namespace,
            event: broadcast.event,
            args: &format!("[{}]", broadcast.args),
            attachments: broadcast.attachments,
            rooms: broadcast.rooms,
            except: broadcast.except,
            // Kept emissions come to everyone, if later.
            volatile: broadcast.volatile && !keep,
            keep,
            id,
        };
        let limits = match keep {
            true => self.targets.emitter.options().limits,
            false => self.limits,
        };
        Emission::of_parts(parts, &limits)
    }

    /// Counts what was not taken.
    fn count(&self, taken: Result<Receipt, Error>) {
        match taken {
            Ok(receipt) => {
                for rejected in receipt.rejected {
                    let error = rejected.error;
                    self.counters.refused(error.code, &error.message);
                }
            }
            Err(error) => self.counters.refused(error.code, &error.message),
        }
    }

    /// Whether nothing is left that the server may take later; otherwise waits for a moment.
    async fn is_settled(&self, taken: Result<Receipt, Error>) -> bool {
        let waits = |error: &Error| matches!(error.code, "overloaded" | "unavailable");
        let again = match &taken {
            Ok(receipt) => receipt.rejected.iter().any(|one| waits(&one.error)),
            Err(error) => waits(error),
        };
        if again {
            tokio::time::sleep(RETRY_DELAY).await;
        } else {
            self.count(taken);
        }
        !again
    }
}

/// An event of agents: the one argument is its data, or the event itself where it names its type.
fn event(broadcast: &Broadcast, id: Option<String>) -> Raw {
    let args: Vec<Value> =
        serde_json::from_str(&format!("[{}]", broadcast.args)).unwrap_or_default();
    let mut event = match args.into_iter().next() {
        Some(Value::Object(whole))
            if whole.contains_key("event_type")
                || (whole.contains_key("type") && whole.contains_key("data")) =>
        {
            Value::Object(whole)
        }
        Some(data) => json!({ "type": broadcast.event, "data": data }),
        None => json!({ "type": broadcast.event }),
    };
    if let (Some(id), Some(fields)) = (id, event.as_object_mut()) {
        let has_own = fields.contains_key("id") || fields.contains_key("event_id");
        if !has_own {
            fields.insert("id".into(), id.into());
        }
    }
    Raw::Json(event, None)
}
