//! Splits a body into messages: server-sent events, or lines.

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;

use crate::{doors::http::lines::Lines, error::Error, intake::Raw};

/// The word by which some streams say that they are over.
const DONE: &[u8] = b"[DONE]";

/// The messages of a body, each with the number of its line. A line that begins with `data:` is one of server-sent events, one
/// that begins with a bracket is a message; so a body need not say which of both it is.
pub(super) struct Messages {
    lines: Lines,
    /// The data of the event that is not whole, and the line on which it begins.
    data: BytesMut,
    begun: usize,
    /// The line that was read too far.
    ahead: Option<(usize, Bytes)>,
    /// The number of the last line.
    number: usize,
    max: usize,
    refusal: Error,
}

impl Messages {
    /// Messages of at most so many bytes; a longer one is refused so.
    pub(super) fn new(max: usize, refusal: Error) -> Self {
        Self {
            lines: Lines::new(max + b"data: \r".len(), refusal.clone()),
            data: BytesMut::new(),
            begun: 0,
            ahead: None,
            number: 0,
            max,
            refusal,
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.lines.feed(chunk);
    }

    /// The next message that is whole; at the end of the body also the one without the end of its line.
    pub(super) fn next(&mut self, is_end: bool) -> Option<(usize, Raw)> {
        if let Some((number, line)) = self.ahead.take() {
            return Some((number, Raw::Text(line)));
        }
        loop {
            let Some(line) = self.line(is_end) else {
                // The end of the body ends its last event.
                return is_end.then(|| self.event()).flatten();
            };
            let line = match line {
                Raw::Text(line) => line,
                refused => return Some((self.number, refused)),
            };
            let text = line.trim_ascii();
            if let Some(data) = text.strip_prefix(b"data:") {
                // Some streams have no empty line between their events.
                let whole = match is_json(&self.data) {
                    true => self.event(),
                    false => None,
                };
                let fits = self.add(data.trim_ascii());
                match (whole, fits) {
                    (None, false) => return Some((self.begun, self.too_long())),
                    (None, true) => {}
                    (whole, _) => return whole,
                }
            } else if text.is_empty() {
                if let Some(event) = self.event() {
                    return Some(event);
                }
            } else if text.len() > self.max {
                return Some((self.number, self.too_long()));
            } else if !is_beside(text) {
                let line = (self.number, line.slice_ref(text));
                if let Some(event) = self.event() {
                    self.ahead = Some(line);
                    return Some(event);
                }
                return Some((line.0, Raw::Text(line.1)));
            }
        }
    }

    /// The next line, also an empty one.
    fn line(&mut self, is_end: bool) -> Option<Raw> {
        let line = self.lines.next_line().or_else(|| match is_end {
            true => self.lines.last(),
            false => None,
        })?;
        self.number += 1;
        Some(line)
    }

    /// Adds a line of data to the event, if it has room.
    fn add(&mut self, data: &[u8]) -> bool {
        if self.data.is_empty() {
            self.begun = self.number;
        } else {
            self.data.extend_from_slice(b"\n");
        }
        let fits = self.data.len() + data.len() <= self.max;
        match fits {
            true => self.data.extend_from_slice(data),
            false => self.data.clear(),
        }
        fits
    }

    fn too_long(&self) -> Raw {
        Raw::Bad(self.refusal.clone())
    }

    /// The event that is whole now, if there is one.
    fn event(&mut self) -> Option<(usize, Raw)> {
        let data = self.data.split().freeze();
        let text = data.trim_ascii();
        let is_one = !text.is_empty() && text != DONE;
        is_one.then(|| (self.begun, Raw::Text(data.slice_ref(text))))
    }
}

fn is_json(text: &[u8]) -> bool {
    !text.is_empty() && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Whether a line of server-sent events is no data: a comment, a name, an id or a time.
fn is_beside(line: &[u8]) -> bool {
    [&b":"[..], b"event:", b"id:", b"retry:"]
        .iter()
        .any(|beginning| line.starts_with(beginning))
        || line == DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a body that comes in pieces of this size; `!` for one that is refused.
    fn read(body: &str, size: usize) -> Vec<(usize, String)> {
        let mut messages = Messages::new(24, Error::bad_request("long"));
        let mut read = Vec::new();
        let mut take = |messages: &mut Messages, is_end| {
            while let Some((number, message)) = messages.next(is_end) {
                read.push(match message {
                    Raw::Text(text) => (number, String::from_utf8_lossy(&text).into_owned()),
                    _ => (number, "!".to_owned()),
                });
            }
        };
        for chunk in body.as_bytes().chunks(size) {
            messages.feed(chunk);
            take(&mut messages, false);
        }
        take(&mut messages, true);
        read
    }

    #[test]
    fn events_and_lines_are_told_apart_however_the_body_is_cut() {
        let long = "x".repeat(40);
        let bodies = [
            (
                "data: {\"a\":1}\n\ndata:{\"a\":2}\r\n\r\n",
                vec![(1, "{\"a\":1}"), (3, "{\"a\":2}")],
            ),
            (
                ": hello\nevent: e\nid: 7\nretry: 1\ndata: {\"a\":\ndata: 1}\n\n",
                vec![(5, "{\"a\":\n1}")],
            ),
            (
                "data: {\"a\":1}\ndata: {\"a\":2}\n",
                vec![(1, "{\"a\":1}"), (2, "{\"a\":2}")],
            ),
            (
                "{\"a\":1}\n\n{\"a\":2}",
                vec![(1, "{\"a\":1}"), (3, "{\"a\":2}")],
            ),
            (
                "data: {\"a\":1}\n{\"a\":2}\n",
                vec![(1, "{\"a\":1}"), (2, "{\"a\":2}")],
            ),
            (
                "data: {\"a\":1}\n\ndata: [DONE]\n\n",
                vec![(1, "{\"a\":1}")],
            ),
            ("nonsense\n", vec![(1, "nonsense")]),
            ("", vec![]),
            ("\n\n: only this\n", vec![]),
        ];
        for (body, messages) in &bodies {
            for size in [1, 3, 1_000] {
                let read = read(body, size);
                let read: Vec<_> = read.iter().map(|(n, m)| (*n, m.as_str())).collect();
                assert_eq!(&read, messages, "{body:?} by {size}");
            }
        }
        for body in [
            format!("{{\"a\":1}}\n{long}\n{{\"a\":2}}\n"),
            format!("data: {{\"a\":1}}\n\ndata: {long}\n\ndata: {{\"a\":2}}\n\n"),
        ] {
            for size in [1, 1_000] {
                let read = read(&body, size);
                let read: Vec<_> = read.iter().map(|(_, m)| m.as_str()).collect();
                assert_eq!(read, ["{\"a\":1}", "!", "{\"a\":2}"], "{body:?} by {size}");
            }
        }
    }
}
