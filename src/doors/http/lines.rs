//! Splits the body of an upload into lines.

use bytes::{Buf, Bytes, BytesMut};

use crate::{error::Error, intake::Raw};

/// Splits a stream into lines. The rest of a line that is longer than an event may be is skipped.
pub(super) struct Lines {
    buffer: BytesMut,
    /// Bytes searched so far without finding an end.
    searched: usize,
    /// Whether the line in the buffer is too long already.
    skipping: bool,
    /// The most bytes of a line, and the refusal of a longer one.
    most: (usize, Error),
}

impl Lines {
    /// Lines of at most so many bytes; a longer one is refused so.
    pub(super) fn new(max: usize, refusal: Error) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            skipping: false,
            most: (max, refusal),
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Bytes that wait for the end of their line.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn next(&mut self) -> Option<Raw> {
        loop {
            match self.next_line()? {
                // An empty line is neither an event nor a mistake.
                Raw::Text(line) if line.is_empty() => {}
                line => return Some(line),
            }
        }
    }

    /// The next line, also an empty one.
    pub(super) fn next_line(&mut self) -> Option<Raw> {
        let Some(at) = self.buffer[self.searched..]
            .iter()
            .position(|&b| b == b'\n')
        else {
            self.searched = self.buffer.len();
            if self.buffer.len() > self.most.0 {
                self.buffer.clear();
                self.searched = 0;
                self.skipping = true;
            }
            return None;
        };
        let line = self.buffer.split_to(self.searched + at);
        self.buffer.advance(1);
        self.searched = 0;
        if std::mem::take(&mut self.skipping) {
            return Some(Raw::Bad(self.most.1.clone()));
        }
        let line = line.freeze();
        Some(Raw::Text(line.slice_ref(line.trim_ascii())))
    }

    /// The line after the last line end, if there is one.
    pub(super) fn last(&mut self) -> Option<Raw> {
        let line = self.buffer.split();
        self.searched = 0;
        if std::mem::take(&mut self.skipping) {
            return Some(Raw::Bad(self.most.1.clone()));
        }
        Self::read(&line.freeze())
    }

    /// Reads the last line; an empty one is none.
    fn read(line: &Bytes) -> Option<Raw> {
        let trimmed = line.trim_ascii();
        (!trimmed.is_empty()).then(|| Raw::Text(line.slice_ref(trimmed)))
    }
}
