//! A picture as clients get it: in parts for sockets, and for HTTP as one text that is made while it is read.

use serde_json::Value;

use super::walk::{Frame, Walk};
use crate::timestamp::Timestamp;

/// About how long one chunk of a text is.
const CHUNK: usize = 64 * 1024;

/// A snapshot in parts.
#[derive(Debug)]
pub struct Snapshot {
    /// The walk at the beginning of each part.
    starts: Vec<Walk>,
    /// About how long a part is.
    part_bytes: usize,
    /// The counts of the whole snapshot.
    counts: Value,
    cursor: String,
    now: Timestamp,
}

impl Snapshot {
    /// Finds the beginnings of the parts. That takes about as long as writing all of them.
    pub fn new(mut walk: Walk, cursor: String, now: Timestamp, part_bytes: usize) -> Self {
        let mut starts = vec![walk.clone()];
        loop {
            walk.chunk(part_bytes);
            if walk.is_over() {
                break;
            }
            starts.push(walk.clone());
        }
        Self {
            starts,
            part_bytes,
            counts: walk.counts(),
            cursor,
            now,
        }
    }

    /// The number of parts.
    pub fn parts(&self) -> usize {
        self.starts.len()
    }

    /// The counts of all that the client may see.
    pub fn counts(&self) -> &Value {
        &self.counts
    }

    /// The place in the stream that it is of.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// A part as JSON, counted from 1; the cursor is on the last one only. A single part has no number.
    pub fn part(&self, part: usize) -> Option<String> {
        let mut walk = self.starts.get(part.checked_sub(1)?)?.clone();
        let chunk = walk.chunk(self.part_bytes);
        let parts = self.parts();
        let frame = Frame {
            now: self.now,
            part: (parts > 1).then_some((part, parts)),
            counts: &self.counts,
            cursor: (part == parts).then_some(self.cursor.as_str()),
        };
        Some(walk.framed(&chunk, &frame))
    }
}

/// A snapshot as one text, in chunks that are made when they are asked for.
#[derive(Debug, Clone)]
pub struct Text {
    walk: Walk,
    cursor: String,
    now: Timestamp,
    /// The number of maps that are begun; none before the first chunk.
    begun: Option<usize>,
    over: bool,
}

impl Text {
    /// A text that begins with the first entity.
    pub fn new(walk: Walk, cursor: String, now: Timestamp) -> Self {
        Self {
            walk,
            cursor,
            now,
            begun: None,
            over: false,
        }
    }
}

impl Iterator for Text {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        // The character before shows whether a comma is needed.
        let mut chunk = String::with_capacity(CHUNK + CHUNK / 4);
        chunk.extend(self.begun.map(|_| '}'));
        let skip = chunk.len();
        let mut begun = match self.begun {
            Some(begun) => begun,
            None => {
                self.walk.head(self.now, &mut chunk);
                0
            }
        };
        while chunk.len() < CHUNK && !self.over {
            self.over = !self.walk.next(|at, _| {
                Walk::begin(&mut chunk, &mut begun, at);
                &mut chunk
            });
        }
        self.begun = Some(begun);
        if self.over {
            self.walk.tail(begun, &self.cursor, &mut chunk);
        }
        Some(chunk.split_off(skip))
    }
}
