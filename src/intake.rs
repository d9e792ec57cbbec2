//! The one way in behind every door: raw JSON to events, events into the journal, an answer for the producer.

mod held_bytes;
mod last_places;
mod pipeline;
mod placed;
mod producer;
mod raw;
mod receipt;
mod refusing;
mod unkept;

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use serde_json::Value;
use tracing::Instrument;

use crate::{
    access::authz::Permissions,
    backlog::{Backlog, Place},
    error::Error,
    event::{self, Event},
    history::{Page, Query, Scans},
    hub::InFlight,
    journal::{Appending, Draft, Entry, FlowId, Journal, Seq},
    ledger::{Ledger, Speaker, Things},
    observe::{Metrics, traces},
    timestamp::Timestamp,
};

use held_bytes::HeldBytes;
use last_places::LastPlaces;
pub use pipeline::{Answered, Pipeline, PipelineLimits};
pub use placed::Placed;
use placed::{Families, Waiting as Appended, share};
pub use producer::{Producer, flow};
pub use raw::Raw;
pub use receipt::{Receipt, RejectedAt};
pub use refusing::Refusing;
use unkept::Unkept;

/// The longest time that a producer waits for the hub before it is told to come back later.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Events that are read before other tasks have their turn.
const AT_A_TURN: usize = 32;

/// The limits on published events.
#[derive(Debug, Clone, Copy)]
pub struct IntakeLimits {
    /// The most events that the hub may be behind before producers have to wait: this bounds the events that nobody was
    /// sent yet.
    pub max_lag: u64,
    /// Bytes that the events of waiting producers may hold.
    pub max_waiting: usize,
    /// The most events in one call.
    pub max_batch: usize,
    /// Bytes of one event.
    pub max_event: usize,
    /// Nesting of one event.
    pub max_depth: usize,
    /// The most values in one event: each costs far more memory than its text, and every reader has to walk over it.
    pub max_elements: usize,
    /// The most bytes of an id.
    pub max_id: usize,
    /// Bytes of emissions that may be in flight.
    pub max_in_flight: usize,
    /// The calls of one producer that may wait for their answers.
    pub unanswered: PipelineLimits,
    /// Whether events are checked beyond what is needed to read them ([`event::check`]).
    pub validate: bool,
}

/// Takes events from all doors.
#[derive(Debug)]
pub struct Intake {
    journal: Arc<dyn Journal>,
    ledger: Arc<Ledger>,
    /// Held while events are settled and handed to the journal, so that both happen in one order.
    order: Mutex<()>,
    limits: IntakeLimits,
    /// Shows how far the hub is, and how many events of each producer are in flight.
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    refusing: Refusing,
    /// Reads the history, a few requests at a time.
    scans: Scans,
    /// Bytes that waiting producers hold.
    waiting: AtomicUsize,
    /// Emissions that are not kept and on their way to the hub.
    in_flight: InFlight,
    /// The last place of each producer.
    places: LastPlaces,
}

/// An event that was read: its index in the call, and the things by which it is settled.
type Read = (usize, Draft, Things);

impl Intake {
    /// An intake before `journal`.
    pub fn new(
        journal: Arc<dyn Journal>,
        ledger: Arc<Ledger>,
        limits: IntakeLimits,
        backlog: Arc<Backlog>,
        metrics: Arc<Metrics>,
        refusing: Refusing,
    ) -> Self {
        Self {
            journal,
            ledger,
            order: Mutex::new(()),
            limits,
            backlog,
            metrics,
            refusing,
            scans: Scans::default(),
            waiting: AtomicUsize::new(0),
            in_flight: InFlight::new(limits.max_in_flight),
            places: LastPlaces::default(),
        }
    }

    /// The limits on published events.
    pub fn limits(&self) -> IntakeLimits {
        self.limits
    }

    /// The journal, for history.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Emissions that are not kept and on their way to the hub.
    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// The last place of a producer's events: what it emits comes after them.
    pub(crate) fn last_place(&self, producer: FlowId) -> Seq {
        self.places.of(producer)
    }

    /// The newest place of the journal that is known here.
    pub fn newest(&self) -> Seq {
        *self.journal.watch().borrow()
    }

    /// Accepted events whose updates are not sent yet.
    pub fn lag(&self) -> u64 {
        let newest = *self.journal.watch().borrow() + self.journal.waiting();
        newest.saturating_sub(self.backlog.done())
    }

