//! A client's stream of frames in which compressed messages are replaced by what they hold, for a WebSocket that knows
//! no compression.
//!
//! A compressed message is collected and becomes one frame; everything else is passed on as it is, and it is the
//! WebSocket that judges it.

use bytes::{BufMut, BytesMut};

use super::inflation::{Inflation, InflationError};
use crate::net::frame::{MAX_CLIENT_HEADER, client_header};

const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const OTHER_RESERVED: u8 = 0x30;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const CONTROL: u8 = 0x8;

/// The frames of one client.
#[derive(Debug)]
pub struct Inbound {
    inflation: Inflation,
    /// Bytes that a compressed message may have before it is inflated.
    max_message: usize,
    /// The part of a header that came at the end of a read.
    header: [u8; MAX_CLIENT_HEADER],
    /// Bytes of the header that are there.
    have: usize,
    /// Bytes of the current frame that are still to come.
    left: u64,
    /// The current frame, if it is of a compressed message: its mask, turned for the next byte.
    mask: Option<[u8; 4]>,
    /// Whether the current frame is the last of its message.
    is_last: bool,
    /// The compressed message so far, with its opcode.
    message: Option<(u8, Vec<u8>)>,
}

impl Inbound {
    /// The frames of a client whose messages may be so long.
    pub fn new(inflation: Inflation, max_message: usize) -> Self {
        Self {
            inflation,
            max_message,
            header: [0; MAX_CLIENT_HEADER],
            have: 0,
            left: 0,
            mask: None,
            is_last: false,
            message: None,
        }
    }

    /// Takes the next bytes of the client, and writes those that the WebSocket is to read.
    ///
    /// # Errors
    /// The connection can't go on.
    pub fn take(&mut self, mut bytes: &[u8], out: &mut BytesMut) -> Result<(), InflationError> {
        loop {
            let now = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (payload, rest) = bytes.split_at(now);
            self.left -= now as u64;
            self.payload(payload, out)?;
            let Some((next, rest)) = rest.split_first() else {
                return Ok(());
            };
            self.header[self.have] = *next;
            self.have += 1;
            bytes = rest;
            if let Some(header) = client_header(&self.header[..self.have]) {
                let have = std::mem::take(&mut self.have);
                self.left = header.payload;
                self.begin(header.mask, have, out)?;
            }
        }
    }

    /// Begins a frame, whose header is whole.
    fn begin(
        &mut self,
        mask: Option<[u8; 4]>,
        have: usize,
        out: &mut BytesMut,
    ) -> Result<(), InflationError> {
        let first = self.header[0];
        let opcode = first & 0x0f;
        self.is_last = first & FINAL != 0;
        let is_data = opcode < CONTROL;
        let begins = is_data && opcode != CONTINUATION && first & COMPRESSED != 0;
        let is_whole = first & OTHER_RESERVED == 0 && mask.is_some();
        if is_data && is_whole && (begins || self.message.is_some()) {
            match &self.message {
                None => self.message = Some((opcode, Vec::new())),
                Some(_) if opcode == CONTINUATION && first & COMPRESSED == 0 => {}
                Some(_) => return Err(InflationError::Interrupted),
            }
            let before = self.message.as_ref().map_or(0, |(_, came)| came.len());
            if self.left.saturating_add(before as u64) > self.max_message as u64 {
                return Err(InflationError::TooLarge);
            }
            self.mask = mask;
        } else {
            self.mask = None;
            out.put_slice(&self.header[..have]);
        }
        if self.left == 0 {
            self.end(out)?;
        }
        Ok(())
    }

    fn payload(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), InflationError> {
        if payload.is_empty() {
            return Ok(());
        }
        match (&mut self.mask, &mut self.message) {
            (Some(mask), Some((_, message))) => {
                let unmasked = payload.iter().zip(mask.iter().cycle());
                message.extend(unmasked.map(|(byte, mask)| byte ^ mask));
                mask.rotate_left(payload.len() % 4);
            }
            _ => out.put_slice(payload),
        }
        if self.left == 0 {
            self.end(out)?;
        }
        Ok(())
    }

    /// Ends a frame; the last one of a compressed message is written as all of it.
    fn end(&mut self, out: &mut BytesMut) -> Result<(), InflationError> {
        if self.mask.take().is_none() || !self.is_last {
            return Ok(());
        }
        let Some((opcode, message)) = self.message.take() else {
            return Ok(());
        };
        let inflated = self.inflation.inflate(&message)?;
        let len = inflated.len();
        out.reserve(MAX_CLIENT_HEADER + len);
        out.put_u8(FINAL | opcode);
        out.put_u8(MASKED | 127);
        out.put_u64(len as u64);
        // A mask of zeros leaves the payload as it is.
        out.put_u32(0);
        out.put_slice(&inflated);
        Ok(())
    }
}
