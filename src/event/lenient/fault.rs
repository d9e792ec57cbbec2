//! The reason why a text is no JSON, with the usual slip of people who write it by hand.

use serde_json::Error;

/// The name of a fault of a text: `empty`, or `not JSON` with the reason.
pub fn fault(text: &[u8], error: &Error) -> String {
    if text.trim_ascii().is_empty() {
        return "empty".to_owned();
    }
    if !may_be_json(text) {
        return "not JSON: a line is one event, as {\"type\": \"task.completed\", \"data\": {}}"
            .to_owned();
    }
    match hint(text, error) {
        Some(hint) => format!("not JSON, {hint}: {error}"),
        None => format!("not JSON: {error}"),
    }
}

/// Whether a text begins as JSON does, or as people write it by mistake.
fn may_be_json(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"true", b"false", b"null", b"True", b"False", b"None"];
    let text = text.trim_ascii_start();
    let first = text.first().copied().unwrap_or_default();
    let is_word = || WORDS.iter().any(|word| text.starts_with(word));
    b"{[\"'-".contains(&first) || first.is_ascii_digit() || is_word()
}

fn hint(text: &[u8], error: &Error) -> Option<&'static str> {
    let line = text
        .split(|byte| *byte == b'\n')
        .nth(error.line().checked_sub(1)?)?;
    let rest = line.get(error.column().checked_sub(1)?..)?;
    let begins = |words: &[&str]| words.iter().any(|word| rest.starts_with(word.as_bytes()));
    if begins(&["'"]) {
        // Python shows a dict like this.
        Some("which takes double quotes")
    } else if begins(&["None", "True", "False"]) {
        Some("which writes null, true and false")
    } else if error.to_string().starts_with("key must be a string")
        && rest.first().is_some_and(u8::is_ascii_alphabetic)
    {
        // JavaScript writes it like this, or a shell took the quotes away.
        Some("in which names stand in double quotes")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    fn said(text: &str) -> String {
        let error = serde_json::from_str::<serde_json::Value>(text).expect_err(text);
        fault(text.as_bytes(), &error)
    }

    #[test]
    fn what_people_write_by_hand_is_told_in_their_words() {
        for (text, hint) in [
            ("{'type': 'a.b'}", "not JSON, which takes double quotes: "),
            (
                "[\n  {\"type\": 'a.b'}\n]",
                "not JSON, which takes double quotes: ",
            ),
            (
                "{\"data\": None}",
                "not JSON, which writes null, true and false: ",
            ),
            (
                "{type: \"a.b\"}",
                "not JSON, in which names stand in double quotes: ",
            ),
            ("{\"type\": \"a.b\"", "not JSON: EOF"),
            ("{\"a\": 1,}", "not JSON: trailing comma"),
            ("{,}", "not JSON"),
            ("nonsense", "not JSON: a line is one event, as {\"type\": "),
            (
                " INFO started",
                "not JSON: a line is one event, as {\"type\": ",
            ),
            ("\u{feff}", "not JSON: a line is one event, as {\"type\": "),
            ("2026-11-28 INFO started", "not JSON: trailing"),
            ("nul", "not JSON: a line is one event, as {\"type\": "),
            ("nulL", "not JSON: a line is one event, as {\"type\": "),
            ("[started]", "not JSON: expected"),
            ("None", "not JSON, which writes null, true and false: "),
            ("'a'", "not JSON, which takes double quotes: "),
            ("{\"a\"", "not JSON: EOF"),
            ("", "empty"),
            (" \n", "empty"),
        ] {
            let message = said(text);
            assert!(message.starts_with(hint), "{text}: {message}");
        }
    }

    #[test]
    fn any_text_has_a_fault() {
        for text in ["\n", "{\n", "{\n\n'", "[\"\u{1}", "ö", "{\"a\":ö"] {
            assert!(!said(text).is_empty());
        }
    }
}
