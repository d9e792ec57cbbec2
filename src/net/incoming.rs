//! What a client sends, looked at frame by frame before the engine reads it.
//!
//! The engine ends a connection over a message that is too long, but never says why, takes as many fragments as come,
//! keeps attachments for whoever has not even joined a namespace, and starts a task for each CONNECT. Only headers are
//! looked at here, and the two bytes that say CONNECT, so that each of these is refused before a byte of the
//! payload is kept, and the client gets a close code.
//!
//! The engine handles what it has read without ever stopping in between, and tiny frames come by the ten thousand in one
//! read. So a client's frames are handed on in turns: as many as it sends, the tasks of others run between them.

use smallvec::SmallVec;

use super::kill::Kill;

/// Bounds on what one client may send.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of one message, whole or in fragments.
    pub max_message: usize,
    /// Fragments of one message: each costs a header to read, however little it carries.
    pub max_fragments: usize,
    /// CONNECT packets of one connection: a client needs one for each namespace, and the engine spends a task on every one.
    pub max_connects: usize,
}

/// The longest header of a client's frame: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;
/// What a frame of control (close, ping, pong) may carry.
const MAX_CONTROL: u64 = 125;

/// Frames of one turn, more or less: enough that a turn's cost is nothing beside theirs.
const TURN: usize = 64;
/// The least that a read may bring, however small the frames are.
const LEAST: usize = 1_024;

/// How a message begins that asks to be let onto a namespace.
const CONNECT: &[u8; 2] = b"40";

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
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
    /// Whether the message under way is text.
    is_text: bool,
    /// Whether the frame under way is one of it, and not of control between its fragments.
    in_text: bool,
    /// The mask of the frame under way, turned so that its first byte is for the next byte.
    mask: [u8; 4],
    /// How the message under way begins, as far as it came.
    start: SmallVec<[u8; CONNECT.len()]>,
    /// CONNECT packets so far.
    connects: usize,
    /// Frames handed on since the turn began.
    turn: usize,
    /// What the next read may bring: about a turn of frames, if they are like the last ones.
    next: usize,
}

