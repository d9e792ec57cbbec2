//! The packet that the producer sends, and the place of its sequence number in the packets that observers get.

use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memmem::{Finder, find};

/// The number of the first update. All have ten digits, so all updates are equally long.
const FIRST: u64 = 1_000_000_000;
/// The digits of a number that is read at most.
const MAX_DIGITS: usize = 19;
/// The bytes before the number that are the marker, where no key of JSON stands before it.
const MARKER_BYTES: usize = 12;
/// The bytes by which the marker may have moved to the left since the last packet.
const MOVED: usize = 32;

/// The content of the packet's text at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Sequence,
    Time,
    Pad,
}

/// A Socket.IO packet with places to fill.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    marker: Vec<u8>,
    pub(super) pads: bool,
}

impl Template {
    /// Reads a packet with `{seq}`, `{time}` and `{pad}`.
    ///
    /// # Errors
    /// In words: it has no sequence number.
    pub(super) fn new(text: &str, marker: Option<&str>) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let next = [
                ("{seq}", Piece::Sequence),
                ("{time}", Piece::Time),
                ("{pad}", Piece::Pad),
            ]
            .into_iter()
            .filter_map(|(name, piece)| Some((rest.find(name)?, name.len(), piece)))
            .min_by_key(|(at, ..)| *at);
            let Some((at, length, piece)) = next else {
                pieces.push(Piece::Text(rest.to_owned()));
                break;
            };
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].to_owned()));
            }
            pieces.push(piece);
            rest = &rest[at + length..];
        }
        let Some((before, _)) = text.split_once("{seq}") else {
            return Err(
                "--packet: there is no {seq} in it, by which updates are told apart".into(),
            );
        };
        let marker = match marker {
            Some(marker) => marker.as_bytes().to_vec(),
            None => key_before(before).unwrap_or_else(|| {
                let start = before.len().saturating_sub(MARKER_BYTES);
                before.as_bytes()[start..].to_vec()
            }),
        };
        if marker.is_empty() {
            return Err(
                "--marker: nothing stands before {seq} by which it could be found again".into(),
            );
        }
        let pads = pieces.contains(&Piece::Pad);
        Ok(Self {
            pieces,
            marker,
            pads,
        })
    }

    /// Appends the packet of the update with this index.
    pub(super) fn write(&self, out: &mut Vec<u8>, index: u64, pad: usize) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Sequence => out.extend_from_slice((FIRST + index).to_string().as_bytes()),
                Piece::Time => out.extend_from_slice(micros().to_string().as_bytes()),
                Piece::Pad => out.resize(out.len() + pad, b'x'),
            }
        }
    }
}

/// Microseconds since 1970.
fn micros() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros())
}

/// The key of JSON, in its quotes, whose value follows.
fn key_before(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end().strip_suffix('"').unwrap_or(text.trim_end());
    let text = text.trim_end().strip_suffix(':')?.trim_end();
    let inner = text.strip_suffix('"')?;
    let start = inner.rfind('"')?;
    Some(text.as_bytes()[start..].to_vec())
}

/// Finds the index of an update in a packet, without parsing the packet.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// The packet up to the event's name.
    starts: Vec<u8>,
    marker: Finder<'static>,
}

impl Reader {
    /// Reads the updates of this event in this namespace.
    pub(super) fn new(namespace: &str, event: &str, template: &Template) -> Self {
        let name = serde_json::Value::from(event).to_string();
        let starts = format!("2{}[{name}", namespace_prefix(namespace));
        Self {
            starts: starts.into_bytes(),
            marker: Finder::new(&template.marker).into_owned(),
        }
    }

    /// Whether a packet is of the event.
    pub(super) fn is_update(&self, packet: &[u8]) -> bool {
        packet.starts_with(&self.starts)
    }

    /// The index of the update in a Socket.IO packet; `None` if it is none. `likely` is where the marker was found before.
    #[inline]
    pub(super) fn index(&self, packet: &[u8], likely: &mut usize) -> Option<u64> {
        if !self.is_update(packet) {
            return None;
        }
        let marker = self.marker.needle();
        let is_here = packet
            .get(*likely..)
            .is_some_and(|rest| rest.starts_with(marker));
        if !is_here {
            let from = likely.saturating_sub(MOVED).min(packet.len());
            *likely = match self.marker.find(&packet[from..]) {
                Some(at) => from + at,
                None => self.marker.find(packet)?,
            };
        }
        let after = packet.get(*likely + marker.len()..)?;
        let skipped = after
            .iter()
            .take_while(|byte| matches!(byte, b':' | b' ' | b'"' | b'\\'))
            .count();
        let digits = after[skipped..]
            .iter()
            .take(MAX_DIGITS)
            .take_while(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |number: u64, digit| {
            number * 10 + u64::from(digit - b'0')
        });
        number.checked_sub(FIRST)
    }
}

/// The namespace as it stands in a packet: the main one is left out.
pub(super) fn namespace_prefix(namespace: &str) -> String {
    match namespace {
        "" | "/" => String::new(),
        other => format!("{other},"),
    }
}

/// The name of a packet's event, if the packet is one.
pub(super) fn event_name(packet: &[u8]) -> Option<&[u8]> {
    let start = find(packet, b"[\"")? + 2;
    let length = packet.get(start..)?.iter().position(|byte| *byte == b'"')?;
    Some(&packet[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(template: &Template, index: u64, pad: usize) -> String {
        let mut out = Vec::new();
        template.write(&mut out, index, pad);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn places_are_filled_and_found_again() {
        let text = r#"["publish",{"pad":"{pad}","seq": {seq},"x":"{y}"}]"#;
        let template = Template::new(text, None).expect("a template");
        let packet = written(&template, 7, 3);
        assert_eq!(
            packet,
            r#"["publish",{"pad":"xxx","seq": 1000000007,"x":"{y}"}]"#
        );
        let reader = Reader::new("/", "tick", &template);
        let mut likely = 0;
        for (received, index) in [
            (r#"2["tick",{"a":1,"seq":1000000007}]"#, Some(7)),
            (r#"2["tick",{"seq" : "1000000008"}]"#, Some(8)),
            (r#"2["tick",{"much":"more","seq":1000000009}]"#, Some(9)),
            (r#"2["tock",{"seq":1000000009}]"#, None),
            (r#"2["tick",{"seq":12}]"#, None),
            (r#"2["tick",{}]"#, None),
        ] {
            assert_eq!(
                reader.index(received.as_bytes(), &mut likely),
                index,
                "{received}"
            );
        }
        let elsewhere = Reader::new("/seats", "tick", &template);
        let packet = br#"2/seats,["tick",{"seq":1000000000}]"#;
        assert_eq!(elsewhere.index(packet, &mut 0), Some(0));
    }

    #[test]
    fn a_number_without_a_key_is_found_by_the_text_before_it() {
        let template = Template::new(r#"["say","update no {seq}"]"#, None).expect("a template");
        let reader = Reader::new("/", "said", &template);
        let packet = br#"2["said","update no 1000000003"]"#;
        assert_eq!(reader.index(packet, &mut 99), Some(3));
        assert!(Template::new(r#"["say"]"#, None).is_err());
        assert!(Template::new("{seq}", None).is_err());
        assert!(Template::new("{seq}", Some("x")).is_ok());
    }
}
