//! Ready-made WebSocket frames.
//!
//! Frames that a server sends are not masked, so the frame of one Socket.IO packet is the same bytes for every
//! observer of a namespace: it is made once and shared.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::{
    channel::Namespace,
    delivery::{Outgoing, Shape, Tag, WireMessage},
    doors::backend::Arguments,
    net::frame::{FINAL_BINARY, FINAL_TEXT, MAX_HEADER, first_frame, header},
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
    /// Whether its attachments have the byte before them that clients of Engine.IO 3 expect.
    is_first_protocol: bool,
}

/// The kinds of packets that Stoa sends itself (the engine sends the others).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// `2`: an event.
    Event,
    /// `5`: an event with so many attachments.
    Attaching(usize),
    /// `2` with an id: an event that asks for an answer.
    Asking(i64),
    /// `5` with an id: the same with so many attachments.
    AskingAttaching(i64, usize),
    /// `3`: the answer to a client's event, with its ack id.
    Ack(u128),
    /// `6`: the same with so many attachments.
    AckAttaching(u128, usize),
    /// `1`: the end of a namespace's connection.
    Disconnect,
    /// `4`: the refusal to let a client onto a namespace.
    ConnectError,
}

impl Frame {
    /// `["event",payload]` for all members of a namespace: an update's frame, made for its first observer.
    pub fn message_of(update: &Outgoing) -> &Arc<WireMessage> {
        update.shape(Shape::SocketIo, || written(update, &update.json, &[]))
    }

    /// The same with the cursor after it as a last argument more, by which Socket.IO's own client knows its place.
    pub fn offset_message_of(update: &Outgoing) -> &Arc<WireMessage> {
        let Some(cursor) = update.offset() else {
            return Self::message_of(update);
        };
        update.shape(Shape::Offset, || {
            let comma = if update.json.is_empty() { "" } else { "," };
            let arguments = format!("{}{comma}{}", update.json, Value::from(cursor));
            written(update, &arguments, &[])
        })
    }

    /// The same for a client of Engine.IO 3: attachments have another form there.
    pub fn first_message_of(update: &Outgoing) -> &Arc<WireMessage> {
        match attachments_of(update) {
            [] => Self::message_of(update),
            _ => update.shape(Shape::FirstSocketIo, || {
                written(update, &update.json, &[MESSAGE])
            }),
        }
    }

