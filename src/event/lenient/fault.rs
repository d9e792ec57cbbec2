//! The reason why a text is no JSON, with the usual slip of people who write it by hand.

use serde_json::Error;

/// The name of a fault of a text: `empty`, or `not JSON` with the reason.
pub fn fault(text: &[u8], error: &Error) -> String {
    if text.trim_ascii().is_empty() {
        return "empty".to_owned();
    }
    match hint(text, error) {
        Some(hint) => format!("not JSON, {hint}: {error}"),
        None => format!("not JSON: {error}"),
    }
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
            ("nonsense", "not JSON: expected"),
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
