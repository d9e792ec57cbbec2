//! The way of an emission from whoever emits it: rights, ids, order, and then to the hub or into the journal.
//!
//! ```text
//!  emissions ─▶ rights ─▶ ids ─┬─▶ keep: journal ─▶ hub plans it as an update
//!                              └─▶ else: hub, after all that the sender published before; the same on all nodes
//! ```
//!
//! Doors, and the server's own callers, have a clone of the [`Emitter`]. The order of a call is that of its list, and calls
//! have the order in which they are made, if one is made after the other.

mod elsewhere;
mod known_ids;
mod own_names;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    access::authz::room_name,
    cluster::Cluster,
    emission::{Emission, EmissionLimits},
    error::Error,
    hub::{Emit, HubHandle, InFlight},
    intake::{Intake, Placed, Producer, Raw, Receipt, RejectedAt},
    journal::FlowId,
    observe::Metrics,
};
pub use elsewhere::Elsewhere;
use known_ids::KnownIds;

/// The settings of an emitter.
#[derive(Debug, Clone, Copy)]
pub struct EmitterOptions {
    /// The limits on one emission.
    pub limits: EmissionLimits,
    /// Ids that are remembered of each sender, for emissions that are not kept.
    pub max_ids: usize,
    /// The most emissions in one call.
    pub max_batch: usize,
    /// The limits on emissions of other nodes.
    pub elsewhere: ElsewhereLimits,
}

/// The limits on emissions of other nodes.
#[derive(Debug, Clone, Copy)]
pub struct ElsewhereLimits {
    /// Bytes that may wait.
    pub max_held: usize,
    /// The time for which one may wait.
    pub max_hold: Duration,
}

/// Takes emissions from all doors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Emitter(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    hub: HubHandle,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    options: EmitterOptions,
    cluster: Cluster,
    /// Emissions of other nodes that are not queued for their clients yet.
    held: InFlight,
    ids: Mutex<KnownIds>,
}

impl Emitter {
    /// An emitter before the hub and the journal.
    pub fn new(
        hub: HubHandle,
        intake: Arc<Intake>,
        metrics: Arc<Metrics>,
        options: EmitterOptions,
        cluster: Cluster,
    ) -> Self {
        Self(Arc::new(Parts {
            hub,
            intake,
            metrics,
            options,
            cluster,
            held: InFlight::new(options.elsewhere.max_held),
            ids: Mutex::new(KnownIds::new(options.max_ids)),
        }))
    }

    /// The settings.
    pub fn options(&self) -> EmitterOptions {
        self.0.options
    }

    /// Takes emissions in the order of the list: those to be kept are in the journal when this returns, and the others
    /// are with the hub. One that could not be read is rejected at its place.
    ///
    /// # Errors
    /// As [`Intake::publish`], when the emissions are to be kept and none could be.
    pub async fn emit(
        &self,
        emissions: Vec<Result<Emission, Error>>,
        producer: Producer<'_>,
    ) -> Result<Receipt, Error> {
        let mut receipt = Receipt::default();
        let mut kept = Kept::default();
        for (index, emission) in emissions.into_iter().enumerate() {
            match emission.and_then(|emission| self.admit(emission, producer)) {
                Ok(emission) if emission.keep => kept.add(index, emission),
                Ok(emission) => {
                    self.keep(&mut kept, producer, &mut receipt).await?;
                    self.send(emission, producer, &mut receipt).await;
                }
                Err(error) => {
                    self.0.metrics.rejected(producer.door, &error);
                    receipt.rejected.push(RejectedAt { index, error });
                }
            }
        }
        self.keep(&mut kept, producer, &mut receipt).await?;
        receipt.rejected.sort_by_key(|rejected| rejected.index);
        receipt.duplicate =
            receipt.accepted == 0 && receipt.duplicates > 0 && receipt.rejected.is_empty();
        Ok(receipt)
    }