    /// The frame of an update, from the message that [`Frame::message_of`] made.
    pub fn of_update(message: Arc<WireMessage>, is_first_protocol: bool) -> Self {
        Self {
            packet: Packet::Event,
            body_at: body_at(&message),
            message,
            is_first_protocol,
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

    /// `["event",arg,…]` that asks for the answer `id`.
    pub(in crate::doors::socketio) fn asking_with(
        namespace: Namespace,
        id: i64,
        name: &str,
        arguments: &Arguments,
        is_first_protocol: bool,
    ) -> Self {
        let packet = match arguments.attachments.len() {
            0 => Packet::Asking(id),
            count => Packet::AskingAttaching(id, count),
        };
        Self::attaching(
            (namespace, packet),
            &arguments.attachments,
            is_first_protocol,
            |out| event(out, name, &arguments.json),
        )
    }

    /// The refusal to let a client onto a namespace: `{"message":…}`, perhaps with `data`.
    pub fn connect_error(namespace: Namespace, body: &str) -> Self {
        Self::new(namespace, Packet::ConnectError, Tag::Aside, |out| {
            out.extend_from_slice(body.as_bytes());
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

    /// The answer to the event that carried ack `id`, with its attachments in frames of their own.
    pub(in crate::doors::socketio) fn ack_with(
        namespace: Namespace,
        id: u128,
        arguments: &Arguments,
        is_first_protocol: bool,
    ) -> Self {
        let count = arguments.attachments.len();
        if count == 0 {
            return Self::ack(namespace, id, &arguments.json);
        }
        Self::attaching(
            (namespace, Packet::AckAttaching(id, count)),
            &arguments.attachments,
            is_first_protocol,
            |out| {
                out.push(b'[');
                out.extend_from_slice(arguments.json.as_bytes());
                out.push(b']');
            },
        )
    }

    /// A packet with its attachments in frames of their own.
    fn attaching(
        (namespace, packet): (Namespace, Packet),
        attachments: &[Bytes],
        is_first_protocol: bool,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let (bytes, body_at) = Self::write(namespace, packet, body);
        let before: &[u8] = if is_first_protocol { &[MESSAGE] } else { &[] };
        let all = match attachments {
            [] => bytes,
            _ => with_attachments(&bytes, attachments, before),
        };
        Self {
            packet,
            message: WireMessage::new(namespace, Tag::Aside, all),
            body_at,
            is_first_protocol,
        }
    }

    /// The end of a connection to a namespace: the client doesn't come back by itself.
    pub fn disconnect(namespace: Namespace) -> Self {
        Self::new(namespace, Packet::Disconnect, Tag::Aside, |_| {})
    }

    /// Whether the frame is an answer with an id that the engine can't write.
    pub fn is_beyond_engine(&self) -> bool {
        match self.packet {
            Packet::Ack(id) | Packet::AckAttaching(id, _) => i64::try_from(id).is_err(),
            _ => false,
        }
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
            is_first_protocol: false,
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
            Packet::Attaching(_) | Packet::AskingAttaching(..) => b'5',
            Packet::Ack(_) => b'3',
            Packet::AckAttaching(..) => b'6',
            Packet::ConnectError => b'4',
        });
        if let Packet::Attaching(count)
        | Packet::AckAttaching(_, count)
        | Packet::AskingAttaching(_, count) = packet
        {
            out.extend_from_slice(count.to_string().as_bytes());
            out.push(b'-');
        }
        if namespace != Namespace::Root {
            out.extend_from_slice(namespace.path().as_bytes());
            out.push(b',');
        }
        match packet {
            Packet::Ack(id) | Packet::AckAttaching(id, _) => {
                out.extend_from_slice(id.to_string().as_bytes());
            }
            Packet::Asking(id) | Packet::AskingAttaching(id, _) => {
                out.extend_from_slice(id.to_string().as_bytes());
            }
            Packet::Event | Packet::Attaching(_) | Packet::Disconnect | Packet::ConnectError => {}
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
        let end = first_frame(&self.message.bytes).map_or(self.body_at, |(_, end)| end);
        &self.message.bytes[self.body_at..end]
    }

    /// The packet's attachments.
    pub fn attachments(&self) -> Vec<Bytes> {
        let all = &self.message.bytes;
        let skipped = usize::from(self.is_first_protocol);
        let mut at = first_frame(all).map_or(all.len(), |(_, end)| end);
        let mut attachments = Vec::new();
        while let Some((payload_at, end)) = first_frame(&all[at..]) {
            attachments.push(all.slice((at + payload_at + skipped).min(at + end)..at + end));
            at += end;
        }
        attachments
    }

    /// The number of packets that the engine makes of it.
    pub fn packets(&self) -> usize {
        if let Packet::AckAttaching(_, count) | Packet::AskingAttaching(_, count) = self.packet {
            return 1 + count;
        }
        match self.message.bytes.get(self.body_at.saturating_sub(1)) {
            Some(b'-' | b',') => 1 + self.attachments().len(),
            _ => 1,
        }
    }
}

/// The byte before an attachment in Engine.IO 3: its packet is a message.
const MESSAGE: u8 = 4;

fn attachments_of(update: &Outgoing) -> &[Bytes] {
    let emission = update.emission();
    emission.map_or(&[], |emission| &emission.attachments[..])
}

/// The frames of an update: its packet with these arguments, and one for each attachment, behind these bytes.
fn written(update: &Outgoing, payload: &str, before: &[u8]) -> Bytes {
    let (namespace, name) = (update.namespace, &update.name);
    let attachments = attachments_of(update);
    let packet = match attachments.len() {
        0 => Packet::Event,
        count => Packet::Attaching(count),
    };
    let (bytes, _) = Frame::write(namespace, packet, |out| event(out, name, payload));
    if attachments.is_empty() {
        return bytes;
    }
    with_attachments(&bytes, attachments, before)
}

/// A packet's frame with those of its attachments.
fn with_attachments(packet: &Bytes, attachments: &[Bytes], before: &[u8]) -> Bytes {
    let mut all = packet.to_vec();
    for attachment in attachments {
        let header = header(FINAL_BINARY, before.len() + attachment.len());
        all.extend_from_slice(&header);
        all.extend_from_slice(before);
        all.extend_from_slice(attachment);
    }
    all.into()
}

/// `["event",payload]`.
fn event(out: &mut Vec<u8>, name: &str, payload: &str) {
    out.push(b'[');
    // Event names are checked at the door, but a quote in one must never break the packet.
    serde_json::to_writer(&mut *out, name).ok();
    // An emission may have no arguments.
    if !payload.is_empty() {
        out.push(b',');
        out.extend_from_slice(payload.as_bytes());
    }
    out.push(b']');
}

/// The index at which the JSON array of an update's frame begins.
fn body_at(message: &WireMessage) -> usize {
    let header = first_frame(&message.bytes).map_or(0, |(payload_at, _)| payload_at);
    let attached = match message.bytes.get(header + 1) {
        Some(b'5') => {
            let behind = message.bytes[header + 2..].iter();
            behind.take_while(|byte| **byte != b'-').count() + 1
        }
        _ => 0,
    };
    let namespace = match message.namespace {
        Namespace::Root => 0,
        namespace => namespace.path().len() + 1,
    };
    header + 2 + attached + namespace
}

#[cfg(test)]
mod tests;
