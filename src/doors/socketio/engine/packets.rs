//! The packets of one polling body, told apart before the engine reads them.
//!
//! Engine.IO 4 writes one byte between two packets. Engine.IO 3 writes the length of each packet before it: as text,
//! counted as JavaScript counts characters, or, in a binary body, as digits between a kind and 0xff.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::doors::socketio::engine::Message;

/// The way in which the packets of a body are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doors::socketio) enum Form {
    /// Engine.IO 4.
    Separated,
    /// Engine.IO 3, text.
    Counted,
    /// Engine.IO 3, binary.
    Binary,
}

const SEPARATOR: u8 = 0x1e;
const END_OF_LENGTH: u8 = 0xff;

/// The packets of a body, up to the first that makes no sense.
pub(in crate::doors::socketio) fn packets(form: Form, body: &[u8]) -> impl Iterator<Item = &[u8]> {
    parts(form, body).map_while(|part| part.map(|(_, packet)| packet))
}

/// The packets as messages; `None` for a body that makes no sense as a whole.
pub(in crate::doors::socketio) fn messages(form: Form, body: &[u8]) -> Option<Vec<Message>> {
    let message = |(is_binary, packet): (bool, &[u8])| match is_binary {
        true => Message::Binary(packet.to_vec()),
        false => Message::Text(packet.to_vec()),
    };
    parts(form, body).map(|part| part.map(message)).collect()
}

/// Writes messages in the form that the engine reads.
pub(in crate::doors::socketio) fn write(form: Form, messages: &[Message]) -> Vec<u8> {
    let mut body = Vec::new();
    for message in messages {
        let (is_binary, bytes) = match message {
            Message::Text(bytes) => (false, bytes),
            Message::Binary(bytes) => (true, bytes),
            Message::Control(..) => continue,
        };
        let text = || {
            if !is_binary {
                return String::from_utf8_lossy(bytes).into_owned();
            }
            match form {
                Form::Separated => format!("b{}", STANDARD.encode(bytes)),
                // The first byte is the packet's kind, which stands before the digits.
                _ => format!("b4{}", STANDARD.encode(bytes.get(1..).unwrap_or_default())),
            }
        };
        match form {
            Form::Separated => {
                if !body.is_empty() {
                    body.push(SEPARATOR);
                }
                body.extend_from_slice(text().as_bytes());
            }
            Form::Counted => {
                let text = text();
                let units = text.encode_utf16().count();
                body.extend_from_slice(format!("{units}:{text}").as_bytes());
            }
            Form::Binary => {
                body.push(u8::from(is_binary));
                let len = bytes.len().to_string();
                body.extend(len.bytes().map(|digit| digit - b'0'));
                body.push(END_OF_LENGTH);
                body.extend_from_slice(bytes);
            }
        }
    }
    body
}

/// The body of these packets, in the form of Engine.IO 4.
pub(in crate::doors::socketio) fn joined(packets: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let packets: Vec<Vec<u8>> = packets.collect();
    packets.join(&SEPARATOR)
}

/// The packets, and whether each is binary. `None` ends them: the bytes after it make no sense.
fn parts(form: Form, body: &[u8]) -> impl Iterator<Item = Option<(bool, &[u8])>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let is_binary = form == Form::Binary && rest.first() == Some(&1);
        let read = match form {
            Form::Separated => Some(separated(rest)),
            Form::Counted => counted(rest),
            Form::Binary => binary(rest),
        };
        let Some((packet, after)) = read else {
            rest = &[];
            return Some(None);
        };
        rest = after;
        Some(Some((is_binary, packet)))
    })
}

fn separated(body: &[u8]) -> (&[u8], &[u8]) {
    match body.iter().position(|byte| *byte == SEPARATOR) {
        Some(end) => (&body[..end], &body[end + 1..]),
        None => (body, &[]),
    }
}

fn counted(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = body.iter().position(|byte| *byte == b':')?;
    let mut units: usize = std::str::from_utf8(&body[..colon]).ok()?.parse().ok()?;
    let body = &body[colon + 1..];
    let mut end = 0;
    while units > 0 {
        // The first byte says how long a character is; those of four bytes are two units.
        let (bytes, two) = match body.get(end)? {
            0..0xc0 => (1, 1),
            0xc0..0xe0 => (2, 1),
            0xe0..0xf0 => (3, 1),
            0xf0.. => (4, 2),
        };
        end += bytes;
        units = units.saturating_sub(two);
    }
    Some((body.get(..end)?, &body[end..]))
}

fn binary(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = body.iter().position(|byte| *byte == END_OF_LENGTH)?;
    let digits = body.get(1..end)?;
    if digits.len() > 9 {
        return None;
    }
    let len = digits
        .iter()
        .try_fold(0, |len: usize, digit| Some(len * 10 + usize::from(*digit)))?;
    let body = &body[end + 1..];
    Some((body.get(..len)?, body.get(len..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(form: Form, body: &[u8]) -> Vec<String> {
        packets(form, body)
            .map(|packet| String::from_utf8_lossy(packet).into_owned())
            .collect()
    }

    #[test]
    fn each_form_is_told_apart() {
        assert_eq!(
            all(Form::Separated, b"40\x1e42[\"a\"]\x1e2"),
            ["40", "42[\"a\"]", "2"]
        );
        assert_eq!(
            all(Form::Counted, b"2:407:42[\"a\"]1:2"),
            ["40", "42[\"a\"]", "2"]
        );
        let text = "4:4\u{e9}\u{1f600}3:4\u{20ac}x";
        assert_eq!(
            all(Form::Counted, text.as_bytes()),
            ["4\u{e9}\u{1f600}", "4\u{20ac}x"]
        );
        let body = b"\x00\x02\xff40\x01\x01\x02\xff4abcdefghijk\x00\x01\xff2";
        assert_eq!(all(Form::Binary, body), ["40", "4abcdefghijk", "2"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let binary = |bytes: &[u8]| Message::Binary(bytes.to_vec());
        let all = [
            Message::text("4\u{e9}\u{1f600}"),
            Message::text("2"),
            binary(b"\x04\xff\x1e"),
        ];
        for form in [Form::Separated, Form::Counted, Form::Binary] {
            let body = write(form, &all);
            let read = messages(form, &body).unwrap();
            assert_eq!(read[..2], all[..2], "{form:?}");
            let third = match form {
                Form::Separated => Message::text("bBP8e"),
                Form::Counted => Message::text("b4/x4="),
                Form::Binary => all[2].clone(),
            };
            assert_eq!(read[2], third);
        }
        assert_eq!(messages(Form::Counted, b"2:40zz"), None);
    }

    #[test]
    fn nonsense_ends_them() {
        for body in ["", "x", ":", "5:abc", "99999999999999999999999:a", "1"] {
            assert!(all(Form::Counted, body.as_bytes()).is_empty(), "{body}");
        }
        for body in [
            &b"\xff"[..],
            b"\x00",
            b"\x00\x05\xffabc",
            b"\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\xff",
        ] {
            assert!(all(Form::Binary, body).is_empty(), "{body:?}");
        }
        assert_eq!(all(Form::Counted, b"2:40zz"), ["40"]);
        assert_eq!(
            packets(Form::Separated, &[SEPARATOR; 50_000]).count(),
            50_000
        );
    }
}
