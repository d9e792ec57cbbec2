//! One message of a client: joined from its fragments, unmasked, and written again for the engine.

use bytes::{BufMut, BytesMut};

/// A whole message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text, not known to be UTF-8 yet.
    Text(Vec<u8>),
    /// An attachment.
    Binary(Vec<u8>),
    /// A frame of control: close, ping, pong.
    Control(u8, Vec<u8>),
}

/// Bytes of one frame. The engine keeps a buffer as long as the longest frame, for as long as the connection lives.
pub(super) const FRAGMENT: usize = 16 * 1024;
/// Bytes of a frame's header.
const MAX_HEADER: usize = 8;
const CONTINUED: u8 = 0x0;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
/// The opcode of a close frame.
pub(super) const CLOSE: u8 = 0x8;
/// The beginning of a message that asks to join a namespace.
pub(super) const CONNECT: &[u8; 2] = b"40";

impl Message {
    /// A text of the server, in place of the client's.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into_bytes())
    }

    /// Whether it is this text.
    pub(super) fn is_text(&self, text: &str) -> bool {
        matches!(self, Self::Text(bytes) if bytes == text.as_bytes())
    }

    /// Whether it asks to join a namespace.
    pub(in crate::doors::socketio) fn is_connect(&self) -> bool {
        matches!(self, Self::Text(text) if text.starts_with(CONNECT))
    }

    /// Whether it ends the session.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Text(text) => text == b"1",
            Self::Binary(_) => false,
            Self::Control(opcode, _) => *opcode == CLOSE,
        }
    }

    /// Whether it says only that the client lives: a heartbeat, or its answer.
    pub(super) fn is_sign_of_life(&self) -> bool {
        match self {
            Self::Text(text) => matches!(text.as_slice(), b"2" | b"3"),
            Self::Binary(_) => false,
            Self::Control(opcode, _) => *opcode != CLOSE,
        }
    }

    /// Bytes of its payload.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(payload) | Self::Binary(payload) | Self::Control(_, payload) => {
                payload.len()
            }
        }
    }

    /// Writes the message, a long one in fragments. A client's frames must be masked; a mask of zeros leaves the
    /// payload as it is.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let (opcode, payload) = match self {
            Self::Text(payload) => (TEXT, payload),
            Self::Binary(payload) => (BINARY, payload),
            Self::Control(opcode, payload) => (*opcode, payload),
        };
        out.reserve(payload.len() + (payload.len() / FRAGMENT + 1) * MAX_HEADER);
        let mut fragments = payload.chunks(FRAGMENT);
        let mut opcode = opcode;
        let mut next = Some(fragments.next().unwrap_or_default());
        while let Some(fragment) = next {
            next = fragments.next();
            let is_last = if next.is_none() { FINAL } else { 0 };
            frame(out, is_last | opcode, fragment);
            opcode = CONTINUED;
        }
    }
}

fn frame(out: &mut BytesMut, first: u8, payload: &[u8]) {
    out.put_u8(first);
    match payload.len() {
        short @ 0..126 => out.put_u8(MASKED | u8::try_from(short).unwrap_or(0)),
        medium => {
            out.put_u8(MASKED | 126);
            out.put_u16(u16::try_from(medium).unwrap_or(0));
        }
    }
    out.put_u32(0);
    out.put_slice(payload);
}
