//! What a client sends, looked at frame by frame before the engine reads it.
//!
//! The engine ends a connection over a message that is too long, but never says why, takes as many fragments as come,
//! keeps attachments for whoever has not even joined a namespace, and starts a task for each CONNECT. Only headers are
//! looked at here, and the two bytes that say CONNECT, so that each of these is refused before a byte of the
//! payload is kept, and the client gets a close code.
//!
//! The engine handles what it has read without ever stopping in between, and tiny frames come by the ten thousand in one
//! read. So a client's frames are handed on in turns: as many as it sends, the tasks of others run between them.

#[cfg(test)]
mod tests;

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
    /// FIN, reserved bits and opcode, to be judged before the payload comes.
    first: u8,
    /// A client must mask.
    masked: bool,
    /// Measured against the bounds before any of it is kept.
    payload: u64,
    /// To look into a text that has to be looked into.
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
