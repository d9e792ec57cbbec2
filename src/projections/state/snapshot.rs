//! A picture as clients get it: in parts for sockets, as one text that is made while it is read for HTTP.
//!
//! Neither holds the whole text. A part is made when a client has room for it, and can be made again.

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
    /// Of the whole.
    counts: Value,
    cursor: String,
    now: Timestamp,
}

impl Snapshot {
    /// Finds where the parts begin. That takes about as long as writing all of it.
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

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.starts.len()
    }

    /// Of all that the client may see.
    pub fn counts(&self) -> &Value {
        &self.counts
    }

    /// The place in the stream that it is of.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// A part as JSON, counted from 1; the cursor is on the last one only. A single one doesn't say that it is a part.
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
    /// How many maps are begun; none before the first chunk.
    begun: Option<usize>,
    over: bool,
}

impl Text {
    /// Begins at the beginning.
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
        // Whether a comma is needed is told by the character before.
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
