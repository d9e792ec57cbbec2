//! Checks a client's frames before the engine reads them.
//!
//! The engine ends a connection over a message that is too long, but never says why. It accepts any number of
//! fragments, keeps attachments of clients without a namespace, and starts a task for each CONNECT. This file looks at
//! headers only, and at the two bytes that mean CONNECT: so it refuses each of these before a byte of payload is kept,
//! and the client gets a close code. Frames within the bounds are joined to whole messages, which `screen` reads first:
//! the engine ends a session over one that it can't read.
//!
//! The engine handles everything that it has read without a pause, and one read may bring ten thousand tiny frames. So
//! a client's frames are passed on in turns, and other tasks run in between.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{
    close_reason::CloseReason,
    message::{CONNECT, FRAGMENT, Message},
};
use crate::net::deflate::{Compression, Inflation, InflationError};

/// Bounds on what one client may send.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of one message, whole or in fragments.
    pub max_message: usize,
    /// Fragments of one message: each costs a header to read, however little it carries.
    pub max_fragments: usize,
    /// CONNECT packets of one connection: a client needs one for each namespace, and the engine starts a task for each.
    pub max_connects: usize,
}

/// The longest header of a client's frame: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;
/// The longest payload of a control frame (close, ping, pong).
const MAX_CONTROL: u64 = 125;

/// Frames of one turn, about: enough that the cost of a turn doesn't matter beside theirs.
const TURN_FRAMES: usize = 64;
/// The least that a read may bring, however small the frames are.
const MIN_READ_BYTES: usize = 1_024;

/// The first bytes of packets of msgpack: maps of few fields.
const PACKED: std::ops::Range<u8> = 0x80..0x90;

const FINAL: u8 = 0x80;
/// The bit of a compressed message's first frame.
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CONTROL: u8 = 0x8;
/// Pong, the last opcode of control frames.
const LAST_CONTROL: u8 = 0xa;

#[derive(Debug)]
pub(super) struct Incoming {
    bounds: Bounds,
    /// The part of a header that came at the end of a read.
    header: [u8; MAX_HEADER],
    /// Bytes of the header that are there.
    have: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: u64,
    /// Bytes of the current message, of which more fragments may come.
    message: u64,
    /// Fragments of the current message so far.
    fragments: usize,
    /// The kind of the current message; `None` between two.
    kind: Option<u8>,
    /// Inflates compressed messages; none where that was not agreed on.
    inflation: Option<Inflation>,
    /// Whether the current message is compressed.
    compressed: bool,
    /// The payload of the current message so far, unmasked.
    assembled: Vec<u8>,
    /// The first byte of the current frame.
    first: u8,
    /// The payload of a control frame, which may come between fragments.
    control: Vec<u8>,
    /// The mask of the current frame, turned so that its first byte is for the next byte.
    mask: [u8; 4],
    /// Whole messages that wait to be taken.
    messages: VecDeque<Message>,
    connects: usize,
    /// CONNECT packets among these messages, and one that is being judged: an attachment may come behind them.
    undecided: u16,
    /// Frames passed on since the turn began.
    turn: usize,
    /// Bytes that the next read may bring: about a turn of frames, if they are as large as the last ones.
    next: usize,
}

/// One frame's header.
struct Header {
    /// FIN, reserved bits and opcode, checked before the payload comes.
    first: u8,
    /// Whether the frame is masked, as a client's must be.
    masked: bool,
    /// Checked against the bounds before any of the payload is kept.
    payload: u64,
    /// Unmasks the payload.
    mask: [u8; 4],
}

impl Incoming {
    /// Checks the frames of a client, with whom this compression was agreed on.
    pub(super) fn new(bounds: Bounds, compression: Option<&Compression>) -> Self {
        Self {
            bounds,
            header: [0; MAX_HEADER],
            have: 0,
            payload: 0,
            message: 0,
            fragments: 0,
            kind: None,
            inflation: compression.map(Compression::inflation),
            compressed: false,
            assembled: Vec::new(),
            first: 0,
            control: Vec::new(),
            mask: [0; 4],
            messages: VecDeque::new(),
            connects: 0,
            undecided: 0,
            turn: 0,
            next: MIN_READ_BYTES,
        }
    }

    /// Whether other tasks should run before this client's next frames; said once, then a new turn begins.
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

    /// Notes that a CONNECT packet was answered, or handed on to who can't be told more before it is.
    pub(super) fn decided(&mut self) {
        self.undecided = self.undecided.saturating_sub(1);
    }

    /// Whether any message waits that asks for something.
    pub(super) fn asks(&self) -> bool {
        self.messages
            .iter()
            .any(|message| !message.is_sign_of_life())
    }

    /// Whether the next message that waits, signs of life aside, ends the session.
    pub(super) fn ends_next(&self) -> bool {
        let mut messages = self.messages.iter();
        let next = messages.find(|message| !message.is_sign_of_life());
        next.is_some_and(Message::is_end)
    }

