//! Lines of a file or a pipe, numbered.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line that is sent; the server's own limit for one event is far below.
pub(super) const MAX_LINE: usize = 8 * 1024 * 1024;

/// A line that is not blank, or a value that goes over several.
#[derive(Debug)]
pub(super) struct Line {
    /// The number of its first line, counted from 1, blank lines too, as editors do.
    pub(super) number: u64,
    /// `None` when the line is too long.
    pub(super) text: Option<Vec<u8>>,
    /// The byte of the input at which it ends.
    pub(super) end: u64,
}

#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    /// The part of the current line that was read; it is here so that a read which is given up loses nothing.
    line: Vec<u8>,
    /// The current line is too long; its rest is skipped.
    skipping: bool,
    /// The number of the line that ended last.
    number: u64,
    /// Bytes read.
    read: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            skipping: false,
            number: 0,
            read: 0,
        }
    }

    /// The next line that is not blank. May be given up while it waits.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(self.end());
            }
            let end = available.iter().position(|&b| b == b'\n');
            let text = &available[..end.unwrap_or(available.len())];
            let used = end.map_or(available.len(), |at| at + 1);
            if self.skipping || self.line.len() + text.len() > MAX_LINE {
                self.skipping = true;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(text);
            }
            self.reader.consume(used);
            self.read += used as u64;
            if end.is_some()
                && let Some(line) = self.end()
            {
                return Ok(Some(line));
            }
        }
    }

    /// Ends the current line; `None` if it is blank.
    fn end(&mut self) -> Option<Line> {
        self.number += 1;
        let mut text = std::mem::take(&mut self.line);
        let too_long = std::mem::take(&mut self.skipping);
        if self.number == 1 && text.starts_with(b"\xef\xbb\xbf") {
            // Some editors begin a file with this mark; it is no part of the first event.
            text.drain(..3);
        }
        (too_long || !text.trim_ascii().is_empty()).then_some(Line {
            number: self.number,
            text: (!too_long).then_some(text),
            end: self.read,
        })
    }
}
