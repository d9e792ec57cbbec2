//! WebSocket frames, by hand: the load generator reads millions of them a second.
//!
//! A frame is read where it lies in the buffer. No extension is offered, so none is in use.

/// The kinds of frames.
pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The largest frame that is read.
const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// The lengths that say that the real length follows, in two or in eight bytes.
const TWO: u8 = 126;
const EIGHT: u8 = 127;

/// Appends a frame of a client. Its mask is zero, which leaves the payload as it is.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    const MASKED: u8 = 0x80;
    out.push(0x80 | kind);
    let length = payload.len();
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < TWO) {
        out.push(MASKED | short);
    } else if let Ok(middle) = u16::try_from(length) {
        out.push(MASKED | TWO);
        out.extend_from_slice(&middle.to_be_bytes());
    } else {
        out.push(MASKED | EIGHT);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// A frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    /// Whether the message ends with it.
    pub(super) ends: bool,
    pub(super) payload: &'a [u8],
    /// The length of the whole frame.
    pub(super) length: usize,
}

/// The first frame of some bytes; `None` while a part of it is missing.
///
/// # Errors
/// In words: the bytes are no frame that a server may send.
pub(super) fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let [head, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if head & 0x70 != 0 || second & 0x80 != 0 {
        return Err("the server sent what is no WebSocket frame".into());
    }
    let (length, rest) = match *second {
        TWO => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (usize::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        EIGHT => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => {
                let length = usize::try_from(u64::from_be_bytes(*length));
                (length.unwrap_or(usize::MAX), rest)
            }
            None => return Ok(None),
        },
        short => (usize::from(short), rest),
    };
    if length > MAX_FRAME_BYTES {
        return Err(format!("the server sent a frame of {length} bytes"));
    }
    Ok(rest.get(..length).map(|payload| Frame {
        kind: head & 0x0f,
        ends: head & 0x80 != 0,
        payload,
        length: bytes.len() - rest.len() + length,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's frame: the same without the mask.
    fn of_server(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, kind, payload);
        out[1] &= 0x7f;
        let head = out.len() - payload.len() - 4;
        out.drain(head..head + 4);
        out
    }

    #[test]
    fn frames_of_every_length_are_read() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
            let payload = vec![b'x'; length];
            let bytes = of_server(TEXT, &payload);
            let more = [bytes.as_slice(), b"more"].concat();
            let frame = first(&more).expect("a frame").expect("whole");
            assert_eq!((frame.kind, frame.ends), (TEXT, true));
            assert_eq!((frame.payload, frame.length), (&payload[..], bytes.len()));
            for part in [0, 1, 2, 3, 9, bytes.len() - 1] {
                let part = part.min(bytes.len() - 1);
                assert_eq!(first(&bytes[..part]), Ok(None), "{part} of {length}");
            }
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for wrong in [
            &[0xc1, 0][..],
            &[0x81, 0x80, 0, 0, 0, 0],
            &[0x81, EIGHT, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert!(first(wrong).is_err(), "{wrong:?}");
        }
    }
}
