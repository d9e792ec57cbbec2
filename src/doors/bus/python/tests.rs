//! Messages as the versions of python-socketio write them.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ListData, read};
use crate::doors::bus::{Broadcast, Message, MessageLimits, Operation, Refusal};

const LIMITS: MessageLimits = MessageLimits {
    max_bytes: 10_000,
    max_depth: 8,
    max_rooms: 100,
    max_attachments: 10,
};

fn emit(mut message: Value, lists: ListData) -> Result<Broadcast, Refusal> {
    message["method"] = "emit".into();
    message["event"] = "e".into();
    match read(message.to_string().as_bytes(), lists, LIMITS)? {
        Message::Emit(broadcast) => Ok(broadcast),
        Message::Operation(operation) => panic!("{operation:?}"),
    }
}

fn args(message: Value, lists: ListData) -> Vec<Value> {
    let args = emit(message, lists).expect("read").args;
    serde_json::from_str(&format!("[{args}]")).expect("JSON")
}

#[test]
fn the_arguments_of_each_age_are_read() {
    use ListData::{Args, Raw};
    let read = |message: Value, lists| args(message, lists);
    // 5.14.0 has no `binary`: whatever it is, it is the one argument.
    assert_eq!(read(json!({ "data": { "a": 1 } }), Args), [json!({"a": 1})]);
    assert_eq!(read(json!({ "data": [1, 2] }), Args), [json!([1, 2])]);
    assert_eq!(read(json!({ "data": null }), Args), [] as [Value; 0]);
    assert_eq!(read(json!({}), Args), [] as [Value; 0]);
    // 5.14.2 to 5.15.0: the one argument, and a list needs the setting.
    let old = |data: Value| json!({ "data": data, "binary": false });
    assert_eq!(read(old(json!("x")), Args), ["x"]);
    assert_eq!(read(old(json!([1, 2])), Raw), [json!([1, 2])]);
    assert_eq!(read(old(json!(null)), Raw), [] as [Value; 0]);
    // From 5.15.1 on: the list of arguments.
    assert_eq!(read(old(json!([1, 2])), Args), [1, 2]);
    assert_eq!(read(old(json!([[1, 2]])), Args), [json!([1, 2])]);
    assert_eq!(read(old(json!([null])), Args), [] as [Value; 0]);
    assert_eq!(
        read(old(json!([null, null])), Args),
        [json!(null), json!(null)]
    );
    assert_eq!(read(old(json!([])), Args), [] as [Value; 0]);
}

#[test]
fn binary_parts_are_found_in_both_forms() {
    let placeholder = json!({ "_placeholder": true, "num": 0 });
    for (data, lists, expected) in [
        (
            json!([placeholder, "AAH/"]),
            ListData::Args,
            vec![placeholder.clone()],
        ),
        (
            json!([[placeholder, 5], "AAH/"]),
            ListData::Args,
            vec![placeholder.clone(), json!(5)],
        ),
        (
            json!([[placeholder], "AAH/"]),
            ListData::Raw,
            vec![json!([placeholder])],
        ),
    ] {
        let message = json!({ "data": data, "binary": true });
        let broadcast = emit(message.clone(), lists).expect("read");
        assert_eq!(broadcast.attachments, [&[0, 1, 255][..]]);
        assert_eq!(args(message, lists), expected);
    }
    for data in [
        json!([]),
        json!({}),
        json!([placeholder, "?"]),
        json!([placeholder, 7]),
    ] {
        let refused = emit(json!({ "data": data, "binary": true }), ListData::Args);
        assert_eq!(refused.expect_err("no base64").reason(), "malformed");
    }
}

#[test]
fn rooms_and_those_passed_over_are_read_in_each_form() {
    let broadcast = |room: Value, skip: Value| {
        let message = json!({ "room": room, "skip_sid": skip, "namespace": "/chat" });
        let broadcast = emit(message, ListData::Args).expect("read");
        assert_eq!(broadcast.namespace, "/chat");
        (broadcast.rooms, broadcast.except)
    };
    let lists = |rooms: &[&str], except: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        (owned(rooms), owned(except))
    };
    assert_eq!(broadcast(json!(null), json!(null)), lists(&[], &[]));
    assert_eq!(broadcast(json!("a"), json!("c")), lists(&["a"], &["c"]));
    assert_eq!(
        broadcast(json!(["a", 7]), json!(["c", "d"])),
        lists(&["a", "7"], &["c", "d"])
    );
    let plain = emit(json!({ "namespace": "" }), ListData::Args).expect("read");
    assert_eq!(plain.namespace, "/");
    assert!(!plain.asks_ack);
    let asks = json!({ "callback": ["room", "/", 1] });
    assert!(emit(asks, ListData::Args).expect("read").asks_ack);
}

