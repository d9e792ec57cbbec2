//! Keeps the digits of ids that are written as numbers.
//!
//! JSON's numbers are read as 64 bits or as a double: of a longer one digits are lost, and two ids would be one (a
//! trace's id has 128 bits). So a numeral in the place of an id that would lose digits becomes a string before the text
//! is read. Only long numerals are looked at: of a text without one, only each sixteenth byte is read.

use super::super::{ids, numeral};

/// The number of digits, a point among them, up to which a double holds every numeral.
const LONG: usize = 16;
/// The longest key of an id, with each of its characters written as an escape.
const LONGEST_KEY: usize = 128;

/// The text with strings for ids that would lose digits; `None` when there are none.
pub(super) fn spell_out(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut copied) = (Vec::new(), 0);
    let mut at = LONG - 1;
    while let Some(byte) = text.get(at) {
        let mut end = at;
        if is_part(*byte) {
            let run = text[..at].iter().rev().take_while(|b| is_part(**b)).count();
            let begin = at - run;
            end += text[at..].iter().take_while(|b| is_part(**b)).count();
            if end - begin >= LONG
                && let Some((begin, numeral)) = numeral(text, begin, end)
                && is_id(&text[..begin])
                && !numeral::is_held(numeral)
            {
                out.extend_from_slice(&text[copied..begin]);
                out.push(b'"');
                out.extend_from_slice(numeral::canonical(numeral).as_bytes());
                out.push(b'"');
                copied = begin + numeral.len();
                end = copied;
            }
        }
        // The next run of so many digits begins after this byte and reaches to there.
        at = end + LONG;
    }
    (copied > 0).then(|| {
        out.extend_from_slice(&text[copied..]);
        out
    })
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

/// The whole numeral around a run of digits, and its beginning; none if it is no number of JSON.
fn numeral(text: &[u8], begin: usize, end: usize) -> Option<(usize, &str)> {
    let begin = begin - usize::from(text[..begin].ends_with(b"-"));
    let mut rest = &text[end..];
    if let [b'e' | b'E', exponent @ ..] = rest {
        let digits = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+"));
        let digits = digits.unwrap_or(exponent);
        rest = &digits[digits.iter().take_while(|b| b.is_ascii_digit()).count()..];
    }
    let numeral = str::from_utf8(&text[begin..text.len() - rest.len()]).ok()?;
    let is_number = serde_json::from_str::<&serde_json::value::RawValue>(numeral).is_ok();
    is_number.then_some((begin, numeral))
}

/// Whether a text ends with the key of an id and a colon. The text before a quote shows whether it ends a key or is
/// within a string: only a whole key counts.
fn is_id(text: &[u8]) -> bool {
    let key = || {
        let before = text.trim_ascii_end().strip_suffix(b":")?;
        let inside = before.trim_ascii_end().strip_suffix(b"\"")?;
        let from = inside.len().saturating_sub(LONGEST_KEY);
        let quotes = memchr::memrchr_iter(b'"', &inside[from..]);
        let begin = quotes
            .map(|at| from + at)
            .find(|at| !is_escaped(inside, *at))?;
        let is_string = !is_escaped(inside, inside.len());
        serde_json::from_slice::<String>(&before.trim_ascii_end()[begin..])
            .ok()
            .filter(|_| is_string)
    };
    key().is_some_and(|key| ids::is_id(&key) || matches!(&*key, "id" | "event_id" | "target_id"))
}

/// Whether the byte at a place is written with an odd number of backslashes before it.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text[..at].iter().rev();
    before.take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(text: &str) -> Option<String> {
        spell_out(text.as_bytes()).map(|out| String::from_utf8(out).unwrap())
    }

    const LONG_ID: &str = "121702245401190315326841853937164860428";

    #[test]
    fn long_numbers_in_the_place_of_ids_keep_their_digits() {
        for key in ["run_id", "runId", "id", "event_id", "run\\u005fid"] {
            for (before, after) in [
                ("{", "}"),
                ("{\"a\":[1,2],", ",\"b\":\"c\"}"),
                ("[[{", "}]]"),
            ] {
                for colon in [":", " : ", ":\n\t"] {
                    for sign in ["", "-"] {
                        let of = |id: &str| format!("{before}\"{key}\"{colon}{id}{after}");
                        let number = format!("{sign}{LONG_ID}");
                        assert_eq!(spelt(&of(&number)), Some(of(&format!("\"{number}\""))));
                    }
                }
            }
        }
        let several =
            format!("[{{\"task_id\":{LONG_ID}}},{{\"x\":{LONG_ID},\"job_id\":{LONG_ID}}}]");
        let expected =
            format!("[{{\"task_id\":\"{LONG_ID}\"}},{{\"x\":{LONG_ID},\"job_id\":\"{LONG_ID}\"}}]");
        assert_eq!(spelt(&several), Some(expected));
        assert_eq!(
            spelt(r#"{"task_id":9007199254740993.0}"#).as_deref(),
            Some(r#"{"task_id":"9007199254740993"}"#)
        );
        assert_eq!(
            spelt(r#"{"task_id":1.2345678901234567891e+9}"#).as_deref(),
            Some(r#"{"task_id":"1234567890.1234567891"}"#)
        );
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "",
            "{}",
            r#"{"task_id":42}"#,
            r#"{"task_id":18446744073709551615}"#,
            r#"{"task_id":"121702245401190315326841853937164860428"}"#,
            r#"{"n":121702245401190315326841853937164860428}"#,
            r#"{"text":"{\"task_id\":121702245401190315326841853937164860428}"}"#,
            r#"{"text":"\"task_id\":121702245401190315326841853937164860428"}"#,
            r#"{"text":"task_id\":121702245401190315326841853937164860428"}"#,
            r#"["task_id",":121702245401190315326841853937164860428"]"#,
            r#"["task_id",121702245401190315326841853937164860428]"#,
            r#"{"a\"task_id":121702245401190315326841853937164860428}"#,
            r#"{"task_id":0121702245401190315326841853937164860428}"#,
            r#"{"task_id":1.2.3.4.5.6.7.8.9.0.1.2.3.4.5}"#,
            "121702245401190315326841853937164860428",
            ":121702245401190315326841853937164860428",
        ] {
            assert_eq!(spelt(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_found_wherever_it_stands() {
        for shift in 0..40 {
            let text = format!("{}{{\"task_id\":18446744073709551616}}", " ".repeat(shift));
            let out = spelt(&text).unwrap();
            assert!(
                out.ends_with("{\"task_id\":\"18446744073709551616\"}"),
                "{out}"
            );
            assert_eq!(spelt(&out), None, "once is enough");
        }
    }
}