/// One frame's header.
struct Header {
    first: u8,
    masked: bool,
    payload: u64,
    mask: [u8; 4],
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
            is_text: false,
            in_text: false,
            mask: [0; 4],
            start: SmallVec::new(),
            connects: 0,
            turn: 0,
            next: LEAST,
        }
    }

    /// Whether others should run before this client's next frames; said once, then a new turn begins.
    pub(super) fn is_turn_over(&mut self) -> bool {
        let over = self.turn >= TURN;
        if over {
            self.turn = 0;
        }
        over
    }

    /// How many bytes the next read may bring.
    pub(super) fn next_read(&self) -> usize {
        self.next
    }

    /// Looks at the next bytes; `joined` says whether the client was let onto a namespace.
    pub(super) fn look(
        &mut self,
        bytes: &[u8],
        joined: impl Fn() -> bool + Copy,
    ) -> Result<(), Kill> {
        let before = self.turn;
        self.follow(bytes, joined)?;
        self.next = match self.turn - before {
            // Within one long frame.
            0 => usize::MAX,
            frames => (bytes.len() / frames).saturating_mul(TURN).max(LEAST),
        };
        Ok(())
    }

    fn follow(&mut self, mut bytes: &[u8], joined: impl Fn() -> bool + Copy) -> Result<(), Kill> {
        loop {
            let skipped = usize::try_from(self.payload).map_or(bytes.len(), |n| n.min(bytes.len()));
            let (payload, rest) = bytes.split_at(skipped);
            self.begin(payload)?;
            self.payload -= skipped as u64;
            bytes = rest;
            let Some((next, rest)) = bytes.split_first() else {
                return Ok(());
            };
            self.header[self.have] = *next;
            self.have += 1;
            bytes = rest;
            if let Some(header) = read(&self.header[..self.have]) {
                self.have = 0;
                self.turn += 1;
                self.payload = header.payload;
                self.mask = header.mask;
                self.check(&header, joined)?;
            }
        }
    }

    /// Reads how a text message begins, be it in fragments.
    fn begin(&mut self, payload: &[u8]) -> Result<(), Kill> {
        if !self.in_text || payload.is_empty() || self.start.len() == CONNECT.len() {
            return Ok(());
        }
        for byte in payload.iter().take(CONNECT.len() - self.start.len()) {
            self.start.push(byte ^ self.mask[0]);
            self.mask.rotate_left(1);
        }
        self.connects += usize::from(self.start[..] == CONNECT[..]);
        if self.connects > self.bounds.max_connects {
            return Err(Kill::Connects);
        }
        Ok(())
    }

    fn check(&mut self, header: &Header, joined: impl Fn() -> bool) -> Result<(), Kill> {
        // No extension is ever agreed on, so the reserved bits mean nothing; compression would be one.
        if header.first & RESERVED != 0 || !header.masked {
            return Err(Kill::Protocol);
        }
        let kind = header.first & 0x0f;
        if kind >= CONTROL {
            self.in_text = false;
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
            self.is_text = kind == TEXT;
            self.start.clear();
        }
        self.in_text = self.is_text;
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
    let mask = if masked {
        *rest.get(length..)?.first_chunk()?
    } else {
        [0; 4]
    };
    Some(Header {
        first,
        masked,
        payload,
        mask,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        max_message: 70_000,
        max_fragments: 3,
        max_connects: 2,
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
    fn connects_are_counted_however_they_are_cut_and_masked() {
        let message = |mask: [u8; 4], text: &[u8]| {
            let mut out = vec![0x81, MASKED | text.len() as u8];
            out.extend(mask);
            out.extend(text.iter().zip(mask.iter().cycle()).map(|(t, m)| t ^ m));
            out
        };
        let plain = message([0; 4], b"40");
        let masked = message([9, 8, 7, 6], b"40/admin,{}");
        let mut cut = vec![0x01, MASKED | 1, 5, 6, 7, 8, b'4' ^ 5];
        cut.extend(frame(0x89, 3));
        cut.extend([0x80, MASKED | 2, 1, 2, 3, 4, b'0' ^ 1, b'{' ^ 2]);
        for one in [&plain, &masked, &cut] {
            assert_eq!(verdict(&one.repeat(2), true), Ok(()));
            assert_eq!(verdict(&one.repeat(3), true), Err(Kill::Connects));
        }
        let others = [&b"4"[..], b"41", b"42[\"40\"]", b"2", b"04", b"", b"140"];
        let others: Vec<u8> = others
            .iter()
            .flat_map(|o| message([1, 2, 3, 4], o))
            .collect();
        assert_eq!(verdict(&others, true), Ok(()));
        assert_eq!(verdict(&frame(0x82, 2).repeat(9), true), Ok(()));
    }

    #[test]
    fn small_frames_are_read_in_turns_and_large_ones_at_once() {
        let mut incoming = Incoming::new(BOUNDS);
        let tiny = frame(0x81, 1).repeat(10_000);
        let mut rest = &tiny[..];
        let mut turns = 0;
        while !rest.is_empty() {
            let (read, later) = rest.split_at(incoming.next_read().min(rest.len()));
            incoming.look(read, || true).unwrap();
            turns += usize::from(incoming.is_turn_over());
            assert!(!incoming.is_turn_over(), "a new turn has begun");
            rest = later;
        }
        assert!(turns >= 10_000 / (LEAST / 7 + 1), "{turns} turns");
        let large = frame(0x82, 70_000);
        incoming.look(&large[..1_024], || true).unwrap();
        assert_eq!(incoming.next_read(), 1_024 * TURN);
        incoming.look(&large[1_024..60_000], || true).unwrap();
        assert_eq!(incoming.next_read(), usize::MAX);
        assert!(!incoming.is_turn_over());
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
            (
                [0x82, 0xff].iter().chain(&[0xff; 12]).copied().collect(),
                true,
                Kill::TooLarge,
            ),
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
