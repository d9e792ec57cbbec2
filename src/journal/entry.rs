//! Events on their way into a journal and in its memory, held as cheaply as possible.
//!
//! A text of 35 KB can cost 3 MB once it is parsed. So an event is kept in memory as it is only while that costs no
//! more than a few times its text; else its text is kept, and parsed when it is read. Either way its weight in memory
//! is known, and every bound on held events goes by it.

use std::{sync::Arc, time::Instant};

use super::{
    flow::PublishedBy,
    record::{Record, Seq},
};
use crate::event::{Event, id_for_conflict};

/// The most times that a parsed event may hold the bytes of its text and still be kept parsed.
const MAX_PARSED_RATIO: usize = 4;
/// Bytes that a parsed event may always hold: every event has some maps.
const MIN_PARSED_BYTES: usize = 4 * 1_024;
/// Bytes that an entry costs beside its contents.
const PLACE_BYTES: usize = 128;

/// An event that is ready to be appended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The id of the event, by which the journal finds it again when its producer publishes it twice.
    pub id: Arc<str>,
    /// The verified identity of its producer.
    pub producer: Arc<str>,
    /// A hash of its content: the same id with other content is another event.
    pub content: u64,
    /// The stored form.
    pub text: Arc<str>,
    /// The event itself, while it is cheap to hold.
    event: Option<Arc<Event>>,
    /// About how many bytes the event holds.
    held: usize,
    /// The sender.
    by: PublishedBy,
}

/// An event that still has to be settled, with all of its text that doesn't depend on settling.
#[derive(Debug)]
pub struct Draft {
    /// The event; of an expensive one, only the parts that settling reads.
    pub event: Event,
    text: String,
    held: usize,
    cheap: bool,
}

impl Draft {
    /// Writes the event's text. Each door does that on threads of its own, so that the journal's writer only writes,
    /// and settling is short.
    pub fn new(mut event: Event) -> Self {
        let text = event.to_stored_unsettled();
        let mut held = event.held();
        let cheap = held <= MIN_PARSED_BYTES + MAX_PARSED_RATIO * text.len();
        if !cheap {
            // A call has a thousand events: their texts bound the memory of all of them.
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

    /// The event with its facts as they are settled now.
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
            by: PublishedBy::default(),
        }
    }
}

impl Entry {
    /// An entry for an event as it is.
    pub fn new(event: Event) -> Self {
        Draft::new(event).finish()
    }

    /// The same event under another id, because its producer has used its id for another event. A repetition of it gets
    /// the same id, and is found.
    pub fn renamed(&self) -> Self {
        let id = id_for_conflict(&self.id, self.content);
        let event = match &self.event {
            Some(event) => Some((**event).clone()),
            None => Event::from_stored(&self.text).ok(),
        };
        match event {
            Some(event) => Self::new(Event { id, ..event }).by(self.by),
            None => Self { id, ..self.clone() },
        }
    }

    /// The same with its sender, which delivery wants to know; the journal does not keep it.
    #[must_use]
    pub fn by(mut self, by: PublishedBy) -> Self {
        self.by = by;
        self
    }

    /// About how many bytes it holds while it waits.
    pub fn held(&self) -> usize {
        PLACE_BYTES + self.text.len() + self.event.as_ref().map_or(0, |_| self.held)
    }

    /// The event as it was stored at this place.
    pub(super) fn at(&self, seq: Seq, accepted: Instant) -> InMemory {
        let form = match &self.event {
            Some(event) => Form::Parsed(Arc::new(Record {
                seq,
                event: event.clone(),
                weight: self.text.len(),
                held: self.held,
                accepted,
                by: self.by,
            })),
            None => Form::Text(self.text.clone()),
        };
        InMemory {
            seq,
            form,
            accepted,
            by: self.by,
        }
    }
}

/// A stored event that is held in memory.
#[derive(Debug, Clone)]
pub(super) struct InMemory {
    pub(super) seq: Seq,
    form: Form,
    /// Delivery is measured from this time.
    pub(super) accepted: Instant,
    /// The sender.
    by: PublishedBy,
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

    /// A stored text, parsed while that is cheap to hold.
    pub(super) fn stored(seq: Seq, text: Arc<str>, accepted: Instant) -> Self {
        let by = PublishedBy::default();
        let form = match parse_of(seq, &text, accepted, by) {
            Some(record) if record.held <= MIN_PARSED_BYTES + MAX_PARSED_RATIO * text.len() => {
                Form::Parsed(record)
            }
            _ => Form::Text(text),
        };
        Self {
            seq,
            form,
            accepted,
            by,
        }
    }

    /// The record, parsed if it has to be; none when its text can't be read.
    pub(super) fn record(&self) -> Option<Arc<Record>> {
        match &self.form {
            Form::Parsed(record) => Some(record.clone()),
            Form::Text(text) => parse_of(self.seq, text, self.accepted, self.by),
        }
    }
}

/// Reads a stored text.
pub(super) fn parse(seq: Seq, text: &str, accepted: Instant) -> Option<Arc<Record>> {
    parse_of(seq, text, accepted, PublishedBy::default())
}

fn parse_of(seq: Seq, text: &str, accepted: Instant, by: PublishedBy) -> Option<Arc<Record>> {
    let event = Event::from_stored(text).ok()?;
    Some(Arc::new(Record {
        seq,
        held: event.held(),
        event: Arc::new(event),
        weight: text.len(),
        accepted,
        by,
    }))
}

/// About the most bytes that the records of one read hold: readers come again for more.
pub const READ_BYTES: usize = 8 << 20;

/// Some records of a journal, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records that could be read.
    pub records: Vec<Arc<Record>>,
    /// The last place that was looked at: records that are missing up to here are damaged or were trimmed. It is the
    /// reader's own place when there is nothing after that.
    pub to: Seq,
    /// About how many bytes the records hold.
    held: usize,
}

impl Batch {
    /// An empty batch after this place.
    pub(super) fn after(seq: Seq) -> Self {
        Self {
            to: seq,
            ..Self::default()
        }
    }

    /// Adds the record of a place; none when it is damaged.
    pub(super) fn push(&mut self, seq: Seq, record: Option<Arc<Record>>) {
        self.to = seq;
        self.held += record.as_ref().map_or(0, |record| record.held);
        self.records.extend(record);
    }

    /// Whether it holds as many bytes as it may.
    pub(super) fn is_full(&self) -> bool {
        self.held >= READ_BYTES
    }

    /// Whether there was nothing after `seq`.
    pub fn is_end(&self, seq: Seq) -> bool {
        self.to <= seq
    }
}