#[test]
fn operations_are_told_apart() {
    let operation = |message: Value| {
        let message = message.to_string();
        match read(message.as_bytes(), ListData::Args, LIMITS).expect("read") {
            Message::Operation(operation) => operation,
            Message::Emit(broadcast) => panic!("{broadcast:?}"),
        }
    };
    let of = |method: &str| {
        operation(
            json!({ "method": method, "sid": "c", "room": "r", "namespace": "/n", "host_id": "h" }),
        )
    };
    let (client, room, namespace) = ("c".to_owned(), "r".to_owned(), "/n".to_owned());
    for (method, expected) in [
        (
            "disconnect",
            Operation::Disconnect {
                client: client.clone(),
                namespace: namespace.clone(),
            },
        ),
        (
            "enter_room",
            Operation::Enter {
                client: client.clone(),
                room: room.clone(),
                namespace: namespace.clone(),
            },
        ),
        (
            "leave_room",
            Operation::Leave {
                client,
                room: room.clone(),
                namespace: namespace.clone(),
            },
        ),
        ("close_room", Operation::Close { room, namespace }),
    ] {
        assert_eq!(of(method), expected);
        assert_eq!(expected.name(), method);
    }
}

#[test]
fn anything_else_is_refused_with_its_reason() {
    for (body, reason) in [
        (&b"\x80\x05\x95\x0a"[..], "pickle"),
        (b"\x80\x02}", "pickle"),
        (b"\x80", "malformed"),
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b"{\"method\":7}", "malformed"),
        (b"{\"method\":\"emit\"}", "malformed"),
        (
            b"{\"method\":\"emit\",\"event\":\"e\",\"data\":NaN}",
            "malformed",
        ),
        (
            b"{\"method\":\"emit\",\"event\":\"e\",\"data\":[Infinity]}",
            "malformed",
        ),
        (
            b"{\"method\":\"emit\",\"event\":\"e\",\"room\":[[\"r\"]]}",
            "malformed",
        ),
        (
            b"{\"method\":\"emit\",\"event\":\"e\",\"data\":[[[[[[[[[1]]]]]]]]]}",
            "too_deep",
        ),
        (b"{\"method\":\"disconnect\"}", "malformed"),
        (b"{\"method\":\"enter_room\",\"sid\":\"c\"}", "malformed"),
        (b"{\"method\":\"callback\",\"id\":1}", "unsupported"),
        (b"{\"method\":\"explode\"}", "unsupported"),
    ] {
        let refusal = read(body, ListData::Args, LIMITS).expect_err("refused");
        assert_eq!(
            refusal.reason(),
            reason,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    let long = vec![b' '; LIMITS.max_bytes + 1];
    assert_eq!(
        read(&long, ListData::Args, LIMITS),
        Err(Refusal::TooLarge(10_000))
    );
    // Brackets in texts nest nothing.
    let text = json!({ "data": "[[[[[[[[[[\\\"[[[[[[[[" });
    emit(text, ListData::Args).expect("read");
}

proptest! {
    /// Arguments come out as they went in, whatever they are.
    #[test]
    fn arguments_come_out_as_they_went_in(texts in prop::collection::vec(".{0,12}", 0..5), number in any::<i64>()) {
        let mut sent: Vec<Value> = texts.into_iter().map(Value::from).collect();
        sent.push(json!({ "n": number }));
        let message = json!({ "data": sent, "binary": false });
        prop_assert_eq!(args(message, ListData::Args), sent);
    }

    /// No bytes make the decoder panic, and all that is read is JSON.
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Message::Emit(broadcast)) = read(&body, ListData::Args, LIMITS) {
            serde_json::from_str::<Vec<Value>>(&format!("[{}]", broadcast.args)).expect("JSON");
        }
    }
}

#[test]
fn names_and_binary_parts_are_bounded() {
    let emitted = |message: Value| emit(message, ListData::Args).map(|read| read.rooms.len());
    let rooms = |most: usize| (0..most).map(Value::from).collect::<Vec<_>>();
    assert_eq!(emitted(json!({ "room": rooms(100) })), Ok(100));
    assert_eq!(
        emitted(json!({ "room": rooms(101) })),
        Err(Refusal::TooManyRooms(100))
    );
    assert_eq!(
        emitted(json!({ "skip_sid": rooms(101) })),
        Err(Refusal::TooManyRooms(100))
    );
    let binary = |most: usize| {
        let mut data = vec![json!([])];
        data.extend((0..most).map(|_| json!("")));
        emitted(json!({ "binary": true, "data": data }))
    };
    assert_eq!(binary(10), Ok(0));
    assert_eq!(binary(11), Err(Refusal::TooManyAttachments(10)));
}
