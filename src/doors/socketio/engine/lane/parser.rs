//! The parser of the client: Socket.IO's usual one, or msgpack's.

use std::{
    num::Saturating,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{
    super::msgpack::{is_plain, pack, packed_poll},
    express::ExpressLane,
};
use crate::delivery::WireMessage;

/// Bytes of a message beyond which a thread of its own packs it: a writer must not hold up others for longer than this takes.
const LARGE: usize = 64 * 1_024;
/// The packet of Engine.IO that means nothing.
const NOOP: &[u8] = b"\x81\x016";

impl ExpressLane {
    /// Notes that the client has the msgpack parser: all that is written to it from now on is translated.
    pub(in crate::doors::socketio::engine) fn speak_msgpack(&self) {
        let mut state = self.lock();
        self.speaks_msgpack.store(true, Ordering::Release);
        self.is_direct.store(false, Ordering::Release);
        state.socket = None;
    }

    /// Whether the client has the msgpack parser.
    pub(in crate::doors::socketio::engine) fn speaks_msgpack(&self) -> bool {
        self.speaks_msgpack.load(Ordering::Acquire)
    }

    /// Puts the msgpack of messages in the place of those that are to be written to the client, and counts what waits by it.
    pub(in crate::doors::socketio::engine) async fn pack<'m>(
        &self,
        messages: impl Iterator<Item = &'m mut Arc<WireMessage>>,
    ) {
        let (mut before, mut after) = (Saturating(0), Saturating(0));
        for message in messages {
            let packed = match message.parts() {
                _ if !is_plain(&message.bytes) => continue,
                [] => self.packed(message).await,
                parts => {
                    let mut all = Vec::with_capacity(parts.len());
                    for part in parts {
                        all.push(self.packed(part).await);
                    }
                    message.packed(async { WireMessage::joined(&all) }).await
                }
            };
            before += message.bytes.len();
            after += packed.bytes.len();
            *message = packed;
        }
        self.reformed(before.0, after.0);
    }

    /// The answer to a poll as msgpack.
    pub(in crate::doors::socketio::engine) fn pack_poll(&self, body: &[u8]) -> Vec<u8> {
        let (packed, lost) = packed_poll(body);
        (0..lost).for_each(|_| self.metrics.unpackable());
        packed
    }

    /// The msgpack of a message, made for the first client that takes it; a packet that means nothing if it has none.
    async fn packed(&self, message: &Arc<WireMessage>) -> Arc<WireMessage> {
        let make = async {
            let frames = message.bytes.clone();
            let packed = match frames.len() {
                0..LARGE => pack(&frames),
                _ => spawn_blocking(move || pack(&frames)).await.ok().flatten(),
            };
            message.with_bytes(packed.unwrap_or(Bytes::from_static(NOOP)))
        };
        let packed = message.packed(make).await;
        if packed.bytes == NOOP {
            self.metrics.unpackable();
        }
        packed
    }
}