    /// About how many bytes the messages hold that wait, and the one of which more is to come.
    pub(super) fn held(&self) -> usize {
        let waiting = self.messages.iter();
        let waiting = waiting.map(|message| message.len() + size_of::<Message>());
        waiting.sum::<usize>() + self.assembled.len()
    }

    /// The most bytes that the next read may bring.
    pub(super) fn next_read(&self) -> usize {
        self.next
    }

    /// Checks the next bytes; `joined` says whether the client has joined a namespace.
    pub(super) fn look(
        &mut self,
        bytes: &[u8],
        joined: impl Fn() -> bool + Copy,
    ) -> Result<(), CloseReason> {
        let before = self.turn;
        self.follow(bytes, joined)?;
        self.next = match self.turn - before {
            // Bytes within one long frame are no new frame.
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
            self.take(payload, joined)?;
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
                self.check(&header)?;
                if header.payload == 0 {
                    self.end_frame()?;
                }
            }
        }
    }

    /// Takes a part of the current payload.
    fn take(&mut self, payload: &[u8], joined: impl Fn() -> bool) -> Result<(), CloseReason> {
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
        let is_text = !is_control && self.kind == Some(TEXT) && !self.compressed;
        if is_text && is_begun && kept.starts_with(CONNECT) {
            self.count_connect()?;
        }
        // Before a CONNECT nothing binary is kept, unless it may be one itself (`msgpack`): its first byte tells.
        let is_binary = !is_control && self.kind == Some(BINARY) && !self.compressed;
        let may_connect = self
            .assembled
            .first()
            .is_none_or(|first| PACKED.contains(first));
        if is_binary && before == 0 && !may_connect && self.undecided == 0 && !joined() {
            return Err(CloseReason::BeforeConnect);
        }
        if payload.len() as u64 == self.payload {
            self.end_frame()?;
        }
        Ok(())
    }

    fn count_connect(&mut self) -> Result<(), CloseReason> {
        self.connects += 1;
        if self.connects > self.bounds.max_connects {
            return Err(CloseReason::Connects);
        }
        Ok(())
    }

    /// Ends the current frame.
    fn end_frame(&mut self) -> Result<(), CloseReason> {
        if self.first & 0x0f >= CONTROL {
            let payload = std::mem::take(&mut self.control);
            let opcode = self.first & 0x0f;
            self.messages.push_back(Message::Control(opcode, payload));
            return Ok(());
        }
        if self.first & FINAL == 0 {
            return Ok(());
        }
        let mut payload = std::mem::take(&mut self.assembled);
        let kind = self.kind.take();
        if std::mem::take(&mut self.compressed) {
            payload = self.inflate(&payload)?;
            if kind == Some(TEXT) && payload.starts_with(CONNECT) {
                self.count_connect()?;
            }
        }
        let message = match kind {
            Some(TEXT) => Message::Text(payload),
            _ => Message::Binary(payload),
        };
        self.undecided = self
            .undecided
            .saturating_add(u16::from(message.is_connect()));
        self.messages.push_back(message);
        Ok(())
    }

    /// Inflates a whole message. What it becomes counts for the turn as if it had come so.
    fn inflate(&mut self, message: &[u8]) -> Result<Vec<u8>, CloseReason> {
        let inflation = self.inflation.as_mut().ok_or(CloseReason::Protocol)?;
        let inflated = inflation.inflate(message).map_err(|error| match error {
            InflationError::TooLarge => CloseReason::TooLarge,
            InflationError::Ratio => CloseReason::UnpackRatio,
            InflationError::Malformed => CloseReason::MalformedCompression,
            InflationError::Interrupted => CloseReason::Protocol,
        })?;
        self.turn += inflated.len() / FRAGMENT;
        Ok(inflated)
    }

    fn check(&mut self, header: &Header) -> Result<(), CloseReason> {
        let kind = header.first & 0x0f;
        // Reserved bits mean nothing, but for the one that begins a compressed message where that was agreed on.
        let begins = kind != CONTINUATION && kind < CONTROL;
        let allowed = match self.inflation {
            Some(_) if begins => COMPRESSED,
            _ => 0,
        };
        if header.first & RESERVED & !allowed != 0 || !header.masked {
            return Err(CloseReason::Protocol);
        }
        if kind >= CONTROL {
            let is_whole = header.first & FINAL != 0 && header.payload <= MAX_CONTROL;
            return if is_whole && kind <= LAST_CONTROL {
                Ok(())
            } else {
                Err(CloseReason::Protocol)
            };
        }
        // A message must end before another one begins, and only a message that has begun can continue.
        if (kind == CONTINUATION) != self.kind.is_some() || kind > BINARY {
            return Err(CloseReason::Protocol);
        }
        if kind != CONTINUATION {
            self.message = 0;
            self.fragments = 0;
            self.kind = Some(kind);
            self.compressed = header.first & COMPRESSED != 0;
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
