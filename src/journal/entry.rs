//! Events on their way into a journal and in its memory: as cheap as they can be held.
//!
//! A text of 35 KB can cost 3 MB once it is parsed. So an event is kept in memory as it is only while that costs no more
//! than a few times its text; else its text is kept, and parsed when it is read. Either way its weight in memory is known,
//! and all that hold events bound themselves by that.

use std::{sync::Arc, time::Instant};

use super::{
    flow::FlowId,
    record::{Record, Seq},
};
use crate::event::{Event, id_for_conflict};

/// A parsed event may hold so many times the bytes of its text and still be kept parsed.
const MAX_PARSED_RATIO: usize = 4;
/// It may always hold this much: every event has some maps.
const MIN_PARSED_BYTES: usize = 4 * 1_024;
/// Bytes that holding one costs beside its contents.
const PLACE_BYTES: usize = 128;

/// An event that is ready to be appended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Found again when it is published twice, among those of its producer.
    pub id: Arc<str>,
    /// The verified identity of its producer.
    pub producer: Arc<str>,
    /// Stands for its content: the same id with another one is another event.
    pub content: u64,
    /// As it is stored.
    pub text: Arc<str>,
    /// The event itself, while it is cheap to hold.
    event: Option<Arc<Event>>,
    /// About how many bytes the event holds.
    held: usize,
    /// Stands for its producer, whose turn it takes.
    flow: FlowId,
}

/// An event that still has to be settled, with all of its text that doesn't depend on that.
#[derive(Debug)]
pub struct Draft {
    /// The event; of one that is dear to hold only what settling reads.
    pub event: Event,
    text: String,
    held: usize,
    cheap: bool,
}

impl Draft {
    /// Writes the event's text. Called where as many threads do it as there are doors: the writer only writes, and settling
    /// holds nobody up.
    pub fn new(mut event: Event) -> Self {
        let text = event.to_stored_unsettled();
        let mut held = event.held();
        let cheap = held <= MIN_PARSED_BYTES + MAX_PARSED_RATIO * text.len();
        if !cheap {
            // A call has a thousand of them: what its events hold together is bounded by their texts.
            event.keep_what_settles();
            held = event.held();
        }
        Self {
            event,
            text,
            held,
            cheap,
        }
    }

    /// About how many bytes it holds while it waits.
    pub fn held(&self) -> usize {
        PLACE_BYTES + self.text.len() + self.held
    }

    /// The event as it is settled now.
    pub fn finish(mut self) -> Entry {
        self.event.write_settled(&mut self.text);
        let text: Arc<str> = self.text.into();
        Entry {
            id: self.event.id.clone(),
            producer: self.event.settled.producer.clone(),
            content: self.event.content,
            text,
            event: self.cheap.then(|| Arc::new(self.event)),
            held: self.held,
            flow: FlowId::default(),
        }
    }
}

impl Entry {
    /// Of an event as it is.
    pub fn new(event: Event) -> Self {
        Draft::new(event).finish()
    }

    /// The same event under an id of its own, for its producer has used its id for another one. A repetition of it gets the
    /// same one, and is found.
    pub fn renamed(&self) -> Self {
        let id = id_for_conflict(&self.id, self.content);
        let event = match &self.event {
            Some(event) => Some((**event).clone()),
            None => Event::from_stored(&self.text).ok(),
        };
        match event {
            Some(event) => Self::new(Event { id, ..event }).by(self.flow),
            None => Self { id, ..self.clone() },
        }
    }

    /// The same of a producer: for the turns that producers take while it is delivered, and not kept.
    #[must_use]
    pub fn by(mut self, flow: FlowId) -> Self {
        self.flow = flow;
        self
    }

    /// About how many bytes it holds while it waits.
    pub fn held(&self) -> usize {
        PLACE_BYTES + self.text.len() + self.event.as_ref().map_or(0, |_| self.held)
    }

    /// It was stored at this place.
    pub(super) fn at(&self, seq: Seq, accepted: Instant) -> InMemory {
        let form = match &self.event {
            Some(event) => Form::Parsed(Arc::new(Record {
                seq,
                event: event.clone(),
                weight: self.text.len(),
                held: self.held,
                accepted,
                flow: self.flow,
            })),
            None => Form::Text(self.text.clone()),
        };
        InMemory {
            seq,
            form,
            accepted,
            flow: self.flow,
        }
    }
}

/// A stored event that is held in memory.
#[derive(Debug, Clone)]
pub(super) struct InMemory {
    /// Its place.
    pub(super) seq: Seq,
    form: Form,
    /// Delivery is measured from here.
    pub(super) accepted: Instant,
    /// Stands for its producer.
    flow: FlowId,
}

#[derive(Debug, Clone)]
enum Form {
    Parsed(Arc<Record>),
    Text(Arc<str>),
}

impl InMemory {
    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        PLACE_BYTES
            + match &self.form {
                Form::Parsed(record) => record.held,
                Form::Text(text) => text.len(),
            }
    }

    /// The record, parsed if it has to be; none when its text can't be read.
    pub(super) fn record(&self) -> Option<Arc<Record>> {
        match &self.form {
            Form::Parsed(record) => Some(record.clone()),
            Form::Text(text) => parse_of(self.seq, text, self.accepted, self.flow),
        }
    }
}

/// Reads a stored text.
pub(super) fn parse(seq: Seq, text: &str, accepted: Instant) -> Option<Arc<Record>> {
    parse_of(seq, text, accepted, FlowId::default())
}

fn parse_of(seq: Seq, text: &str, accepted: Instant, flow: FlowId) -> Option<Arc<Record>> {
    let event = Event::from_stored(text).ok()?;
    Some(Arc::new(Record {
        seq,
        held: event.held(),
        event: Arc::new(event),
        weight: text.len(),
        accepted,
        flow,
    }))
}

/// Records read in one go hold at most about this many bytes: those who read come again for more.
pub const READ_BYTES: usize = 8 << 20;

/// Some records of a journal, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// Those that could be read.
    pub records: Vec<Arc<Record>>,
    /// The last place that was looked at: what is missing up to here is damaged or was trimmed. Equal to the place that was
    /// asked for when there is nothing after it.
    pub to: Seq,
    /// About how many bytes the records hold.
    held: usize,
}

impl Batch {
    /// An empty one, after this place.
    pub(super) fn after(seq: Seq) -> Self {
        Self {
            to: seq,
            ..Self::default()
        }
    }

    /// Adds what stands at a place; none when it is damaged.
    pub(super) fn push(&mut self, seq: Seq, record: Option<Arc<Record>>) {
        self.to = seq;
        self.held += record.as_ref().map_or(0, |record| record.held);
        self.records.extend(record);
    }

    /// Whether it holds as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.held >= READ_BYTES
    }

    /// Whether there was nothing to look at after `seq`.
    pub fn is_end(&self, seq: Seq) -> bool {
        self.to <= seq
    }
}
