//! Events from lines: one JSON object on each line, an array of them, or objects over several lines.
//!
//! A line that is one object is passed on as it is. Each element of an array is an event. An object over several lines
//! is collected until it is closed, and is named by its first line. Broken text is passed on up to where it breaks: the
//! server says what is wrong, and reading goes on at the next line that begins an object.

use std::{collections::VecDeque, io};

use tokio::io::AsyncBufRead;

use super::lines::{Line, Lines, MAX_LINE};

/// Gathers values from lines.
#[derive(Debug)]
pub(super) struct Values<R> {
    lines: Lines<R>,
    reading: Reading,
    /// Whole values that were not asked for yet.
    ready: VecDeque<Line>,
}

impl<R: AsyncBufRead + Unpin> Values<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            lines: Lines::new(reader),
            reading: Reading::default(),
            ready: VecDeque::new(),
        }
    }

    /// The next value. May be given up while it waits.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(value) = self.ready.pop_front() {
                return Ok(Some(value));
            }
            match self.lines.next().await? {
                Some(line) => self.reading.take(line, &mut self.ready),
                None => {
                    self.reading.finish(&mut self.ready);
                    if self.ready.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// The reader's place in a value.
#[derive(Debug, Default)]
struct Reading {
    /// The value as far as it was read, in one line.
    value: Vec<u8>,
    /// The line on which it begins.
    begins: u64,
    /// The number of objects and arrays that are open.
    depth: usize,
    in_string: bool,
    /// Whether the next character is escaped.
    escaped: bool,
    /// The line of the array around the value.
    array: Option<u64>,
    /// The place in the input at which the last line ended.
    end: u64,
}

impl Reading {
    fn take(&mut self, line: Line, ready: &mut VecDeque<Line>) {
        self.end = line.end;
        let Some(text) = &line.text else {
            self.give_up(ready);
            ready.push_back(line);
            return;
        };
        if !self.value.is_empty() && text.starts_with(b"{") && self.is_broken() {
            self.emit(ready);
        }
        let idle = self.value.is_empty() && self.array.is_none();
        if idle && !begins_many(text) {
            ready.push_back(line);
            return;
        }
        for byte in text {
            self.byte(*byte, line.number, ready);
        }
        self.line_end(ready);
    }

    /// Whether an object that begins a line can't be inside of the value that was begun.
    fn is_broken(&self) -> bool {
        !matches!(self.value.trim_ascii_end().last(), Some(b'[' | b',' | b':'))
    }

    fn byte(&mut self, byte: u8, number: u64, ready: &mut VecDeque<Line>) {
        if self.value.is_empty() {
            match byte {
                b if b.is_ascii_whitespace() => return,
                b'[' if self.array.is_none() => {
                    self.array = Some(number);
                    return;
                }
                b',' if self.array.is_some() => return,
                b']' if self.array.is_some() => {
                    self.array = None;
                    return;
                }
                _ => self.begins = number,
            }
        }
        if self.in_string {
            self.value.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        let ends_scalar = self.depth == 0 && self.array.is_some() && matches!(byte, b',' | b']');
        if ends_scalar {
            self.emit(ready);
            if byte == b']' {
                self.array = None;
            }
            return;
        }
        self.value.push(byte);
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.emit(ready);
                }
            }
            _ => {}
        }
    }

    fn line_end(&mut self, ready: &mut VecDeque<Line>) {
        if self.value.is_empty() {
            return;
        }
        if self.in_string {
            // No text of JSON goes over the end of a line.
            self.give_up(ready);
        } else if self.value.len() > MAX_LINE {
            ready.push_back(Line {
                number: self.begins,
                text: None,
                end: self.end,
            });
            self.value = Vec::new();
            self.give_up(ready);
        } else if self.depth == 0 && self.array.is_none() {
            self.emit(ready);
        } else {
            self.value.push(b' ');
        }
    }

    /// The value as it is; what follows is another one.
    fn emit(&mut self, ready: &mut VecDeque<Line>) {
        let text = std::mem::take(&mut self.value);
        (self.depth, self.in_string, self.escaped) = (0, false, false);
        if !text.trim_ascii().is_empty() {
            ready.push_back(Line {
                number: self.begins,
                text: Some(text),
                end: self.end,
            });
        }
    }

    /// Gives up the value and the array around it.
    fn give_up(&mut self, ready: &mut VecDeque<Line>) {
        self.emit(ready);
        self.array = None;
    }

    /// Ends the input. An array without an end is reported, since a part of it may be missing.
    fn finish(&mut self, ready: &mut VecDeque<Line>) {
        self.emit(ready);
        if let Some(number) = self.array.take() {
            ready.push_back(Line {
                number,
                text: Some(b"[".to_vec()),
                end: self.end,
            });
        }
    }
}

