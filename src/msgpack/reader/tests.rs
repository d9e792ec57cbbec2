//! Values of msgpack against a packer, and bytes that no packer writes.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Reader, Written};
use crate::msgpack::{Fault, Limits};

/// The limits with this nesting.
fn nested(max_depth: usize) -> Limits {
    Limits {
        max_depth,
        max_attachments: 10,
        max_json: 1 << 20,
    }
}

fn pack(value: &Value, out: &mut Vec<u8>) {
    use rmp::encode::{
        write_array_len, write_bool, write_f64, write_map_len, write_nil, write_sint, write_str,
        write_uint,
    };
    match value {
        Value::Null => write_nil(out).unwrap(),
        Value::Bool(value) => write_bool(out, *value).unwrap(),
        Value::Number(number) => {
            if let Some(number) = number.as_u64() {
                write_uint(out, number).map(drop).unwrap();
            } else if let Some(number) = number.as_i64() {
                write_sint(out, number).map(drop).unwrap();
            } else {
                write_f64(out, number.as_f64().unwrap()).unwrap();
            }
        }
        Value::String(text) => write_str(out, text).unwrap(),
        Value::Array(items) => {
            write_array_len(out, u32::try_from(items.len()).unwrap()).unwrap();
            items.iter().for_each(|item| pack(item, out));
        }
        Value::Object(map) => {
            write_map_len(out, u32::try_from(map.len()).unwrap()).unwrap();
            for (key, value) in map {
                write_str(out, key).unwrap();
                pack(value, out);
            }
        }
    }
}

fn read(body: &[u8], max_depth: usize) -> Result<(Value, Written), Fault> {
    let mut reader = Reader::new(body, nested(max_depth));
    let mut out = Written::default();
    reader.value(&mut out, 0)?;
    reader.end()?;
    let value = serde_json::from_slice(&out.json).expect("JSON");
    Ok((value, out))
}

fn json_of(body: &[u8]) -> Value {
    read(body, 8).expect("read").0
}

#[test]
fn numbers_of_all_sizes_are_read() {
    for number in [
        0,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        u64::from(u32::MAX),
        u64::MAX,
    ] {
        let mut body = Vec::new();
        pack(&json!(number), &mut body);
        assert_eq!(json_of(&body), json!(number));
    }
    for number in [-1, -32, -33, -128, -129, -32_768, -32_769, i64::MIN] {
        let mut body = Vec::new();
        pack(&json!(number), &mut body);
        assert_eq!(json_of(&body), json!(number));
    }
    assert_eq!(json_of(&[0xca, 0x3f, 0x80, 0, 0]), json!(1.0));
    for not_finite in [f64::NAN, f64::INFINITY] {
        let mut body = vec![0xcb];
        body.extend_from_slice(&not_finite.to_be_bytes());
        assert_eq!(json_of(&body), Value::Null);
    }
}

#[test]
fn dates_are_written_as_a_node_server_writes_them() {
    for (body, date) in [
        (
            &[0xd6, 0xff, 0x5e, 0, 0, 0][..],
            json!("2019-12-22T23:45:04.000Z"),
        ),
        // 500 ms, then the seconds.
        (
            &[0xd7, 0xff, 0x77, 0x35, 0x94, 0, 0x5e, 0, 0, 0],
            json!("2019-12-22T23:45:04.500Z"),
        ),
        (
            &[
                0xc7, 12, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            json!("1969-12-31T23:59:59.000Z"),
        ),
        // Milliseconds, of older packers.
        (
            &[0xd7, 0, 0, 0, 0, 0, 0, 0, 0x03, 0xe9],
            json!("1970-01-01T00:00:01.001Z"),
        ),
        (&[0xd4, 0, 0], json!(null)),
        // No date has this time.
        (&[0xd7, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0], json!(null)),
    ] {
        assert_eq!(json_of(body), date, "{body:?}");
    }
    let unknown = read(&[0xd4, 5, 0], 8).expect_err("no such type");
    assert!(matches!(unknown, Fault::Malformed(_)));
}

#[test]
fn binary_values_become_placeholders_in_their_order() {
    let body = [0x92, 0xc4, 1, 7, 0x81, 0xa1, b'b', 0xc4, 2, 8, 9];
    let (value, out) = read(&body, 8).expect("read");
    let placeholder = |num: u32| json!({ "_placeholder": true, "num": num });
    assert_eq!(value, json!([placeholder(0), { "b": placeholder(1) }]));
    assert_eq!(out.attachments, [&[7][..], &[8, 9]]);
    // An `ArrayBuffer` of JavaScript, of one byte and of eight.
    let body = [0x92, 0xc7, 1, 0, 7, 0xc7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let (value, out) = read(&body, 8).expect("read");
    assert_eq!(value, json!([placeholder(0), placeholder(1)]));
    assert_eq!(out.attachments, [&[7][..], &[1, 2, 3, 4, 5, 6, 7, 8]]);
}

#[test]
fn lengths_that_lie_and_deep_nesting_are_refused() {
    for body in [
        &[][..],
        &[0xc1],
        &[0xa5, b'a'],
        &[0xdb, 0xff, 0xff, 0xff, 0xff, b'a'],
        &[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xc6, 0xff, 0xff, 0xff, 0xff],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 0],
        &[0x81, 0xc0, 0xc0],
        &[0xc0, 0xc0],
    ] {
        let refusal = read(body, 8).expect_err("refused");
        assert!(matches!(refusal, Fault::Malformed(_)), "{body:?}");
        Reader::new(body, nested(8)).skip().ok();
    }
    assert_eq!(
        read(&[0x91; 100_000], 8).expect_err("deep"),
        Fault::TooDeep(8)
    );
    // Nobody's stack grows with a value that is passed over.
    Reader::new(&[0x91; 100_000], nested(8))
        .skip()
        .expect_err("cut");
    assert!(read(&[0x91, 0x91, 0xc0], 2).is_ok());
    assert_eq!(
        read(&[0x91, 0x91, 0xc0], 1).expect_err("deep"),
        Fault::TooDeep(1)
    );
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    /// Values come out as they went in.
    #[test]
    fn values_come_out_as_they_went_in(value in value()) {
        let mut body = Vec::new();
        pack(&value, &mut body);
        prop_assert_eq!(json_of(&body), value);
        let mut reader = Reader::new(&body, nested(8));
        reader.skip().expect("one value");
        reader.end().expect("all of it");
    }

    /// No bytes make the reader panic, and all that is read is JSON with as many placeholders as attachments.
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&body, 8).ok();
    }
}

/// A binary part of one byte costs dozens in memory, and a value of one byte five as JSON: reading stops at the first beyond
/// the limit.
#[test]
fn reading_stops_at_the_limits_of_binary_parts_and_of_json() {
    let list = |len: u32, part: &[u8]| {
        let mut body = vec![0xdd];
        body.extend_from_slice(&len.to_be_bytes());
        (0..len).for_each(|_| body.extend_from_slice(part));
        body
    };
    let parts = |len| {
        let mut out = Written::default();
        let read = Reader::new(&list(len, &[0xc4, 0]), nested(8)).value(&mut out, 0);
        (read, out.attachments.len())
    };
    assert_eq!(parts(10), (Ok(()), 10));
    assert_eq!(parts(490_000), (Err(Fault::TooManyAttachments(10)), 10));
    let mut out = Written::default();
    let read = Reader::new(&list(400_000, &[0xc0]), nested(8)).value(&mut out, 0);
    assert_eq!(read, Err(Fault::TooLarge(1 << 20)));
    assert!(out.json.len() <= (1 << 20) + 8, "{}", out.json.len());
}
