//! Frames of a WebSocket: those that a server sends are not masked, those of a client are.

use smallvec::SmallVec;

/// The longest header of a server's frame.
pub const MAX_HEADER: usize = 10;
/// The longest header of a client's frame: two bytes, a length of eight, a mask of four.
pub const MAX_CLIENT_HEADER: usize = 14;
/// The first byte of a whole text message.
pub const FINAL_TEXT: u8 = 0x81;
/// The first byte of a whole binary message.
pub const FINAL_BINARY: u8 = 0x82;
/// The bit that says "compressed" where that was agreed on.
pub const COMPRESSED: u8 = 0x40;

/// The header of a frame whose first byte is `first`, before a payload of so many bytes.
pub fn header(first: u8, len: usize) -> SmallVec<[u8; MAX_HEADER]> {
    let mut header = smallvec::smallvec![first];
    if let Ok(short) = u8::try_from(len)
        && short < 126
    {
        header.push(short);
    } else if let Ok(medium) = u16::try_from(len) {
        header.push(126);
        header.extend_from_slice(&medium.to_be_bytes());
    } else {
        header.push(127);
        header.extend_from_slice(&(len as u64).to_be_bytes());
    }
    header
}

/// A whole text message in one frame.
pub fn text(payload: &str) -> Vec<u8> {
    let mut frame = header(FINAL_TEXT, payload.len()).to_vec();
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// The size of the first frame of `bytes`, and the index at which its payload begins; `None` if not even the header is
/// whole. For server frames only: the mask bit is ignored.
pub fn first_frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let short = usize::from(*bytes.get(1)? & 0x7f);
    let (payload_at, len) = match short {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(len).ok()?)
        }
        len => (2, len),
    };
    Some((payload_at, payload_at.checked_add(len)?))
}

/// The header of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHeader {
    /// FIN, reserved bits and opcode.
    pub first: u8,
    /// Bytes of the payload.
    pub payload: u64,
    /// The mask of the payload; a client's frame must have one.
    pub mask: Option<[u8; 4]>,
}

/// The header at the beginning of `bytes`; `None` until it is whole.
pub fn client_header(bytes: &[u8]) -> Option<ClientHeader> {
    let &[first, second, ref rest @ ..] = bytes else {
        return None;
    };
    let (payload, size) = match second & 0x7f {
        126 => (
            u16::from_be_bytes(rest.get(..2)?.try_into().ok()?).into(),
            2,
        ),
        127 => (u64::from_be_bytes(rest.get(..8)?.try_into().ok()?), 8),
        short => (u64::from(short), 0),
    };
    let mask = match second & 0x80 {
        0 => None,
        _ => Some(*rest.get(size..)?.first_chunk()?),
    };
    Some(ClientHeader {
        first,
        payload,
        mask,
    })
}