/// Whether a line is more than one value, or less: an array, or an object that is not closed on it.
fn begins_many(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    match line.first() {
        Some(b'[') => true,
        // Most lines end so, and are one object; where one isn't, the count finds that.
        Some(b'{') => {
            let mut reading = Reading::default();
            let mut ready = VecDeque::new();
            for byte in line {
                reading.byte(*byte, 1, &mut ready);
                if !ready.is_empty() {
                    return false;
                }
            }
            !reading.in_string
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tokio::io::BufReader;

    use super::*;

    fn read(input: &str) -> Vec<(u64, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let mut values = Values::new(BufReader::with_capacity(5, input.as_bytes()));
            let mut out = Vec::new();
            while let Some(value) = values.next().await.expect("reads") {
                let text = String::from_utf8(value.text.expect("text")).expect("UTF-8");
                out.push((value.number, text.trim().to_owned()));
            }
            out
        })
    }

    fn values(input: &str) -> Vec<(u64, Value)> {
        let parsed = |(number, text): (u64, String)| {
            (number, serde_json::from_str(&text).unwrap_or(Value::Null))
        };
        read(input).into_iter().map(parsed).collect()
    }

    #[test]
    fn lines_pass_as_they_are() {
        let input = "{\"a\":\"}{\"}\n\nnonsense\n {\"b\":1} trailing\n\"text\"\n";
        let expected = [
            (1, "{\"a\":\"}{\"}"),
            (3, "nonsense"),
            (4, "{\"b\":1} trailing"),
            (5, "\"text\""),
        ];
        assert_eq!(
            read(input),
            expected.map(|(number, text)| (number, text.to_owned()))
        );
    }

    #[test]
    fn arrays_and_objects_over_several_lines_are_events() {
        let (a, b) = (json!({"a": [1, {"x": "]},"}]}), json!({"b": 2}));
        let all = |lines: [u64; 2]| vec![(lines[0], a.clone()), (lines[1], b.clone())];
        assert_eq!(values(&json!([a, b]).to_string()), all([1, 1]));
        let pretty = serde_json::to_string_pretty(&json!([a, b])).expect("JSON");
        assert_eq!(values(&pretty), all([2, 10]));
        let pretty = format!("{}\n{}\n", pretty_of(&a), pretty_of(&b));
        assert_eq!(values(&pretty), all([1, 9]));
        assert_eq!(values(&format!("[]\n[\n]\n{b}\n")), [(4, b.clone())]);
        assert_eq!(
            values("[1, \"two\",\nnull]"),
            [(1, json!(1)), (1, json!("two")), (2, Value::Null)]
        );
    }

    fn pretty_of(value: &Value) -> String {
        serde_json::to_string_pretty(value).expect("JSON")
    }

    #[test]
    fn what_is_broken_takes_no_neighbour_with_it() {
        // Not closed; not closed in a text; an array without an end.
        assert_eq!(
            values("{\"a\": {\n{\"b\":2}\n{\"c\": \"x\n{\"d\":4}\n[{\"e\":5},\n"),
            [
                (1, Value::Null),
                (2, json!({"b": 2})),
                (3, Value::Null),
                (4, json!({"d": 4})),
                (5, json!({"e": 5})),
                (5, Value::Null),
            ]
        );
    }

    proptest! {
        #[test]
        fn whatever_way_values_are_written_they_are_read(
            texts in prop::collection::vec("[a-z\\[\\]{},\": \\\\\n]{0,12}", 0..6), pretty: bool, array: bool,
        ) {
            let events: Vec<Value> = texts.iter().map(|text| json!({"x": [text, {text.as_str(): null}]})).collect();
            let write = |value: &Value| if pretty { pretty_of(value) } else { value.to_string() };
            let input = if array {
                write(&Value::from(events.clone()))
            } else {
                events.iter().map(|event| write(event) + "\n").collect()
            };
            let read: Vec<Value> = values(&input).into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, events);
        }

        #[test]
        fn nothing_panics(input in "[\\[\\]{},\": \\\\\na0]{0,60}") {
            read(&input);
        }
    }
}
