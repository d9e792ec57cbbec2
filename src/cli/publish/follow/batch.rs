//! The lines of one request, and the places behind them.

use super::{
    followed::Piece,
    mark::{Mark, Place},
    stamp,
};

/// Lines of some files.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The events, as NDJSON.
    pub(super) body: Vec<u8>,
    pub(super) parts: Vec<Part>,
    /// The part and the byte of its file at which each event of `body` stands.
    events: Vec<(usize, u64)>,
    /// The parts and bytes of lines that are too long to be sent.
    pub(super) too_long: Vec<(usize, u64)>,
}

/// The share of one file in a batch.
#[derive(Debug)]
pub(super) struct Part {
    /// The index of the file.
    pub(super) file: usize,
    name: String,
    generation: u32,
    /// The place behind its lines.
    pub(super) place: Place,
    pub(super) is_drained: bool,
}

impl Part {
    pub(super) fn new(file: usize, mark: &Mark, piece: &Piece) -> Self {
        Self {
            file,
            name: mark.name.clone(),
            generation: mark.generation,
            place: piece.place,
            is_drained: piece.is_drained,
        }
    }
}

impl Batch {
    pub(super) fn push(&mut self, part: Part, piece: Piece) {
        let index = self.parts.len();
        for (offset, line) in piece.lines {
            let id = stamp::place(&part.name, part.generation, offset);
            let events = stamp::stamp(&line, &id, &mut self.body);
            self.events
                .extend(std::iter::repeat_n((index, offset), events));
        }
        let too_long = piece.too_long.into_iter();
        self.too_long.extend(too_long.map(|offset| (index, offset)));
        self.parts.push(part);
    }

    pub(super) fn events(&self) -> usize {
        self.events.len()
    }

    /// Whether it changes nothing, not even a place.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The place of an event, in words.
    pub(super) fn place(&self, event: usize) -> String {
        let at = self.events.get(event).copied();
        self.named(at.unwrap_or_default())
    }

    /// The place of a line, in words.
    pub(super) fn named(&self, (part, offset): (usize, u64)) -> String {
        let name = self.parts.get(part).map_or("?", |part| part.name.as_str());
        format!("{} at byte {offset}", crate::cli::plain::plain(name, 120))
    }
}
