//! Counts the fragments of a client's messages by the headers of its frames: the WebSocket's library takes any number of
//! them, and an empty one costs as much work as a full one.

use thiserror::Error;

use crate::net::frame::{MAX_CLIENT_HEADER, client_header};

/// The bit of a message's last frame.
const FINAL: u8 = 0x80;
/// The first opcode of the frames of control, which may come between fragments.
const CONTROL: u8 = 0x8;

/// A message comes in more fragments than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a message came in more pieces than [server] max_fragments; send it in fewer")]
pub(super) struct TooManyFragments;

/// The fragments of one client's messages.
#[derive(Debug)]
pub(super) struct Fragments {
    /// The most that one message may have.
    max: usize,
    /// The part of a header that came at the end of a read.
    header: [u8; MAX_CLIENT_HEADER],
    /// Bytes of the header that are there.
    have: usize,
    /// Bytes of the current frame's payload that are still to come.
    payload: u64,
    /// Fragments of the current message so far.
    count: usize,
}

impl Fragments {
    /// No message yet; each may have `max` fragments.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            header: [0; MAX_CLIENT_HEADER],
            have: 0,
            payload: 0,
            count: 0,
        }
    }

    /// Looks at the next bytes of the client.
    ///
    /// # Errors
    /// A message has too many fragments.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), TooManyFragments> {
        loop {
            let skipped = usize::try_from(self.payload).map_or(bytes.len(), |n| n.min(bytes.len()));
            self.payload -= skipped as u64;
            let Some((next, rest)) = bytes[skipped..].split_first() else {
                return Ok(());
            };
            self.header[self.have] = *next;
            self.have += 1;
            bytes = rest;
            let Some(header) = client_header(&self.header[..self.have]) else {
                continue;
            };
            self.have = 0;
            self.payload = header.payload;
            if header.first & 0x0f >= CONTROL {
                continue;
            }
            self.count += 1;
            if self.count > self.max {
                return Err(TooManyFragments);
            }
            if header.first & FINAL != 0 {
                self.count = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of a client with so many bytes.
    fn frame(first: u8, payload: u8) -> Vec<u8> {
        let mut frame = vec![first, 0x80 | payload, 1, 2, 3, 4];
        frame.resize(6 + usize::from(payload), 7);
        frame
    }

    #[test]
    fn fragments_are_counted_however_the_bytes_come() {
        let begin = frame(0x01, 3);
        let (ping, more, last) = (frame(0x89, 5), frame(0x00, 0), frame(0x80, 9));
        let whole = [begin, more.clone(), ping, last].concat();
        for size in 1..=whole.len() {
            let mut fragments = Fragments::new(3);
            for _ in 0..2 {
                for part in whole.chunks(size) {
                    assert_eq!(fragments.look(part), Ok(()), "{size}");
                }
            }
            assert_eq!(fragments.look(&more.repeat(3)), Ok(()), "{size}");
            assert_eq!(fragments.look(&more), Err(TooManyFragments), "{size}");
        }
    }
}
