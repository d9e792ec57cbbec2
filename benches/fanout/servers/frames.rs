//! WebSocket frames, and the packets in them, as far as the raw server needs them.

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x8;

/// Appends a text frame of these parts.
pub(crate) fn text(out: &mut Vec<u8>, parts: &[&[u8]]) {
    out.push(TEXT);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(long)) => {
            out.push(126);
            out.extend(long.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A frame of a client.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) closes: bool,
    payload: std::ops::Range<usize>,
}

impl Frame {
    /// The first whole frame in these bytes, unmasked where it lies.
    pub(crate) fn first(bytes: &mut [u8]) -> Option<Self> {
        let (kind, length) = (*bytes.first()?, *bytes.get(1)? & 0x7f);
        let (length, at) = match length {
            126 => (
                usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
                4,
            ),
            127 => {
                let long = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
                (usize::try_from(long).ok()?, 10)
            }
            short => (usize::from(short), 2),
        };
        let mask: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        let payload = at + 4..(at + 4).checked_add(length)?;
        let masked = bytes.get_mut(payload.clone())?;
        if mask != [0; 4] {
            for (byte, mask) in masked.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= mask;
            }
        }
        Some(Self {
            closes: kind & 0xf == CLOSE,
            payload,
        })
    }

    pub(crate) fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.payload.clone()]
    }

    /// Bytes of the frame with its head.
    pub(crate) fn length(&self) -> usize {
        self.payload.end
    }
}

/// A packet of a client, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    Connect,
    /// An update to everybody, and the number of the acknowledgement that was asked for.
    Publish {
        data: &'a [u8],
        number: &'a [u8],
    },
    Other,
}

impl<'a> Packet<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Self {
        let Some(event) = payload.strip_prefix(b"42") else {
            return match payload.starts_with(b"40") {
                true => Self::Connect,
                false => Self::Other,
            };
        };
        let digits = event.iter().take_while(|byte| byte.is_ascii_digit());
        let (number, array) = event.split_at(digits.count());
        let data = array.strip_prefix(b"[\"publish\",");
        match data.and_then(|data| data.strip_suffix(b"]")) {
            Some(data) => Self::Publish { data, number },
            None => Self::Other,
        }
    }
}
