//! The packets of one polling body, told apart before the engine reads them.
//!
//! Engine.IO 4 writes one byte between two packets. Engine.IO 3 writes the length of each before it: as text, counted as
//! JavaScript counts characters, or, in a binary body, as digits between a kind and 0xff.

/// How the packets of a body are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Engine.IO 4.
    Separated,
    /// Engine.IO 3, text.
    Counted,
    /// Engine.IO 3, binary.
    Binary,
}

const SEPARATOR: u8 = 0x1e;
const END_OF_LENGTH: u8 = 0xff;

/// The packets of a body. What makes no sense ends them: the engine refuses it, too.
pub(super) fn packets(form: Form, body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (packet, after) = match form {
            Form::Separated => separated(rest),
            Form::Counted => counted(rest)?,
            Form::Binary => binary(rest)?,
        };
        rest = after;
        Some(packet)
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
