//! The frames that were sent, kept until everybody has them.

use std::collections::VecDeque;

/// Bytes that everybody has are taken out when they are so many.
const TRIM: u64 = 1024 * 1024;

/// Frames one after the other. A place in it is the number of bytes before it, ever since.
#[derive(Debug, Default)]
pub(crate) struct Log {
    bytes: Vec<u8>,
    /// The place of the first byte that is kept.
    begin: u64,
    /// The places where frames end.
    ends: VecDeque<u64>,
}

impl Log {
    pub(crate) fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    /// Appends the frame that this writes.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push_back(self.end());
    }

    /// All from this place on.
    pub(crate) fn rest(&self, from: u64) -> &[u8] {
        &self.bytes[self.index(from)..]
    }

    /// From this place to the end of its frame.
    pub(crate) fn frame(&self, from: u64) -> &[u8] {
        let next = self.ends.partition_point(|end| *end <= from);
        match self.ends.get(next) {
            Some(end) => &self.bytes[self.index(from)..self.index(*end)],
            None => &[],
        }
    }

    /// Forgets what is before this place, which everybody has reached.
    pub(crate) fn forget(&mut self, before: u64) {
        if before == self.end() {
            self.bytes.clear();
        } else if before - self.begin >= TRIM {
            let index = self.index(before);
            self.bytes.drain(..index);
        } else {
            return;
        }
        self.begin = before;
        let gone = self.ends.partition_point(|end| *end <= before);
        self.ends.drain(..gone);
    }

    fn index(&self, place: u64) -> usize {
        usize::try_from(place - self.begin).expect("a place that is kept")
    }
}
