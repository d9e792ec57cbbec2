//! The events of a call that have their places in the order, while the journal's answer is awaited.
//!
//! ```text
//!  raw events ─▶ Intake::place: read, settled, handed over ─▶ Placed ─▶ Placed::kept: the receipt
//! ```
//!
//! Calls have the order in which they are placed, whatever the order of their answers. So a door places one call after the
//! other, and need not wait for an answer before it places the next.

use smallvec::SmallVec;
use tracing::instrument::Instrumented;

use super::{last_places::LastPlaces, receipt::Receipt, unkept::Unkept};
use crate::{
    backlog::Place,
    delivery::Cursor,
    error::Error,
    journal::{Appending, FlowId, Journal, Outcome},
    observe::Metrics,
};

/// The families of a call's events; most calls have one event.
pub(super) type Families = SmallVec<[&'static str; 4]>;

/// A call that has its place in the order. Dropping it says that its events need not be kept.
#[derive(Debug)]
pub struct Placed<'i> {
    /// The receipt as far as it is known: the rejected events. An error when the call was refused as a whole.
    known: Result<Receipt, Error>,
    /// The events that the journal has still to keep.
    pub(super) waiting: Option<Waiting<'i>>,
}

/// The events of a call that the journal has still to keep.
pub(super) struct Waiting<'i> {
    pub(super) appending: Instrumented<Appending>,
    pub(super) unkept: Unkept<'i>,
    /// The call's place in the backlog of its producer.
    pub(super) place: Place,
    /// The families of the events, for the counters.
    pub(super) families: Families,
    /// The units that the whole call counts in the backlog, and its number of events.
    pub(super) cost: (usize, usize),
    /// About how many bytes the events hold until they are kept.
    pub(super) held: usize,
    /// The producer, and the last places of all.
    pub(super) flow: FlowId,
    pub(super) places: &'i LastPlaces,
    pub(super) door: &'static str,
    pub(super) journal: &'i dyn Journal,
    pub(super) metrics: &'i Metrics,
}

impl std::fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting")
            .field("events", &self.families.len())
            .finish_non_exhaustive()
    }
}

impl<'i> Placed<'i> {
    /// A call that is known to be refused, so that its answer comes in its turn.
    pub fn refused(error: Error) -> Self {
        Self {
            known: Err(error),
            waiting: None,
        }
    }

    /// A call with this receipt, once the journal has kept the rest.
    pub(super) fn new(known: Receipt, waiting: Option<Waiting<'i>>) -> Self {
        Self {
            known: Ok(known),
            waiting,
        }
    }

    /// About how many bytes its events hold until they are kept.
    pub fn held(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.held)
    }

    /// The receipt, when the events can no longer be lost. Nothing is lost when this is dropped and called again; once
    /// it has answered, it is not called again.
    ///
    /// # Errors
    /// The call was refused as a whole, or the journal can't keep any event now; then none was kept.
    pub async fn kept(&mut self) -> Result<Receipt, Error> {
        let outcomes = match &mut self.waiting {
            Some(waiting) => (&mut waiting.appending).await,
            None => Ok(Vec::new()),
        };
        let known = std::mem::replace(&mut self.known, Ok(Receipt::default()));
        match self.waiting.take() {
            Some(waiting) => Ok(waiting.receipt(&outcomes?, known?)),
            None => known,
        }
    }
}

impl Waiting<'_> {
    /// Counts the events that are kept, and completes the receipt.
    fn receipt(self, outcomes: &[Outcome], mut receipt: Receipt) -> Receipt {
        let Self {
            mut unkept, place, ..
        } = self;
        unkept.all_kept();
        let new = |o: &&Outcome| !matches!(o, Outcome::Duplicate(_));
        if let Some(last) = outcomes.iter().map(|outcome| outcome.seq()).max() {
            self.places.note(self.flow, last);
        }
        if let Some(last) = outcomes.iter().rfind(new) {
            let (cost, calls) = self.cost;
            let kept = outcomes.iter().filter(new).count();
            place.kept(last.seq(), share(cost, calls, kept));
        }
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|o| is(o)).count();
        receipt.duplicates = count(|o| matches!(o, Outcome::Duplicate(_)));
        receipt.conflicts = count(|o| matches!(o, Outcome::Conflict(_)));
        receipt.accepted = outcomes.len() - receipt.duplicates;
        receipt.duplicate = receipt.accepted == 0 && receipt.rejected.is_empty();
        receipt.cursor = outcomes
            .last()
            .map(|o| Cursor::of(self.journal, o.seq()).to_string());
        self.metrics.events(receipt.accepted, receipt.duplicates);
        let kept = self.families.into_iter().zip(outcomes);
        let kept = kept.filter(|(_, outcome)| new(outcome));
        self.metrics
            .families
            .kept(self.door, kept.map(|(family, _)| family));
        self.metrics.id_conflicts(receipt.conflicts);
        receipt
    }
}

/// The part of a call's cost that so many of its events have: the lengths of refused ones are not known one by one, so all
/// count alike.
pub(super) fn share(cost: usize, calls: usize, events: usize) -> usize {
    (cost * events).div_ceil(calls.max(1))
}
