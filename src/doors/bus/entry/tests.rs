//! Entries of streams, in both forms of their data.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use data_encoding::BASE64;
use serde_json::json;

use super::{Fields, read};
use crate::doors::bus::{Broadcast, Message, MessageLimits, Refusal};

const LIMITS: MessageLimits = MessageLimits {
    max_bytes: 10_000,
    max_depth: 4,
    max_rooms: 100,
    max_attachments: 10,
};

fn entry(kind: &str, data: &str) -> Result<Broadcast, Refusal> {
    let fields = Fields {
        kind: kind.as_bytes(),
        namespace: b"/chat",
        data: data.as_bytes(),
    };
    match read(fields, LIMITS)? {
        Message::Emit(broadcast) => Ok(broadcast),
        Message::Operation(operation) => panic!("{operation:?}"),
    }
}

#[test]
fn json_is_read() {
    let data = json!({
        "packet": { "type": 2, "data": ["e", { "a": [1] }, null], "nsp": "/chat" },
        "opts": { "rooms": ["r"], "except": ["x"], "flags": { "volatile": true } },
    });
    let broadcast = entry("3", &data.to_string()).expect("read");
    assert_eq!(
        broadcast,
        Broadcast {
            namespace: "/chat".into(),
            event: "e".into(),
            args: "{\"a\":[1]},null".into(),
            rooms: vec!["r".into()],
            except: vec!["x".into()],
            volatile: true,
            ..Broadcast::default()
        }
    );
    // The field names the namespace where the packet does not.
    let data = json!({ "packet": { "data": ["e"] } }).to_string();
    assert_eq!(entry("3", &data).expect("read").namespace, "/chat");
}

#[test]
fn msgpack_is_read() {
    let mut body = vec![0x82, 0xa4];
    body.extend_from_slice(
        b"opts\x81\xa5rooms\x91\xa1r\xa6packet\x81\xa4data\x92\xa1e\xc4\x02\x00\xff",
    );
    let broadcast = entry("3", &BASE64.encode(&body)).expect("read");
    assert_eq!(broadcast.rooms, ["r"]);
    assert_eq!(broadcast.args, "{\"_placeholder\":true,\"num\":0}");
    assert_eq!(broadcast.attachments, [&[0, 255][..]]);
    assert_eq!(broadcast.namespace, "/chat");
}

#[test]
fn anything_else_is_refused_with_its_reason() {
    let deep = json!({ "packet": { "data": ["e", [[[[1]]]]] } }).to_string();
    for (kind, data, reason) in [
        ("1", "{}", "unsupported"),
        ("6", "{}", "unsupported"),
        ("", "{}", "unsupported"),
        ("3", "", "malformed"),
        ("3", "{}", "malformed"),
        ("3", "!", "malformed"),
        ("3", "wA==", "malformed"),
        ("3", "{\"packet\":{\"data\":[]}}", "malformed"),
        ("3", "{\"packet\":{\"data\":[1]}}", "malformed"),
        ("3", &deep, "too_deep"),
        ("3", &"{".repeat(10_001), "too_large"),
    ] {
        let refusal = entry(kind, data).expect_err("refused");
        assert_eq!(refusal.reason(), reason, "{kind} {data:.40}");
    }
}
