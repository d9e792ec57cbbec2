//! What a client sends, looked at frame by frame before the engine reads it.
//!
//! The engine ends a connection over a message that is too long, but never says why, takes as many fragments as come, and
//! keeps attachments for whoever has not even joined a namespace. Only headers are looked at here, so that each of
//! these is refused before a byte of the payload is kept, and the client gets a close code.

use super::kill::Kill;

/// Bounds on what one client may send.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of one message, whole or in fragments.
    pub max_message: usize,
    /// Fragments of one message: each costs a header to read, however little it carries.
    pub max_fragments: usize,
}

/// The longest header of a client's frame: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;
/// What a frame of control (close, ping, pong) may carry.
const MAX_CONTROL: u64 = 125;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const BINARY: u8 = 0x2;
const CONTROL: u8 = 0x8;

/// Follows the frames of one connection.
#[derive(Debug)]
pub(super) struct Incoming {
    /// What is allowed.
    bounds: Bounds,
    /// The part of a header that came at the end of a read.
    header: [u8; MAX_HEADER],
    /// How much of it is there.
    have: usize,
    /// Payload of the frame under way that is still to come.
    payload: u64,
    /// Bytes of the message under way, of which more fragments may come.
    message: u64,
    /// Its fragments so far.
    fragments: usize,
}

/// One frame's header.
struct Header {
    first: u8,
    masked: bool,
    payload: u64,
}

impl Incoming {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            header: [0; MAX_HEADER],
            have: 0,
            payload: 0,
            message: 0,
            fragments: 0,
        }
    }

    /// Looks at the next bytes; `joined` says whether the client was let onto a namespace.
    pub(super) fn look(
        &mut self,
        mut bytes: &[u8],
        joined: impl Fn() -> bool + Copy,
    ) -> Result<(), Kill> {
        loop {
            let skipped = usize::try_from(self.payload).map_or(bytes.len(), |n| n.min(bytes.len()));
            self.payload -= skipped as u64;
            bytes = &bytes[skipped..];
            let Some((next, rest)) = bytes.split_first() else {
                return Ok(());
            };
            self.header[self.have] = *next;
            self.have += 1;
            bytes = rest;
            if let Some(header) = read(&self.header[..self.have]) {
                self.have = 0;
                self.payload = header.payload;
                self.check(&header, joined)?;
            }
        }
    }

    fn check(&mut self, header: &Header, joined: impl Fn() -> bool) -> Result<(), Kill> {
        // No extension is ever agreed on, so the reserved bits mean nothing; compression would be one.
        if header.first & RESERVED != 0 || !header.masked {
            return Err(Kill::Protocol);
        }
        let kind = header.first & 0x0f;
        if kind >= CONTROL {
            return if header.payload > MAX_CONTROL {
                Err(Kill::Protocol)
            } else {
                Ok(())
            };
        }
        if kind == BINARY && !joined() {
            return Err(Kill::BeforeConnect);
        }
        if kind != CONTINUATION {
            self.message = 0;
            self.fragments = 0;
        }
        self.message = self.message.saturating_add(header.payload);
        self.fragments += 1;
        if self.message > self.bounds.max_message as u64 {
            return Err(Kill::TooLarge);
        }
        if self.fragments > self.bounds.max_fragments {
            return Err(Kill::Fragments);
        }
        if header.first & FINAL != 0 {
            self.message = 0;
            self.fragments = 0;
        }
        Ok(())
    }
}

/// Reads a header; `None` until it is whole.
fn read(bytes: &[u8]) -> Option<Header> {
    let &[first, second, ref rest @ ..] = bytes else {
        return None;
    };
    let masked = second & MASKED != 0;
    let (payload, length) = match second & 0x7f {
        126 => (
            u16::from_be_bytes(rest.get(..2)?.try_into().ok()?).into(),
            2,
        ),
        127 => (u64::from_be_bytes(rest.get(..8)?.try_into().ok()?), 8),
        short => (u64::from(short), 0),
    };
    let whole = length + if masked { 4 } else { 0 };
    (rest.len() == whole).then_some(Header {
        first,
        masked,
        payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        max_message: 70_000,
        max_fragments: 3,
    };

    fn frame(first: u8, len: usize) -> Vec<u8> {
        let mut out = vec![first];
        match len {
            0..126 => out.push(MASKED | len as u8),
            126..65_536 => {
                out.push(MASKED | 126);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                out.push(MASKED | 127);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        out.resize(out.len() + 4 + len, 0xff);
        out
    }

    /// The verdict, whatever pieces the bytes come in.
    fn verdict(bytes: &[u8], joined: bool) -> Result<(), Kill> {
        let verdicts = [1, 2, 3, 7, 1_000, bytes.len()].map(|piece| {
            let mut incoming = Incoming::new(BOUNDS);
            bytes
                .chunks(piece)
                .try_for_each(|chunk| incoming.look(chunk, || joined))
        });
        assert!(verdicts.iter().all(|v| *v == verdicts[0]), "{verdicts:?}");
        verdicts[0]
    }

    #[test]
    fn what_clients_send_passes() {
        let mut all = Vec::new();
        for len in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            all.extend(frame(0x81, len));
            all.extend(frame(0x82, len));
        }
        // Fragments with a ping between them, twice: the count begins again.
        for _ in 0..2 {
            all.extend(frame(0x01, 30_000));
            all.extend(frame(0x89, 125));
            all.extend(frame(0x00, 30_000));
            all.extend(frame(0x80, 10_000));
        }
        assert_eq!(verdict(&all, true), Ok(()));
    }

    #[test]
    fn what_breaks_a_bound_is_refused_by_its_header_alone() {
        let header = |first, len| {
            let mut frame = frame(first, len);
            frame.truncate(frame.len() - len);
            frame
        };
        let parts = |lens: &[usize]| -> Vec<u8> {
            let firsts = std::iter::once(0x01).chain(std::iter::repeat(0x00));
            firsts.zip(lens).flat_map(|(f, l)| frame(f, *l)).collect()
        };
        for (bytes, joined, expected) in [
            (header(0x81, 70_001), true, Kill::TooLarge),
            ([0x82, 0xff].iter().chain(&[0xff; 12]).copied().collect(), true, Kill::TooLarge),
            (parts(&[40_000, 30_000, 1]), true, Kill::TooLarge),
            (parts(&[0, 0, 0, 0]), true, Kill::Fragments),
            (header(0x82, 5), false, Kill::BeforeConnect),
            (header(0xc1, 5), true, Kill::Protocol),
            (header(0x89, 126), true, Kill::Protocol),
            (vec![0x81, 0x02, 0x34, 0x30], true, Kill::Protocol),
        ] {
            assert_eq!(verdict(&bytes, joined), Err(expected), "{:x?}", &bytes[..2]);
        }
    }
}