    /// Gives emissions that are all to be kept their places in the order; the answer says when they are kept. One that
    /// could not be read, or may not be emitted, is rejected at its place.
    ///
    /// # Errors
    /// As [`Intake::place`].
    pub async fn place<'e>(
        &'e self,
        emissions: Vec<Result<Emission, Error>>,
        producer: Producer<'_>,
    ) -> Result<Placed<'e>, Error> {
        let raws = emissions.into_iter().map(|emission| {
            match emission.and_then(|emission| self.admit(emission, producer)) {
                Ok(emission) => Raw::Emission(Box::new(emission)),
                Err(error) => Raw::Bad(error),
            }
        });
        self.0.intake.place(raws.collect(), producer).await
    }

    /// Journals the emissions that are to be kept, as one call of the intake.
    async fn keep(
        &self,
        kept: &mut Kept,
        producer: Producer<'_>,
        receipt: &mut Receipt,
    ) -> Result<(), Error> {
        let Kept { raws, indices } = std::mem::take(kept);
        if raws.is_empty() {
            return Ok(());
        }
        let part = match self.0.intake.publish(raws, producer).await {
            Ok(part) => part,
            // Emissions before this one are sent or kept already, so the caller has to be told of them.
            Err(error) if receipt.accepted + receipt.duplicates > 0 => {
                receipt
                    .rejected
                    .extend(indices.into_iter().map(|index| RejectedAt {
                        index,
                        error: error.clone(),
                    }));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.0.metrics.emissions.accepted(true, part.accepted);
        receipt.accepted += part.accepted;
        receipt.duplicates += part.duplicates;
        receipt.conflicts += part.conflicts;
        receipt.cursor = part.cursor.or(receipt.cursor.take());
        let rejected = part.rejected.into_iter();
        receipt.rejected.extend(rejected.filter_map(|rejected| {
            Some(RejectedAt {
                index: *indices.get(rejected.index)?,
                ..rejected
            })
        }));
        Ok(())
    }

    /// Checks that a producer may emit this, and names its rooms as the hub does.
    fn admit(&self, mut emission: Emission, producer: Producer<'_>) -> Result<Emission, Error> {
        own_names::check(&emission, producer.permissions.is_limited())?;
        let names = emission.rooms.iter_mut().chain(&mut emission.except);
        for name in names.filter(|name| name.contains('%')) {
            *name = room_name::canonical(name).into_owned();
        }
        producer
            .permissions
            .may_emit(emission.rooms.iter().map(String::as_str))?;
        Ok(emission)
    }

    /// Hands an emission that is not kept to the hub, as soon as there is room for it.
    async fn send(&self, emission: Emission, producer: Producer<'_>, receipt: &mut Receipt) {
        let bytes = emission.held();
        let in_flight = self.0.intake.in_flight();
        let flying = match in_flight.try_take(producer.flow, bytes) {
            Some(flying) => flying,
            None => {
                self.0.metrics.emissions.waited();
                in_flight.take(producer.flow, bytes).await
            }
        };
        let cluster = &self.0.cluster;
        if cluster.has_others() {
            cluster.room(bytes).await;
        }
        let room = self.0.hub.room_to_emit().await;
        // Nothing is awaited from here on: a caller that goes away meanwhile would leave an id for an emission that nobody got.
        if let Some(id) = &emission.id
            && !self.is_new(producer.flow, id)
        {
            self.0.metrics.emissions.duplicate();
            receipt.duplicates += 1;
            return;
        }
        let after = self.0.intake.last_place(producer.flow);
        let is_limited = producer.permissions.is_limited();
        if cluster.has_others() {
            self.tell(&emission, producer.flow, after, is_limited);
        }
        let emit = Emit::new(emission, producer.flow, after, flying).skipping_own_rooms(is_limited);
        if let Some(room) = room {
            room.emit(emit);
        }
        self.0.metrics.emissions.accepted(false, 1);
        self.0.metrics.attempts.succeed(1);
        receipt.accepted += 1;
    }

    /// Whether a sender has not used an id lately; it has used it from now on.
    fn is_new(&self, sender: FlowId, id: &str) -> bool {
        let mut ids = self.0.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.is_new(sender, id)
    }
}

/// Emissions in a row that are to be kept, with their indices in the call.
#[derive(Debug, Default)]
struct Kept {
    raws: Vec<Raw>,
    indices: Vec<usize>,
}

impl Kept {
    fn add(&mut self, index: usize, emission: Emission) {
        self.indices.push(index);
        self.raws.push(Raw::Emission(Box::new(emission)));
    }
}
