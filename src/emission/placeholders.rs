//! The places of placeholders in the text of arguments, so that one can be replaced and all around it stays as it is
//! written.

use std::{borrow::Cow, ops::Range};

/// A placeholder in a text: an object that stands for the bytes with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// The place of the whole object.
    pub object: Range<usize>,
    /// The place of its number.
    pub number: Range<usize>,
    /// The number, counted from 0.
    pub num: u64,
}

/// A list or an object whose end was not found yet.
struct Open {
    start: usize,
    is_object: bool,
    /// Whether a text that comes is a key.
    expects_key: bool,
    key: Key,
    stands_for_bytes: bool,
    number: Option<(Range<usize>, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Placeholder,
    Number,
    Other,
}

impl Open {
    fn new(start: usize, is_object: bool) -> Self {
        Self {
            start,
            is_object,
            expects_key: is_object,
            key: Key::Other,
            stands_for_bytes: false,
            number: None,
        }
    }

    /// Notes the value of the last key.
    fn value(&mut self, text: &str, at: Range<usize>) {
        match self.key {
            Key::Placeholder => self.stands_for_bytes = &text[at] == "true",
            Key::Number => self.number = text[at.clone()].parse().ok().map(|num| (at, num)),
            Key::Other => {}
        }
    }
}

/// All placeholders in a text of JSON that was read before, in the order of their ends.
pub fn placeholders(text: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    // A key may be written with escapes.
    if !text.contains("_placeholder") && !text.contains("\\u") {
        return found;
    }
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' | b'[' => open.push(Open::new(start, byte == b'{')),
            b'}' | b']' => {
                if let Some(Open {
                    start,
                    stands_for_bytes: true,
                    number: Some((number, num)),
                    ..
                }) = open.pop()
                {
                    let object = start..at;
                    found.push(Placeholder {
                        object,
                        number,
                        num,
                    });
                }
                if let Some(outer) = open.last_mut() {
                    outer.value(text, start..start);
                }
            }
            b',' => {
                if let Some(inner) = open.last_mut() {
                    inner.expects_key = inner.is_object;
                }
            }
            b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
            b'"' => {
                at = end_of_text(bytes, at);
                if let Some(inner) = open.last_mut() {
                    match std::mem::take(&mut inner.expects_key) {
                        true => inner.key = key(&text[start..at]),
                        false => inner.value(text, start..at),
                    }
                }
            }
            _ => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
                while bytes.get(at).is_some_and(|byte| !ends(byte)) {
                    at += 1;
                }
                if let Some(inner) = open.last_mut() {
                    inner.value(text, start..at);
                }
            }
        }
    }
    found
}

/// A text with some of its parts replaced. A part that lies in another one is replaced with that.
pub(super) fn replaced(text: &str, mut parts: Vec<(Range<usize>, String)>) -> String {
    parts.sort_by_key(|(at, _)| (at.start, std::cmp::Reverse(at.end)));
    let mut whole = String::with_capacity(text.len());
    let mut done = 0;
    for (at, part) in parts {
        if at.start >= done {
            whole.push_str(&text[done..at.start]);
            whole.push_str(&part);
            done = at.end;
        }
    }
    whole.push_str(&text[done..]);
    whole
}

/// The index behind the quote that ends a text.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn key(quoted: &str) -> Key {
    let key: Cow<'_, str> = match quoted.contains('\\') {
        true => serde_json::from_str::<String>(quoted)
            .unwrap_or_default()
            .into(),
        false => quoted.trim_matches('"').into(),
    };
    match &*key {
        "_placeholder" => Key::Placeholder,
        "num" => Key::Number,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_found_where_a_reader_finds_one() {
        for (text, numbers) in [
            (r#"{"_placeholder":true,"num":0}"#, &[0][..]),
            (
                r#" { "num" : 12 , "x":[{}], "_placeholder" : true } "#,
                &[12],
            ),
            (
                r#"[{"b":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#,
                &[1, 0],
            ),
            (
                r#"{"_placeholder":true,"num":2,"in":{"_placeholder":true,"num":1}}"#,
                &[1, 2],
            ),
            (r#"{"\u005fplaceholder":true,"n\u0075m":3}"#, &[3]),
            (r#"{"_placeholder":true,"_placeholder":false,"num":3}"#, &[]),
            (r#"{"_placeholder":"true","num":3}"#, &[]),
            (r#"{"_placeholder":true,"num":"3"}"#, &[]),
            (r#"{"_placeholder":true,"num":-3}"#, &[]),
            (r#"{"_placeholder":true,"num":3,"num":[3]}"#, &[]),
            (
                r#"["{\"_placeholder\":true,\"num\":0}", "_placeholder"]"#,
                &[],
            ),
            (r#"{"_placeholder":{"_placeholder":true},"num":0}"#, &[]),
        ] {
            let found: Vec<_> = placeholders(text).iter().map(|one| one.num).collect();
            assert_eq!(found, numbers, "{text}");
        }
    }

    #[test]
    fn all_around_a_placeholder_stays() {
        let text = "{\"z\":1.50, \"b\" : {\"_placeholder\":true,\"num\":7} ,\"a\":\"\\u00e9\"}";
        let found = placeholders(text);
        let number = |at: &Placeholder| (at.number.clone(), "0".to_owned());
        assert_eq!(
            replaced(text, found.iter().map(number).collect()),
            text.replace('7', "0")
        );
        let object = |at: &Placeholder| (at.object.clone(), "null".to_owned());
        assert_eq!(
            replaced(text, found.iter().map(object).collect()),
            "{\"z\":1.50, \"b\" : null ,\"a\":\"\\u00e9\"}"
        );
    }
}
