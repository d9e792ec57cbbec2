//! An upload: a body of lines, of which each is an event.
//!
//! Lines are published in parts as they arrive. A part is read and placed while the journal writes the ones before it; the
//! receipt adds up the answers to all of them.

use std::time::Duration;

use axum::body::Body;

use bytes::Bytes;

use super::{
    api::Api,
    caller::Caller,
    foreign::{self, Opening, Session},
    lines::Lines,
    uploading::Upload,
};
use crate::{
    error::Error,
    intake::{Raw, Receipt, too_large},
    net::{FREE_BYTES, NextPart, Place, Space, Steady},
    translate::{Language, StreamContext},
};

/// Lines that are published at a time, so that a long upload costs no more than a few such parts.
const PART_LINES: usize = 500;
/// Bytes of these lines.
const PART_BYTES: usize = 256 * 1_024;
/// The time that lines wait for more, to be published together.
const PAUSE: Duration = Duration::from_millis(100);

/// Publishes one event for each line, or the messages of a stream in another language.
///
/// # Errors
/// A part was refused as a whole: nothing behind it is read, and parts that the journal has not begun to write are given up.
pub(super) async fn publish(api: &Api, caller: &Caller, body: Body) -> Result<Receipt, Error> {
    let limits = api.intake.limits();
    let mut upload = Upload::new(api, caller);
    let mut reader = Reader::default();
    let mut part = Part::default();
    let mut lines = Lines::new(limits.max_event, too_large(limits.max_event));
    let mut stream = Steady::new(body, api.body.clone());
    loop {
        // Lines that are there wait only for a moment for more: a producer that writes line by line is served line by
        // line.
        let pause = (!part.raws.is_empty()).then_some(PAUSE);
        let is_end = match upload.beside(stream.next(pause)).await?? {
            NextPart::Part(chunk) => {
                lines.feed(&chunk);
                false
            }
            NextPart::Pause => {
                part.place(&mut upload).await?;
                continue;
            }
            NextPart::End => true,
        };
        let last = |lines: &mut Lines| if is_end { lines.last() } else { None };
        while let Some(line) = lines.next().or_else(|| last(&mut lines)) {
            let line = match reader.sort(line, api, caller) {
                Sorted::Event(line) => line,
                Sorted::Messages(messages) => {
                    for events in messages {
                        upload.line(events).await?;
                    }
                    continue;
                }
            };
            let full = part.push(line, caller, &api.body.space);
            if full || part.raws.len() >= PART_LINES.min(api.authenticator.events_at_once()) {
                part.place(&mut upload).await?;
                // Without a journal on disk nothing is awaited here, and other tasks must have their turn.
                tokio::task::yield_now().await;
            }
        }
        if is_end {
            break;
        }
    }
    if let Some(line) = reader.held() {
        part.push(line, caller, &api.body.space);
    }
    part.place(&mut upload).await?;
    let receipt = upload.end().await?;
    if let Reader::Foreign(session, _) = reader {
        session.close();
    }
    Ok(receipt)
}

/// Tells lines that are events from those that are messages of another language: the first line decides for all.
#[derive(Default)]
enum Reader<'a> {
    /// No line came yet.
    #[default]
    Undecided,
    /// The first line, of which the second one tells what it is.
    Unsure(Bytes),
    Plain,
    /// A stream, with the number of its last line.
    Foreign(Box<Session<'a>>, usize),
}

/// A line, or lines, as they are published.
enum Sorted {
    Event(Raw),
    /// The events of each message.
    Messages(Vec<Vec<Raw>>),
}

impl<'a> Reader<'a> {
    fn sort(&mut self, line: Raw, api: &'a Api, caller: &Caller) -> Sorted {
        let (first, opening) = match (&mut *self, &line) {
            (Self::Plain, _) => return Sorted::Event(line),
            (Self::Foreign(session, number), Raw::Text(text)) => {
                *number += 1;
                return Sorted::Messages(vec![session.read(text, *number)]);
            }
            (Self::Foreign(_, number), _) => {
                *number += 1;
                return Sorted::Messages(vec![vec![line]]);
            }
            (Self::Undecided, Raw::Text(text)) => (None, foreign::opening(api, caller, text)),
            (Self::Unsure(first), Raw::Text(text)) => {
                (Some(first.clone()), foreign::after(api, first, text))
            }
            (Self::Undecided, _) => (None, Opening::Plain),
            (Self::Unsure(first), _) => (Some(first.clone()), Opening::Plain),
        };
        match (opening, line) {
            (Opening::Foreign(language), Raw::Text(text)) => {
                let begins = first.as_ref().unwrap_or(&text);
                let mut session = open(api, caller, language, begins);
                let both = first.iter().chain([&text]).enumerate();
                let messages: Vec<_> = both
                    .map(|(nth, message)| session.read(message, nth + 1))
                    .collect();
                *self = Self::Foreign(Box::new(session), messages.len());
                Sorted::Messages(messages)
            }
            (Opening::Unsure, Raw::Text(text)) => {
                *self = Self::Unsure(text);
                Sorted::Messages(Vec::new())
            }
            (_, line) => {
                *self = Self::Plain;
                match first {
                    None => Sorted::Event(line),
                    // Both are events of their own.
                    Some(first) => Sorted::Messages(vec![vec![Raw::Text(first)], vec![line]]),
                }
            }
        }
    }

    /// The first line, if there was no second one.
    fn held(&mut self) -> Option<Raw> {
        match self {
            Self::Unsure(first) => Some(Raw::Text(std::mem::take(first))),
            _ => None,
        }
    }
}

/// The stream of a body at the plain door.
fn open<'a>(api: &'a Api, caller: &Caller, language: Language, first: &Bytes) -> Session<'a> {
    let context = StreamContext::default();
    Session::open(api, caller, language, context, Some(first)).among_plain()
}

/// Lines collected for one call of the intake.
#[derive(Default)]
struct Part {
    raws: Vec<Raw>,
    /// Bytes of their texts.
    bytes: usize,
    /// The space that holds these, if they are many.
    place: Option<Place>,
}

impl Part {
    /// Publishes the lines, and is empty again.
    async fn place(&mut self, upload: &mut Upload<'_>) -> Result<(), Error> {
        let Self { raws, place, .. } = std::mem::take(self);
        upload.lines(raws, place).await
    }

    /// Adds a line, and says whether the lines are to be published before more are read. Without free space the parts
    /// are smaller; nothing waits for it.
    fn push(&mut self, line: Raw, caller: &Caller, space: &Space) -> bool {
        if let Raw::Text(text) = &line {
            self.bytes += text.len();
        }
        self.raws.push(line);
        if self.bytes > FREE_BYTES && self.place.is_none() {
            self.place = space.try_take(caller.address, PART_BYTES);
        }
        self.bytes > PART_BYTES || (self.bytes > FREE_BYTES && self.place.is_none())
    }
}
