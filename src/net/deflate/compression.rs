//! Compression as the server does it: for all clients that agreed on it alike.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    super::frame::{COMPRESSED, FINAL_BINARY, FINAL_TEXT, first_frame, header},
    codec::deflate,
    inbound::Inbound,
    inflation::Inflation,
    limits::CompressionLimits,
    offer::agree,
};
use crate::{delivery::WireMessage, observe::CompressionMetrics};

/// Bytes of a message beyond which a thread of its own compresses it: a writer must not hold up others for longer than
/// this takes.
const LARGE: usize = 32 * 1_024;
/// Bytes that compression must save at least: less is not worth what the client pays for it.
const MIN_SAVED: usize = 64;

/// Compresses what the server sends, and agrees with clients on it.
pub struct Compression {
    limits: CompressionLimits,
    /// Large messages that are compressed at a time: no more than there are processors.
    large: Semaphore,
    metrics: Arc<CompressionMetrics>,
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Compression {
    /// Compression for a whole server.
    pub fn new(limits: CompressionLimits, metrics: Arc<CompressionMetrics>) -> Arc<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            limits,
            large: Semaphore::new(processors),
            metrics,
        })
    }

    /// The answer to what a client offers in its handshake, if there is something to agree on.
    pub fn agree(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match agree(headers) {
            Ok(answer) => {
                let answer = answer?;
                self.metrics.offered("agreed");
                Some(answer)
            }
            Err(declined) => {
                self.metrics.offered(declined.into());
                None
            }
        }
    }

    /// The frames of a client that agreed, without compression.
    pub fn inbound(&self) -> Inbound {
        Inbound::new(self.inflation(), self.limits.max_message)
    }

    /// Inflates the messages of a client that agreed.
    pub fn inflation(&self) -> Inflation {
        Inflation::new(&self.limits, self.metrics.clone())
    }

    /// Puts the compressed form of messages in the place of those that are to be written to a client that agreed; the
    /// number of bytes that it saves.
    pub async fn compress<'m>(
        &self,
        messages: impl Iterator<Item = &'m mut Arc<WireMessage>>,
    ) -> usize {
        let (mut saved, mut deliveries) = (0, 0);
        for message in messages {
            let compressed = match message.parts() {
                [] => self.compressed(message).await,
                // On the heap, since each writer would have room for it all its life.
                _ => Box::pin(self.joined(message)).await,
            };
            if let Some(compressed) = compressed {
                saved += message.bytes.len() - compressed.bytes.len();
                deliveries += compressed.parts().len().max(1);
                *message = compressed;
            }
        }
        if deliveries > 0 {
            self.metrics.delivered(deliveries);
        }
        saved
    }

    /// The compressed payload of a message whose bytes are a payload without a frame.
    pub async fn payload(&self, message: &Arc<WireMessage>) -> Option<Bytes> {
        let compressed = self.made(message, payload).await?;
        self.metrics.delivered(1);
        Some(compressed.bytes.clone())
    }

    /// A message that joins others, each of these in its compressed form if it has one; none if none has.
    async fn joined(&self, message: &Arc<WireMessage>) -> Option<Arc<WireMessage>> {
        let make = async {
            let (mut parts, mut is_smaller) = (Vec::new(), false);
            for part in message.parts() {
                let compressed = self.compressed(part).await;
                is_smaller |= compressed.is_some();
                parts.push(compressed.unwrap_or_else(|| part.clone()));
            }
            is_smaller.then(|| WireMessage::joined(&parts))
        };
        message.compressed_as(make).await.cloned()
    }

    /// A message that is a frame in its compressed form; none for one that is compressed already.
    async fn compressed(&self, message: &Arc<WireMessage>) -> Option<Arc<WireMessage>> {
        let is_plain = matches!(message.bytes.first(), Some(&(FINAL_TEXT | FINAL_BINARY)));
        if !is_plain {
            return None;
        }
        self.made(message, frame).await
    }

    /// A message in its compressed form, made for the first client and shared by all; none for a message that is small
    /// or that gets no smaller.
    async fn made(
        &self,
        message: &Arc<WireMessage>,
        form: fn(&[u8], u32) -> Option<Bytes>,
    ) -> Option<Arc<WireMessage>> {
        if message.bytes.len() < self.limits.min_bytes {
            return None;
        }
        let make = async {
            let bytes = message.bytes.clone();
            let level = self.limits.level;
            let compressed = if bytes.len() <= LARGE {
                form(&bytes, level)
            } else {
                let _place = self.large.acquire().await;
                let made = spawn_blocking(move || form(&bytes, level)).await;
                made.ok().flatten()
            };
            let after = compressed.as_ref().map(Bytes::len);
            self.metrics.compressed(message.bytes.len(), after);
            compressed
        };
        message.compressed(make).await.cloned()
    }
}

/// The compressed form of a payload.
fn payload(plain: &[u8], level: u32) -> Option<Bytes> {
    deflate(plain, level, MIN_SAVED, Bytes::copy_from_slice)
}

/// The compressed form of a message that is one frame.
fn frame(plain: &[u8], level: u32) -> Option<Bytes> {
    let (payload_at, _) = first_frame(plain).filter(|&(_, end)| end == plain.len())?;
    deflate(&plain[payload_at..], level, MIN_SAVED, |payload| {
        let header = header(plain[0] | COMPRESSED, payload.len());
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(&header);
        frame.extend_from_slice(payload);
        Bytes::from(frame)
    })
}
