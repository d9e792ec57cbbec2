//! A client's packet as a session needs it that is served without the engine.

use bytes::Bytes;
use socketioxide_core::Str;

use super::{
    message::{CLOSE, Message},
    packet::{Kind, Packet},
    screen::Passed,
};
use crate::channel::Namespace;

/// The opcode of a WebSocket's ping.
const PING: u8 = 0x9;

/// A packet that the screen has passed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::doors::socketio) enum ClientPacket {
    /// The client asks to join a namespace, perhaps one that there is not.
    Connect { namespace: String, auth: String },
    /// The client leaves a namespace.
    Disconnect(Namespace),
    /// The client sends an event.
    Event {
        namespace: Namespace,
        /// `["event",…]`.
        text: Str,
        attachments: Vec<Bytes>,
        /// The id of the answer, if the client wants one.
        ack: Option<i64>,
    },
    /// The client ends its session.
    Close,
    /// A WebSocket's ping, to be answered with the same bytes.
    Ping(Vec<u8>),
    /// A WebSocket's close frame, with the code that is in it.
    CloseFrame(Option<u16>),
}

/// The packets among the messages that the screen has passed. The others say nothing: answers to pings, which count when
/// they are read, and packets for a namespace that the server does not have.
pub(in crate::doors::socketio) fn packets(passed: Passed) -> impl Iterator<Item = ClientPacket> {
    let mut messages = passed.into_iter();
    std::iter::from_fn(move || {
        loop {
            let packet = match messages.next()? {
                Message::Text(text) => packet(text, &mut messages),
                // The attachments of a packet come right behind it.
                Message::Binary(_) => None,
                Message::Control(CLOSE, payload) => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    Some(ClientPacket::CloseFrame(code))
                }
                Message::Control(PING, payload) => Some(ClientPacket::Ping(payload)),
                Message::Control(..) => None,
            };
            if packet.is_some() {
                return packet;
            }
        }
    })
}

fn packet(text: Vec<u8>, messages: &mut impl Iterator<Item = Message>) -> Option<ClientPacket> {
    // The screen has looked: it is text.
    let text = String::from_utf8(text).ok()?;
    if text == "1" {
        return Some(ClientPacket::Close);
    }
    let packet = Packet::read(text.strip_prefix('4')?).ok()?;
    match packet.kind {
        Kind::Connect => Some(ClientPacket::Connect {
            namespace: packet.namespace.to_owned(),
            auth: packet.body.to_owned(),
        }),
        Kind::Disconnect => Namespace::at(packet.namespace).map(ClientPacket::Disconnect),
        Kind::Event => {
            let count = packet.attachments.unwrap_or(0);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let attachments = messages.take(count).filter_map(|message| match message {
                Message::Binary(bytes) => Some(bytes.into()),
                _ => None,
            });
            let (namespace, ack) = (Namespace::at(packet.namespace)?, packet.ack);
            let (attachments, body) = (attachments.collect(), packet.body.len());
            let body_at = text.len() - body;
            Some(ClientPacket::Event {
                namespace,
                text: Str::from(text).slice(body_at..),
                attachments,
                ack,
            })
        }
        // The screen keeps answers to itself.
        Kind::Ack => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(messages: Vec<Message>) -> Vec<ClientPacket> {
        packets(messages.into_iter().collect()).collect()
    }

    #[test]
    fn an_event_comes_with_its_attachments_and_the_next_packet_after_them() {
        let said = read(vec![
            Message::text(r#"451-/admin,7["up",{"_placeholder":true,"num":0}]"#),
            Message::Binary(vec![1, 2]),
            Message::text("41"),
        ]);
        let event = ClientPacket::Event {
            namespace: Namespace::Admin,
            text: Str::from(r#"["up",{"_placeholder":true,"num":0}]"#),
            attachments: vec![Bytes::from_static(&[1, 2])],
            ack: Some(7),
        };
        assert_eq!(said, [event, ClientPacket::Disconnect(Namespace::Root)]);
    }

    #[test]
    fn heartbeats_say_nothing_and_the_end_is_told_in_two_ways() {
        let said = read(vec![
            Message::text("3"),
            Message::text("2"),
            Message::text("1"),
            Message::Control(CLOSE, vec![3, 232]),
            Message::Control(CLOSE, Vec::new()),
            Message::Control(PING, b"x".to_vec()),
        ]);
        let end = [
            ClientPacket::Close,
            ClientPacket::CloseFrame(Some(1000)),
            ClientPacket::CloseFrame(None),
            ClientPacket::Ping(b"x".to_vec()),
        ];
        assert_eq!(said, end);
    }

    #[test]
    fn a_namespace_that_is_not_there_can_be_asked_for() {
        let said = read(vec![Message::text(r#"40/nowhere,{"token":"t"}"#)]);
        let connect = ClientPacket::Connect {
            namespace: "/nowhere".to_owned(),
            auth: r#"{"token":"t"}"#.to_owned(),
        };
        assert_eq!(said, [connect]);
    }
}
