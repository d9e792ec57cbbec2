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
    shape: Shape,
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
            shape: Shape::default(),
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
                let whole = match self.shape.is_closed(&self.data) {
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
            true => {
                self.data.extend_from_slice(data);
                self.shape.add(data);
            }
            false => {
                self.data.clear();
                self.shape = Shape::default();
            }
        }
        fits
    }

    fn too_long(&self) -> Raw {
        Raw::Bad(self.refusal.clone())
    }

    /// The event that is whole now, if there is one.
    fn event(&mut self) -> Option<(usize, Raw)> {
        let data = self.data.split().freeze();
        self.shape = Shape::default();
        let text = data.trim_ascii();
        let is_one = !text.is_empty() && text != DONE;
        is_one.then(|| (self.begun, Raw::Text(data.slice_ref(text))))
    }
}

/// Brackets of a text that comes line by line: each byte is looked at once, however many lines there are.
#[derive(Debug, Default)]
struct Shape {
    /// Brackets that are open.
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// Whether a bracket was opened, and no other value came before it.
    has_begun: bool,
    /// Whether it is known to be no JSON, whatever follows.
    is_spoilt: bool,
}

impl Shape {
    fn add(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.has_begun = true;
                }
                b'}' | b']' if self.depth > 0 => self.depth -= 1,
                byte if byte.is_ascii_whitespace() => {}
                _ => self.is_spoilt |= self.depth == 0,
            }
        }
    }

    /// Whether all of the text is a JSON object or list. It is parsed once at most: a text whose brackets are closed and that is
    /// no JSON never becomes any.
    fn is_closed(&mut self, text: &[u8]) -> bool {
        if !self.has_begun || self.depth > 0 || self.is_in_string || self.is_spoilt {
            return false;
        }
        self.is_spoilt = serde_json::from_slice::<IgnoredAny>(text).is_err();
        !self.is_spoilt
    }
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

    /// Texts in whatever lines are whole exactly when they are JSON.
    #[test]
    fn a_text_is_whole_when_its_brackets_are_closed() {
        for (lines, is_whole) in [
            (&["{\"a\":1}"][..], true),
            (&["{\"a\":", "[1, {}]", "}"], true),
            (&["{\"a\": \"}\"", "}"], true),
            (&["{\"a\": \"\\\"}\""], false),
            (&["{\"a\": \"\\\"}\"", "}"], true),
            (&["[", "", ""], false),
            (&["{]"], false),
            (&["{]", "{}"], false),
            (&["{}", "{}"], false),
            (&["}", "{"], false),
            (&["x", "{}"], false),
            (&["{}x"], false),
            (&["1"], false),
            (&[""], false),
        ] {
            let (mut shape, mut text) = (Shape::default(), Vec::new());
            let mut is_closed = false;
            for line in lines {
                shape.add(line.as_bytes());
                text.extend_from_slice(line.as_bytes());
                text.push(b'\n');
                is_closed = shape.is_closed(&text);
            }
            assert_eq!(is_closed, is_whole, "{lines:?}");
        }
    }

    /// One event of many lines costs what its bytes cost.
    #[test]
    fn an_event_of_many_lines_is_read_once() {
        let mut messages = Messages::new(8 << 20, Error::bad_request("long"));
        let body = format!("data: [1\n{}\n", "data: ,1\n".repeat(200_000));
        let begun = std::time::Instant::now();
        messages.feed(body.as_bytes());
        assert!(messages.next(false).is_some());
        // Parsed at each line it takes minutes.
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
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
