//! One message of a client: put together of its fragments, unmasked, and written again for the engine.

use bytes::{BufMut, BytesMut};

/// A whole message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text, which is not known to be UTF-8 yet.
    Text(Vec<u8>),
    /// An attachment.
    Binary(Vec<u8>),
    /// A frame of control: close, ping, pong.
    Control(u8, Vec<u8>),
}

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
/// The opcode by which a client says goodbye.
pub(super) const CLOSE: u8 = 0x8;

impl Message {
    /// A text of our own, in place of what the client sent.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into_bytes())
    }

    /// Writes it as one frame. A client's frames must be masked; a mask of zeros leaves the payload as it is.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let (opcode, payload) = match self {
            Self::Text(payload) => (TEXT, payload),
            Self::Binary(payload) => (BINARY, payload),
            Self::Control(opcode, payload) => (*opcode, payload),
        };
        out.reserve(payload.len() + 14);
        out.put_u8(FINAL | opcode);
        match payload.len() {
            short @ 0..126 => out.put_u8(MASKED | u8::try_from(short).unwrap_or(0)),
            medium if u16::try_from(medium).is_ok() => {
                out.put_u8(MASKED | 126);
                out.put_u16(u16::try_from(medium).unwrap_or(0));
            }
            long => {
                out.put_u8(MASKED | 127);
                out.put_u64(long as u64);
            }
        }
        out.put_u32(0);
        out.put_slice(payload);
    }
}
