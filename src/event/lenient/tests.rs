use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn value(text: &str) -> (Value, Mended) {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn mended(numbers: usize, surrogates: usize, bytes: usize, marks: usize) -> Mended {
    Mended {
        numbers,
        surrogates,
        bytes,
        marks,
    }
}

#[test]
fn odd_values_are_read_and_counted() {
    for (text, read, counted) in [
        ("NaN", json!(null), mended(1, 0, 0, 0)),
        (
            r#"{"a":NaN,"b":-Infinity,"c":Infinity,"d":[1e999,-1e999,2]}"#,
            json!({ "a": null, "b": null, "c": null, "d": [null, null, 2] }),
            mended(5, 0, 0, 0),
        ),
        (
            r#"{"text":"half \ud83d, other half \ude00, whole \ud83d\ude00"}"#,
            json!({ "text": "half \u{fffd}, other half \u{fffd}, whole 😀" }),
            mended(0, 2, 0, 0),
        ),
        (
            r#"["\ud83d\ud83d\ude00","\ud83dx","\ud83d\n"]"#,
            json!(["\u{fffd}😀", "\u{fffd}x", "\u{fffd}\n"]),
            mended(0, 3, 0, 0),
        ),
        ("\u{feff}{\"a\":1}", json!({ "a": 1 }), mended(0, 0, 0, 1)),
        // A number within a string or a key is text.
        (
            r#"{"NaN":"NaN \"Infinity","x":NaN}"#,
            json!({ "NaN": "NaN \"Infinity", "x": null }),
            mended(1, 0, 0, 0),
        ),
        (
            r#"{"escaped":"\\ud83d \\","x":NaN}"#,
            json!({ "escaped": "\\ud83d \\", "x": null }),
            mended(1, 0, 0, 0),
        ),
    ] {
        assert_eq!(value(text), (read, counted), "{text}");
    }
    let (read, counted) = read(b"{\"a\":\"caf\xe9 \xff\xfe!\"}").unwrap();
    assert_eq!(read["a"].as_str(), Some("caf\u{fffd} \u{fffd}\u{fffd}!"));
    assert_eq!(counted, mended(0, 0, 3, 0));
}

#[test]
fn the_rest_stays_an_error() {
    for text in [
        "",
        "NaNa",
        "{a:1}",
        "{\"a\":NaN,}",
        "[NaN",
        "'x'",
        "nul",
        "Nul",
        "undefined",
        "{\"a\":01e999}",
        "\"\\ud8\"",
        "\"\\ud83d",
        "{\"a\":\"b",
        "\u{fffd}",
        "--Infinity",
        "\\ud83d",
    ] {
        let error = read(text.as_bytes()).expect_err(text);
        assert_eq!(error.code, "bad_request", "{text}");
    }
    let deep = format!("{}NaN{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(read(deep.as_bytes()).unwrap_err().code, "too_deep");
}

fn list(text: &str) -> Vec<Result<Value, Error>> {
    match read_body(text.as_bytes()) {
        Ok((Body::Many(list), _)) => list,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn in_a_list_each_stands_for_itself() {
    let read = list(r#"[{"a":1}, {b:2}, {"c":"]},["}, NaN, , {"d":[1,2]}]"#);
    let items: Vec<_> = read.into_iter().map(|i| i.map_err(|e| e.code)).collect();
    assert_eq!(
        items,
        [
            Ok(json!({ "a": 1 })),
            Err("bad_request"),
            Ok(json!({ "c": "]},[" })),
            Ok(json!(null)),
            Err("bad_request"),
            Ok(json!({ "d": [1, 2] })),
        ]
    );
    let deep = format!("[1,{}1{},2]", "[".repeat(200), "]".repeat(200));
    let read = list(&deep);
    assert_eq!(read[1].as_ref().unwrap_err().code, "too_deep");
    assert_eq!((&read[0], &read[2]), (&Ok(json!(1)), &Ok(json!(2))));
    for (text, items) in [("[]", 0), (" [ ] ", 0), ("[1,2,3,NaN]", 4), ("[1,2,3]", 3)] {
        assert_eq!(list(text).len(), items, "{text}");
    }
    let joined = "\u{feff}\u{feff}[1, x]".as_bytes();
    assert!(
        matches!(read_body(joined), Ok((Body::Many(list), put_right))
            if list.len() == 2 && list[0] == Ok(json!(1)) && put_right.marks == 2)
    );
    for text in ["[1,2", "[1}]", "[1]]", "[{]", "[\"x]", "[NaN] x", "[NaN,"] {
        assert!(read_body(text.as_bytes()).is_err(), "{text}");
    }
    assert!(matches!(read_body(b"{\"a\":NaN}"), Ok((Body::One(_), m)) if m.numbers == 1));
}

#[test]
fn values_are_never_counted_too_few() {
    for (text, values) in [
        ("1", 1),
        ("[]", 2),
        (r#"{"a":[1,2,{"b":3}],"c":"[[[,,,"}"#, 7),
    ] {
        assert_eq!(count_values(text.as_bytes()), values, "{text}");
    }
}

/// Any JSON at all.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_stays_as_it_is(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(mend(text.as_bytes()), None);
        prop_assert_eq!(read(text.as_bytes()).ok(), Some((value, Mended::default())));
    }

    #[test]
    fn lists_are_split_where_json_splits_them(items in prop::collection::vec(any_json(), 0..8)) {
        let text = serde_json::to_string_pretty(&items).unwrap_or_default();
        let (parts, more) = elements(text.as_bytes(), 5).expect("a list");
        prop_assert_eq!(parts.len() + more, items.len());
        for (part, item) in parts.iter().zip(&items) {
            prop_assert_eq!(&serde_json::from_slice::<Value>(part).ok(), &Some(item.clone()));
        }
    }

    #[test]
    fn nothing_grows_beyond_three_times(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some((mended, _)) = mend(&text) {
            prop_assert!(mended.len() <= text.len() * 3 + 4);
            prop_assert_eq!(mend(mended.as_bytes()), None, "once is enough");
        }
        read(&text).ok();
        read_body(&text).ok();
    }

    #[test]
    fn what_is_nearly_json_is_read(text in "[\\[\\]{}:,\" ]{0,4}(NaN|-Infinity|1e999|\"\\\\ud83d\"|\"a\"|[0-9]{1,3}|[\\[\\]{}:,]){0,12}") {
        if let Some((mended, _)) = mend(text.as_bytes()) {
            prop_assert_eq!(mend(mended.as_bytes()), None);
        }
        read_body(text.as_bytes()).ok();
    }
}
