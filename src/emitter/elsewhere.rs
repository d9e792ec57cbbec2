//! Emissions that are not kept, on their way from the node that took them to all others.
//!
//! Each names the place after which it comes. The other nodes read the journal in their own time, so one that is not there yet
//! holds the emission until it is; so long, and so many bytes of one sender, as its limits say.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Emitter;
use crate::{
    cluster::FromNode,
    emission::Emission,
    hub::Emit,
    journal::{Epoch, FlowId, Journal, Seq},
};

/// The kind of the messages.
const KIND: &str = "emit";

/// An emission between nodes.
#[derive(Debug, Serialize, Deserialize)]
struct Told<T> {
    event: T,
    emission: Value,
    volatile: bool,
    id: Option<T>,
    /// The place after which it comes, and the epoch that names it.
    after: (u32, Seq),
    /// The sender.
    flow: (u64, u64),
    /// Whether the sender may not write to a client.
    skips_own_rooms: bool,
}

/// Emissions of other nodes on their way to the hub.
#[derive(Debug)]
pub struct Elsewhere(UnboundedReceiver<Emit>);

impl Emitter {
    /// Tells the other nodes an emission that was taken here.
    pub(super) fn tell(&self, emission: &Emission, flow: FlowId, after: Seq, is_limited: bool) {
        let epoch = self.0.intake.journal().epoch_at(after);
        let told = Told {
            event: emission.event.as_str(),
            emission: emission.to_stored(),
            volatile: emission.volatile,
            id: emission.id.as_deref(),
            after: (epoch.0, after),
            flow: (flow.turn, flow.producer),
            skips_own_rooms: is_limited,
        };
        if let Err(error) = self.0.cluster.tell(KIND, &told) {
            tracing::debug!(%error, "an emission is not told to the other nodes");
        }
    }

    /// Takes the emissions of other nodes from now on, and hands them to [`Elsewhere::run`].
    pub fn take_elsewhere(&self) -> Elsewhere {
        let (taken, arrivals) = unbounded_channel();
        let emitter = self.clone();
        self.0.cluster.on_told(KIND, move |from, body| {
            emitter.arrived(from, body, &taken);
        });
        Elsewhere(arrivals)
    }

    /// Returns when nothing waits any more of what a sender on another node emitted; after a while in any case.
    pub(crate) async fn landed_elsewhere(&self, from: &FromNode, sender: FlowId) {
        let landed = self.0.held.landed(flow_elsewhere(from, sender));
        let most = self.0.options.elsewhere.max_hold;
        tokio::time::timeout(most, landed).await.ok();
    }

    fn arrived(&self, from: &FromNode, body: &RawValue, taken: &UnboundedSender<Emit>) {
        let cluster = &self.0.cluster;
        let told = serde_json::from_str::<Told<String>>(body.get()).ok();
        let Some((emission, told)) = told.and_then(read) else {
            return cluster.dropped("malformed");
        };
        let sender = FlowId {
            turn: told.flow.0,
            producer: told.flow.1,
        };
        // The sender may have tried here as well.
        if let Some(id) = &emission.id
            && !self.is_new(sender, id)
        {
            return self.0.metrics.emissions.duplicate();
        }
        let flow = flow_elsewhere(from, sender);
        // The bytes that may wait bound the channel.
        let Some(flying) = self.0.held.try_take(flow, emission.held()) else {
            return cluster.dropped("held");
        };
        let after = place(&**self.0.intake.journal(), told.after);
        let emit = Emit::new(emission, flow, after, flying)
            .skipping_own_rooms(told.skips_own_rooms)
            .of_other_node(Instant::now() + self.0.options.elsewhere.max_hold);
        taken.send(emit).ok();
    }
}

impl Elsewhere {
    /// Hands emissions of other nodes to the hub, in their order. Never returns.
    pub async fn run(mut self, emitter: Emitter) {
        while let Some(emit) = self.0.recv().await {
            if let Some(room) = emitter.0.hub.room_to_emit().await {
                room.emit(emit);
            }
        }
        std::future::pending::<()>().await;
    }
}

fn read(mut told: Told<String>) -> Option<(Emission, Told<String>)> {
    let emission = Emission::of_stored(&told.event, told.emission.take())?;
    let emission = Emission {
        volatile: told.volatile,
        keep: false,
        id: told.id.take(),
        ..emission
    };
    Some((emission, told))
}

/// A sender on another node: here it has a line of its own.
fn flow_elsewhere(from: &FromNode, sender: FlowId) -> FlowId {
    let mut hasher = DefaultHasher::new();
    (&from.boot, sender).hash(&mut hasher);
    FlowId::alone(hasher.finish())
}

/// A place that another node names, as this node knows it: the engine may have lost it, and its event be put back elsewhere.
fn place(journal: &dyn Journal, (epoch, seq): (u32, Seq)) -> Seq {
    let epoch = Epoch(epoch);
    if epoch == journal.epoch() || journal.newest_of(epoch).is_none_or(|newest| newest >= seq) {
        return seq;
    }
    match journal.lost(epoch) {
        Some((common, way)) => way(seq).unwrap_or(common),
        None => journal.newest_of(epoch).unwrap_or(seq),
    }
}
