//! What a client sends, looked at frame by frame before the engine reads it.
//!
//! The engine ends a connection over a message that is too long, but never says why, takes as many fragments as come,
//! keeps attachments for whoever has not even joined a namespace, and starts a task for each CONNECT. Only headers are
//! looked at here, and the two bytes that say CONNECT, so that each of these is refused before a byte of the
//! payload is kept, and the client gets a close code. What is within the bounds is put together to whole messages, so that
//! each can be read before the engine does (see `screen`): it ends a session over one that it can't read.
//!
//! The engine handles what it has read without ever stopping in between, and tiny frames come by the ten thousand in one
//! read. So a client's frames are handed on in turns: as many as it sends, the tasks of others run between them.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{close_reason::CloseReason, message::Message};

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
const TURN_FRAMES: usize = 64;
/// The least that a read may bring, however small the frames are.
const MIN_READ_BYTES: usize = 1_024;

/// How a message begins that asks to be let onto a namespace.
const CONNECT: &[u8; 2] = b"40";

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CONTROL: u8 = 0x8;
/// Pong: there are no others behind it.
const LAST_CONTROL: u8 = 0xa;

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
    /// The kind of the message under way; none between two.
    kind: Option<u8>,
    /// Its payload so far, unmasked.
    assembled: Vec<u8>,
    /// The first byte of the frame under way.
    first: u8,
    /// The payload of a frame of control, which may come between the fragments.
    control: Vec<u8>,
    /// The mask of the frame under way, turned so that its first byte is for the next byte.
    mask: [u8; 4],
    /// Whole messages, to be taken.
    messages: VecDeque<Message>,
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
            kind: None,
            assembled: Vec::new(),
            first: 0,
            control: Vec::new(),
            mask: [0; 4],
            messages: VecDeque::new(),
            connects: 0,
            turn: 0,
            next: MIN_READ_BYTES,
        }
    }

    /// Whether others should run before this client's next frames; said once, then a new turn begins.
    pub(super) fn is_turn_over(&mut self) -> bool {
        let over = self.turn >= TURN_FRAMES;
        if over {
            self.turn = 0;
        }
        over
    }

    /// The next whole message.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        self.messages.pop_front()
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
    ) -> Result<(), CloseReason> {
        let before = self.turn;
        self.follow(bytes, joined)?;
        self.next = match self.turn - before {
            // Within one long frame.
            0 => usize::MAX,
            frames => (bytes.len() / frames)
                .saturating_mul(TURN_FRAMES)
                .max(MIN_READ_BYTES),
        };
        Ok(())
    }

    fn follow(
        &mut self,
        mut bytes: &[u8],
        joined: impl Fn() -> bool + Copy,
    ) -> Result<(), CloseReason> {
        loop {
            let skipped = usize::try_from(self.payload).map_or(bytes.len(), |n| n.min(bytes.len()));
            let (payload, rest) = bytes.split_at(skipped);
            self.take(payload)?;
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
                self.first = header.first;
                self.check(&header, joined)?;
                if header.payload == 0 {
                    self.end_frame();
                }
            }
        }
    }

    /// Takes a part of the payload under way.
    fn take(&mut self, payload: &[u8]) -> Result<(), CloseReason> {
        if payload.is_empty() {
            return Ok(());
        }
        let is_control = self.first & 0x0f >= CONTROL;
        let kept = if is_control {
            &mut self.control
        } else {
            &mut self.assembled
        };
        let before = kept.len();
        kept.extend_from_slice(payload);
        for (at, byte) in kept[before..].iter_mut().enumerate() {
            *byte ^= self.mask[at % 4];
        }
        self.mask.rotate_left(payload.len() % 4);
        let is_begun = (before < CONNECT.len()) && kept.len() >= CONNECT.len();
        if !is_control && self.kind == Some(TEXT) && is_begun && kept.starts_with(CONNECT) {
            self.connects += 1;
            if self.connects > self.bounds.max_connects {
                return Err(CloseReason::Connects);
            }
        }
        if payload.len() as u64 == self.payload {
            self.end_frame();
        }
        Ok(())
    }

    /// The frame under way is whole.
    fn end_frame(&mut self) {
        if self.first & 0x0f >= CONTROL {
            let payload = std::mem::take(&mut self.control);
            let opcode = self.first & 0x0f;
            self.messages.push_back(Message::Control(opcode, payload));
            return;
        }
        if self.first & FINAL == 0 {
            return;
        }
        let payload = std::mem::take(&mut self.assembled);
        self.messages.push_back(match self.kind.take() {
            Some(TEXT) => Message::Text(payload),
            _ => Message::Binary(payload),
        });
    }

    fn check(&mut self, header: &Header, joined: impl Fn() -> bool) -> Result<(), CloseReason> {
        // No extension is ever agreed on, so the reserved bits mean nothing; compression would be one.
        if header.first & RESERVED != 0 || !header.masked {
            return Err(CloseReason::Protocol);
        }
        let kind = header.first & 0x0f;
        if kind >= CONTROL {
            let is_whole = header.first & FINAL != 0 && header.payload <= MAX_CONTROL;
            return if is_whole && kind <= LAST_CONTROL {
                Ok(())
            } else {
                Err(CloseReason::Protocol)
            };
        }
        // A message goes on before another one begins, and nothing goes on that was not begun.
        if (kind == CONTINUATION) != self.kind.is_some() || kind > BINARY {
            return Err(CloseReason::Protocol);
        }
        if kind == BINARY && !joined() {
            return Err(CloseReason::BeforeConnect);
        }
        if kind != CONTINUATION {
            self.message = 0;
            self.fragments = 0;
            self.kind = Some(kind);
        }
        self.message = self.message.saturating_add(header.payload);
        self.fragments += 1;
        if self.message > self.bounds.max_message as u64 {
            return Err(CloseReason::TooLarge);
        }
        if self.fragments > self.bounds.max_fragments {
            return Err(CloseReason::Fragments);
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
