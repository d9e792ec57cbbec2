//! Messages as the emitters of Node and of other languages write them.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use proptest::prelude::*;

use super::read;
use crate::doors::bus::{Broadcast, Message, MessageLimits, Refusal};

const LIMITS: MessageLimits = MessageLimits {
    max_bytes: 10_000,
    max_depth: 4,
    max_rooms: 100,
    max_attachments: 10,
};

/// Msgpack, from parts that are written one after the other.
#[derive(Default)]
struct Pack(Vec<u8>);

impl Pack {
    fn list(mut self, len: u8) -> Self {
        self.0.push(0x90 | len);
        self
    }

    fn map(mut self, len: u8) -> Self {
        self.0.push(0x80 | len);
        self
    }

    fn text(mut self, text: &str) -> Self {
        rmp::encode::write_str(&mut self.0, text).unwrap();
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn nil(self) -> Self {
        self.bytes(&[0xc0])
    }

    fn read(self) -> Result<Broadcast, Refusal> {
        match read(&self.0, LIMITS)? {
            Message::Emit(broadcast) => Ok(broadcast),
            Message::Operation(operation) => panic!("{operation:?}"),
        }
    }
}

fn packet(pack: Pack) -> Pack {
    let packet = pack.map(3).text("type").bytes(&[2]).text("data");
    let data = packet.list(3).text("e").bytes(&[1]).bytes(&[0xc4, 1, 9]);
    data.text("nsp").text("/chat")
}

#[test]
fn the_present_form_is_read() {
    let message = packet(Pack::default().list(3).text("emitter"));
    let message = message.map(3).text("rooms").list(2).text("a").bytes(&[7]);
    let message = message.text("except").list(1).text("b");
    let message = message.text("flags").map(2).text("compress").bytes(&[0xc3]);
    let broadcast = message
        .text("volatile")
        .bytes(&[0xc3])
        .read()
        .expect("read");
    assert_eq!(
        broadcast,
        Broadcast {
            namespace: "/chat".into(),
            event: "e".into(),
            args: "1,{\"_placeholder\":true,\"num\":0}".into(),
            attachments: vec![vec![9].into()],
            rooms: vec!["a".into(), "7".into()],
            except: vec!["b".into()],
            volatile: true,
            asks_ack: false,
        }
    );
}

#[test]
fn older_and_foreign_forms_are_read() {
    // Two parts, no namespace, type 5, an empty room, flags as a list.
    let message = Pack::default()
        .list(2)
        .map(2)
        .text("data")
        .list(1)
        .text("e");
    let message = message
        .text("type")
        .bytes(&[5])
        .map(2)
        .text("rooms")
        .text("");
    let broadcast = message.text("flags").list(0).read().expect("read");
    assert_eq!(broadcast.namespace, "/");
    assert!(broadcast.rooms.is_empty() && broadcast.args.is_empty());
    // Everything that may be nil is nil, and an unknown key is passed over.
    let message = Pack::default().list(3).nil().map(3).text("data");
    let message = message.list(2).text("e").nil().text("nsp").nil();
    let message = message.text("x").list(1).list(1).nil().map(3);
    let message = message.text("rooms").nil().text("except").nil();
    let broadcast = message.text("flags").nil().read().expect("read");
    assert_eq!((&*broadcast.event, &*broadcast.args), ("e", ""));
    // One room as a text, options as nil.
    let message = packet(Pack::default().list(2)).map(1).text("rooms");
    assert_eq!(message.text("r").read().expect("read").rooms, ["r"]);
    packet(Pack::default().list(2)).nil().read().expect("read");
    // An argument beside another stays what it is.
    let message = Pack::default().list(2).map(1).text("data").list(3);
    let broadcast = message.text("e").nil().nil().nil().read().expect("read");
    assert_eq!(broadcast.args, "null,null");
}

#[test]
fn anything_else_is_refused_with_its_reason() {
    let data = |pack: Pack| pack.list(2).map(1).text("data");
    let messages = [
        (Pack::default().bytes(b"{\"uid\":\"x\"}"), "malformed"),
        (Pack::default().list(1).nil(), "malformed"),
        (Pack::default().list(2).nil().nil(), "malformed"),
        (Pack::default().list(2).map(0).nil(), "malformed"),
        (data(Pack::default()).list(0).nil(), "malformed"),
        (data(Pack::default()).list(1).bytes(&[1]).nil(), "malformed"),
        (data(Pack::default()).list(1).text("e").list(0), "malformed"),
        (packet(Pack::default().list(2)).nil().nil(), "malformed"),
        (
            data(Pack::default()).list(2).text("e").bytes(&[0x91; 9]),
            "too_deep",
        ),
        (
            Pack::default().list(2).map(1).text("type").bytes(&[3]),
            "malformed",
        ),
        (Pack::default().bytes(&[0; 10_001]), "too_large"),
    ];
    for (pack, reason) in messages {
        let body = pack.0.clone();
        let refusal = pack.read().expect_err("refused");
        assert_eq!(refusal.reason(), reason, "{body:?}");
    }
}

proptest! {
    /// A message that is cut or changed anywhere is read or refused, and what is read is JSON.
    #[test]
    fn a_changed_message_is_read_or_refused(at in 0..80_usize, byte in any::<u8>(), len in 0..80_usize) {
        let mut body = packet(Pack::default().list(3).text("emitter")).map(1).text("rooms").text("r").0;
        let at = at % body.len();
        body[at] = byte;
        body.truncate(len.max(1));
        if let Ok(Message::Emit(broadcast)) = read(&body, LIMITS) {
            serde_json::from_str::<Vec<serde_json::Value>>(&format!("[{}]", broadcast.args)).expect("JSON");
        }
    }
}
