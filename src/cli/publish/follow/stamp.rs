//! Ids for lines that have none: the same line of the same file has the same id, however often it is sent.

use std::io::Write;

use serde_json::Value;

use crate::{
    event::{free_id_key, lenient},
    fnv::fnv,
};

/// The longest name of a file that stands in an id as it is; an id has 128 characters at most.
const MAX_NAME: usize = 80;
/// The most elements of a list on one line that are looked for; no server takes more in one request.
const MAX_ELEMENTS: usize = 100_000;

/// The id of the line that begins at this byte of the file. A later file of the same name has a number beside it.
pub(super) fn place(name: &str, generation: u32, offset: u64) -> String {
    let is_plain = name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
    let name = match is_plain {
        true => name.into(),
        false => format!("{:016x}", fnv(name.bytes())),
    };
    match generation {
        0 => format!("file:{name}:{offset}"),
        later => format!("file:{name}#{later}:{offset}"),
    }
}

/// Adds a line to a body of NDJSON, with this id unless the event has its own; the number of events in it. Each element of
/// a list is an event.
pub(super) fn stamp(line: &[u8], id: &str, body: &mut Vec<u8>) -> usize {
    let list = line.starts_with(b"[");
    match lenient::elements(line, MAX_ELEMENTS).filter(|_| list) {
        Some((parts, 0)) => {
            for (index, part) in parts.iter().enumerate() {
                stamp_one(part, &format!("{id}.{index}"), body);
            }
            parts.len()
        }
        _ => {
            stamp_one(line, id, body);
            1
        }
    }
}

/// A text that is no object is passed on as it is: the server says what is wrong with it.
fn stamp_one(text: &[u8], id: &str, body: &mut Vec<u8>) {
    let object = match lenient::read(text) {
        Ok((Value::Object(object), _)) => Some(object),
        _ => None,
    };
    let key = object.as_ref().and_then(free_id_key);
    let open = text.trim_ascii_end().strip_suffix(b"}");
    if let (Some(object), Some(key), Some(open)) = (object, key, open) {
        body.extend_from_slice(open);
        if !object.is_empty() {
            body.push(b',');
        }
        // Writing into memory can't fail.
        writeln!(body, "\"{key}\":{}}}", Value::from(id)).ok();
    } else {
        body.extend_from_slice(text);
        body.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(line: &str) -> String {
        let mut body = Vec::new();
        stamp(line.as_bytes(), "file:a:0", &mut body);
        String::from_utf8(body).expect("text")
    }

    #[test]
    fn an_event_keeps_its_own_id() {
        for line in [
            r#"{"type":"a.b","id":"x"}"#,
            r#"{"type":"a.b","id":7}"#,
            r#"{"event_type":"a","event_id":"x","source":"s"}"#,
            r#"{"update_id":"u","update_type":"node_update","target_id":"n","changes":{}}"#,
        ] {
            assert_eq!(stamped(line), format!("{line}\n"));
        }
    }

    #[test]
    fn others_get_the_id_of_their_place() {
        for (line, sent) in [
            (r#"{"type":"a.b"}"#, r#"{"type":"a.b","id":"file:a:0"}"#),
            (
                "{\"type\":\"a.b\",\"n\":1.50} \r",
                r#"{"type":"a.b","n":1.50,"id":"file:a:0"}"#,
            ),
            (
                r#"{"event":"e","event_id":null}"#,
                r#"{"event":"e","event_id":null,"event_id":"file:a:0"}"#,
            ),
            (
                r#"{"type":"text-delta","id":"part1"}"#,
                r#"{"type":"text-delta","id":"part1","event_id":"file:a:0"}"#,
            ),
            (
                r#"{"type":"a.b","x":NaN}"#,
                r#"{"type":"a.b","x":NaN,"id":"file:a:0"}"#,
            ),
            ("{}", r#"{"id":"file:a:0"}"#),
            ("not JSON", "not JSON"),
        ] {
            assert_eq!(stamped(line), format!("{sent}\n"), "{line}");
        }
        assert_eq!(
            stamped(r#"[{"type":"a"},{"type":"b","id":"x"}]"#),
            "{\"type\":\"a\",\"id\":\"file:a:0.0\"}\n{\"type\":\"b\",\"id\":\"x\"}\n"
        );
    }

    #[test]
    fn a_place_fits_into_an_id() {
        assert_eq!(place("a.jsonl", 0, 12), "file:a.jsonl:12");
        assert_eq!(place("a.jsonl", 2, 12), "file:a.jsonl#2:12");
        let long = place(&"x".repeat(200), u32::MAX, u64::MAX);
        assert!(long.len() < 100, "{long}");
        assert!(!place("a\u{7}b", 0, 0).contains('\u{7}'));
    }
}