    /// A page of the history, as far as `permissions` allow it.
    ///
    /// # Errors
    /// As [`Scans::page`].
    pub async fn history(&self, query: Query, permissions: &Permissions) -> Result<Page, Error> {
        self.scans.page(&self.journal, query, permissions).await
    }

    /// Keeps all good events of `raws` and answers when they can no longer be lost.
    ///
    /// # Errors
    /// `overloaded` when the hub is too far behind (with all events, or with this producer's own), `unavailable` when
    /// the journal can't keep any event now; then none was kept.
    pub async fn publish(&self, raws: Vec<Raw>, producer: Producer<'_>) -> Result<Receipt, Error> {
        self.place(raws, producer).await?.kept().await
    }

    /// Gives all good events of `raws` their places in the order. They have them when this returns, and the answer says when
    /// they are kept; so the calls of one producer have the order in which it makes them, if it makes one after the other.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn place(&self, raws: Vec<Raw>, producer: Producer<'_>) -> Result<Placed<'_>, Error> {
        let span = traces::publish(producer.door, raws.len(), producer.trace);
        self.hand_over(raws, producer).instrument(span).await
    }

    async fn hand_over(&self, raws: Vec<Raw>, producer: Producer<'_>) -> Result<Placed<'_>, Error> {
        // Emissions that the producer sent before come first.
        self.in_flight.landed(producer.flow).await;
        let (calls, cost) = (raws.len(), raws.iter().map(Raw::cost).sum());
        let mut place = self.wait_for_own(&raws, cost, producer.flow).await?;
        let mut receipt = Receipt::default();
        let drafts = self.drafts(raws, producer, &mut receipt.rejected).await;
        if !drafts.is_empty() {
            self.wait_for_hub(&drafts).await?;
        }
        let held = drafts.iter().map(|(_, draft, _)| draft.held()).sum();
        let appended = self.settle(drafts, producer, &mut receipt.rejected);
        receipt.rejected.sort_by_key(|rejected| rejected.index);
        for rejected in &receipt.rejected {
            self.metrics.rejected(producer.door, &rejected.error);
        }
        let waiting = appended.map(|(appending, families)| {
            place.shrink(share(cost, calls, families.len()));
            Appended {
                appending: appending.instrument(traces::append()),
                unkept: Unkept::new(&self.backlog),
                place,
                families,
                cost: (cost, calls),
                held,
                flow: producer.flow,
                places: &self.places,
                door: producer.door,
                journal: &*self.journal,
                metrics: &self.metrics,
            }
        });
        Ok(Placed::new(receipt, waiting))
    }

    /// Reads one event after the other; each becomes text again before the next one is read. Other tasks have their
    /// turns meanwhile, because a large call is milliseconds of work.
    async fn drafts(
        &self,
        raws: Vec<Raw>,
        producer: Producer<'_>,
        rejected: &mut Vec<RejectedAt>,
    ) -> Vec<Read> {
        let mut drafts = Vec::with_capacity(raws.len());
        for (index, raw) in raws.into_iter().enumerate() {
            if index % AT_A_TURN == AT_A_TURN - 1 {
                tokio::task::yield_now().await;
            }
            match self.parse(raw, producer) {
                Ok(event) => {
                    let things = Things::of(&event);
                    drafts.push((index, Draft::new(event), things));
                }
                Err(error) => rejected.push(RejectedAt { index, error }),
            }
        }
        drafts
    }

    /// Settles events and hands them to the journal, both in the same order, and says of which families they are; none
    /// if no event is left.
    fn settle(
        &self,
        drafts: Vec<Read>,
        producer: Producer<'_>,
        rejected: &mut Vec<RejectedAt>,
    ) -> Option<(Appending, Families)> {
        let may = |project: &str| match producer.within {
            Some(only) => only == project,
            None => producer.permissions.speaks_for(project),
        };
        let is_limited = producer.within.is_some() || producer.permissions.is_limited();
        let speaker = Speaker {
            producer: producer.verified,
            projects: is_limited.then_some(&may),
        };
        let mut settled: Vec<Entry> = Vec::with_capacity(drafts.len());
        let mut families = Families::with_capacity(drafts.len());
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, mut draft, things) in drafts {
            match self.ledger.settle_read(&mut draft.event, &things, speaker) {
                Ok(()) => {
                    families.push(event::family_label(draft.event.name.family()));
                    settled.push(draft.finish().by(producer.by()));
                }
                Err(error) => rejected.push(RejectedAt { index, error }),
            }
        }
        let is_some = !settled.is_empty();
        is_some.then(|| (self.journal.append_entries(settled), families))
    }

    fn parse(&self, raw: Raw, producer: Producer<'_>) -> Result<Event, Error> {
        let (mut value, len) = match raw {
            Raw::Text(text) => self.read(&text)?,
            Raw::Json(value, len) => (value, len),
            Raw::Emission(emission) => return Ok(Event::emitted(*emission, producer.name)),
            Raw::Bad(refusal) => return Err(refusal),
        };
        let len = len.unwrap_or_else(|| event::json_len(&value));
        if len > self.limits.max_event {
            return Err(too_large(self.limits.max_event));
        }
        if event::elements_exceed(&value, len, self.limits.max_elements) {
            return Err(too_many(self.limits.max_elements));
        }
        let intake = event::ParseContext {
            now: Timestamp::now(),
            producer: producer.name,
            max_depth: self.limits.max_depth,
        };
        for (what, count) in event::tidy(&mut value).each() {
            self.metrics.odd(what, count);
        }
        let mut event = event::parse(value, &intake)?;
        if let Err(long) = event::ids_fit(&event, self.limits.max_id) {
            self.metrics.id_too_long();
            return Err(long);
        }
        if self.limits.validate {
            event::check(&event)?;
        }
        self.refusing.check(&event)?;
        traces::accept(&mut event, producer.trace);
        Ok(event)
    }

    /// Reads one event's text, unless it would cost too much memory: a value takes two bytes of text, and up to a hundred times
    /// as much once it is read.
    ///
    /// # Errors
    /// The text is not JSON, or has too many values.
    pub(crate) fn read(&self, text: &[u8]) -> Result<(Value, Option<usize>), Error> {
        let max = self.limits.max_elements;
        // Empty lists and objects are counted twice.
        if text.len() / 2 > max && event::lenient::count_values(text) > 2 * max + 1 {
            return Err(too_many(max));
        }
        let (value, mended) = event::lenient::read(text)?;
        self.metrics.mended(mended);
        // The text of a longer event may be white space, so its values count and not its text.
        let known = (text.len() <= self.limits.max_event).then_some(text.len());
        Ok((value, known))
    }

    /// A place for a call's events, as soon as enough of its producer's earlier events have been sent. The call is not
    /// read until then; the bytes that it holds are bounded as in [`Self::wait_for_hub`].
    async fn wait_for_own(&self, raws: &[Raw], cost: usize, flow: FlowId) -> Result<Place, Error> {
        let coming = match self.backlog.take(flow, cost) {
            Ok(place) => return Ok(place),
            Err(coming) => coming,
        };
        self.metrics.producer_waited();
        let overloaded = || overloaded("what you published before").elsewhere();
        let held = raws.iter().map(Raw::held).sum();
        let _place =
            HeldBytes::new(&self.waiting, held, self.limits.max_waiting).ok_or_else(overloaded)?;
        match tokio::time::timeout(MAX_WAIT, coming).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(overloaded()),
        }
    }

    /// Waits until the hub has room. The bytes of waiting events are bounded: beyond that producers are refused at
    /// once.
    async fn wait_for_hub(&self, drafts: &[Read]) -> Result<(), Error> {
        let behind = || self.lag() > self.limits.max_lag;
        if !behind() {
            return Ok(());
        }
        let overloaded = || overloaded("what was published before");
        let held = drafts.iter().map(|(_, draft, _)| draft.held()).sum();
        let _place =
            HeldBytes::new(&self.waiting, held, self.limits.max_waiting).ok_or_else(overloaded)?;
        let room = async {
            loop {
                let mut moved = pin!(self.backlog.moved());
                // From here on a change is not missed, also one before the waiting begins.
                moved.as_mut().enable();
                if !behind() {
                    return;
                }
                moved.await;
            }
        };
        tokio::time::timeout(MAX_WAIT, room)
            .await
            .map_err(|_| overloaded())
    }
}

fn overloaded(with: &str) -> Error {
    Error::new(
        "overloaded",
        format!("the server is behind with {with}; publish this again later"),
    )
}

/// The error of an event over the limit.
pub fn too_large(max: usize) -> Error {
    Error::new(
        "too_large",
        format!(
            "an event may have {max} bytes ([content_filtering] max_message_size); keep large results elsewhere and publish a reference"
        ),
    )
}

fn too_many(max: usize) -> Error {
    Error::new(
        "too_large",
        format!(
            "an event may have {max} values ([content_filtering] max_elements); keep long lists elsewhere and publish a reference"
        ),
    )
}

#[cfg(test)]
mod tests;
