//! Ready-made WebSocket frames.
//!
//! Frames that a server sends are not masked, so the frame of one Socket.IO packet is the same bytes for every
//! observer of a namespace: it is made once and shared.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    channel::Namespace,
    delivery::{Outgoing, Shape, Tag, WireMessage},
    net::frame::{FINAL_TEXT, MAX_HEADER, first_frame, header},
};

/// One Socket.IO packet as a WebSocket text frame, and as the JSON that the engine needs for polling clients.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The kind of packet, which the engine's way needs.
    pub packet: Packet,
    /// Header and payload; a clone costs a reference count.
    message: Arc<WireMessage>,
    /// The index at which the JSON array begins.
    body_at: usize,
}

/// The kinds of packets that Stoa sends itself (the engine sends the others).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// `2`: an event.
    Event,
    /// `2` with an id: an event that asks for an answer.
    Asking(i64),
    /// `3`: the answer to a client's event, with its ack id.
    Ack(u128),
    /// `1`: the end of a namespace's connection.
    Disconnect,
    /// `4`: the refusal to let a client onto a namespace.
    ConnectError,
}

impl Frame {
    /// `["event",payload]` for all members of a namespace: an update's frame, made for its first observer.
    pub fn message_of(update: &Outgoing) -> &Arc<WireMessage> {
        update.shape(Shape::SocketIo, || {
            let (namespace, name, payload) = (update.namespace, &update.name, &update.json);
            Self::write(namespace, Packet::Event, |out| event(out, name, payload)).0
        })
    }

    /// The frame of an update, from the message that [`Frame::message_of`] made.
    pub fn of_update(message: Arc<WireMessage>) -> Self {
        Self {
            packet: Packet::Event,
            body_at: body_at(&message),
            message,
        }
    }

    /// `["event",payload]` without a place in the stream.
    pub fn event(namespace: Namespace, name: &str, payload: &str, tag: Tag) -> Self {
        Self::new(namespace, Packet::Event, tag, |out| {
            event(out, name, payload);
        })
    }

    /// `["event",payload]` that asks for the answer `id`.
    pub fn asking(namespace: Namespace, id: i64, name: &str, payload: &str) -> Self {
        let body = |out: &mut Vec<u8>| event(out, name, payload);
        Self::new(namespace, Packet::Asking(id), Tag::Aside, body)
    }

    /// `{"message":…}` to a client that is on no namespace.
    pub fn connect_error(namespace: Namespace, message: &str) -> Self {
        Self::new(namespace, Packet::ConnectError, Tag::Aside, |out| {
            let body = serde_json::json!({ "message": message });
            serde_json::to_writer(&mut *out, &body).ok();
        })
    }

    /// `[payload]` as the answer to the event that carried ack `id`.
    pub fn ack(namespace: Namespace, id: u128, payload: &str) -> Self {
        Self::new(namespace, Packet::Ack(id), Tag::Aside, |out| {
            out.push(b'[');
            out.extend_from_slice(payload.as_bytes());
            out.push(b']');
        })
    }

    /// The end of a connection to a namespace: the client doesn't come back by itself.
    pub fn disconnect(namespace: Namespace) -> Self {
        Self::new(namespace, Packet::Disconnect, Tag::Aside, |_| {})
    }

    /// Whether the frame is an answer with an id that the engine can't write.
    pub fn is_beyond_engine(&self) -> bool {
        matches!(self.packet, Packet::Ack(id) if i64::try_from(id).is_err())
    }

    fn new(
        namespace: Namespace,
        packet: Packet,
        tag: Tag,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let (bytes, body_at) = Self::write(namespace, packet, body);
        Self {
            packet,
            message: WireMessage::new(namespace, tag, bytes),
            body_at,
        }
    }

    /// The bytes, and the index at which the JSON array begins.
    fn write(
        namespace: Namespace,
        packet: Packet,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> (Bytes, usize) {
        // The header's length depends on the payload's, so the payload is written behind room for the longest header.
        let mut out = vec![0; MAX_HEADER];
        out.push(b'4');
        out.push(match packet {
            Packet::Disconnect => b'1',
            Packet::Event | Packet::Asking(_) => b'2',
            Packet::Ack(_) => b'3',
            Packet::ConnectError => b'4',
        });
        if namespace != Namespace::Root {
            out.extend_from_slice(namespace.path().as_bytes());
            out.push(b',');
        }
        match packet {
            Packet::Ack(id) => out.extend_from_slice(id.to_string().as_bytes()),
            Packet::Asking(id) => out.extend_from_slice(id.to_string().as_bytes()),
            Packet::Event | Packet::Disconnect | Packet::ConnectError => {}
        }
        let body_at = out.len();
        body(&mut out);
        let header = header(FINAL_TEXT, out.len() - MAX_HEADER);
        let start = MAX_HEADER - header.len();
        out[start..MAX_HEADER].copy_from_slice(&header);
        (Bytes::from(out).slice(start..), body_at - start)
    }

    /// The frame's namespace: the frame is held back until that is connected.
    pub fn namespace(&self) -> Namespace {
        self.message.namespace
    }

    /// The whole frame.
    pub fn bytes(&self) -> &Bytes {
        &self.message.bytes
    }

    /// The frame as queues hold it.
    pub fn message(&self) -> &Arc<WireMessage> {
        &self.message
    }

    /// The packet's JSON array.
    pub fn body(&self) -> &[u8] {
        &self.message.bytes[self.body_at..]
    }
}

/// `["event",payload]`.
fn event(out: &mut Vec<u8>, name: &str, payload: &str) {
    out.push(b'[');
    // Event names are checked at the door, but a quote in one must never break the packet.
    serde_json::to_writer(&mut *out, name).ok();
    out.push(b',');
    out.extend_from_slice(payload.as_bytes());
    out.push(b']');
}

/// The index at which the JSON array of an update's frame begins.
fn body_at(message: &WireMessage) -> usize {
    let header = first_frame(&message.bytes).map_or(0, |(payload_at, _)| payload_at);
    let namespace = match message.namespace {
        Namespace::Root => 0,
        namespace => namespace.path().len() + 1,
    };
    header + 2 + namespace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_say_their_length_at_every_header_size() {
        for size in [0, 1, 100, 125, 126, 127, 1_000, 65_530, 65_536, 70_000] {
            let payload = format!("\"{}\"", "x".repeat(size));
            let update = Outgoing::new(Namespace::Root, "e", payload.clone());
            let frame = Frame::of_update(Frame::message_of(&update).clone());
            let (payload_at, end) = first_frame(frame.bytes()).unwrap();
            assert_eq!(end, frame.bytes().len());
            assert_eq!(&frame.bytes()[payload_at..payload_at + 2], b"42");
            assert_eq!(frame.body(), format!("[\"e\",{payload}]").as_bytes());
        }
    }

    #[test]
    fn namespaces_and_acks_are_written_as_the_protocol_wants() {
        let frame = Frame::ack(Namespace::Conversations, 17, "{}");
        assert_eq!(&frame.bytes()[2..], b"43/conversations,17[{}]");
        let frame = Frame::event(Namespace::Admin, "a", "1", Tag::Aside);
        assert_eq!(&frame.bytes()[2..], b"42/admin,[\"a\",1]");
    }
}
