//! Texts of Python's objects. Who writes events with `json.dumps(…, default=str)` has messages as
//! `content='Hello' additional_kwargs={}`; these fields can still be read.

/// The text of a field `name='…'`.
pub(super) fn field(written: &str, name: &str) -> Option<String> {
    after(written, &format!("{name}="))
}

/// The text of an item `'name': '…'`.
pub(super) fn item(written: &str, name: &str) -> Option<String> {
    after(written, &format!("'{name}': "))
}

/// The number of an item `'name': 12`.
pub(super) fn number(written: &str, name: &str) -> Option<u64> {
    let (_, rest) = written.split_once(&format!("'{name}': "))?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The quoted text after a mark that begins a word.
fn after(written: &str, mark: &str) -> Option<String> {
    let starts_word = |at: usize| {
        let before = written[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    };
    let mut places = written.match_indices(mark);
    let (at, _) = places.find(|(at, _)| starts_word(*at))?;
    let rest = &written[at + mark.len()..];
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    unquoted(&rest[1..], quote)
}

/// The text up to the end of its quotes, without Python's escapes.
fn unquoted(rest: &str, quote: char) -> Option<String> {
    let mut said = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                'n' => said.push('\n'),
                't' => said.push('\t'),
                'r' => said.push('\r'),
                'x' => said.push(coded(&mut letters, 2)?),
                'u' => said.push(coded(&mut letters, 4)?),
                'U' => said.push(coded(&mut letters, 8)?),
                other => said.push(other),
            },
            end if end == quote => return Some(said),
            other => said.push(other),
        }
    }
    None
}

/// The letter of so many hexadecimal digits.
fn coded(letters: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let code: String = letters.take(digits).collect();
    char::from_u32(u32::from_str_radix(&code, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_message_that_was_made_text_are_read() {
        let written = r"content='It\'s \u00e9n\n' additional_kwargs={} id='lc_run--1' usage_metadata={'input_tokens': 217, 'output_tokens': 6}";
        assert_eq!(field(written, "content").as_deref(), Some("It's én\n"));
        assert_eq!(field(written, "id").as_deref(), Some("lc_run--1"));
        assert_eq!(number(written, "output_tokens"), Some(6));
        let quoted = r#"content="it's" tool_call_id='c'"#;
        assert_eq!(field(quoted, "content").as_deref(), Some("it's"));
        assert_eq!(field(quoted, "id"), None);
        assert_eq!(
            item("Interrupt(value={'question': 'Now?'})", "question").as_deref(),
            Some("Now?")
        );
    }

    #[test]
    fn a_text_that_breaks_off_is_none() {
        for broken in [
            "content='a",
            "content=",
            "content=[]",
            r"content='\x",
            r"content='\ud800'",
            "",
        ] {
            assert_eq!(field(broken, "content"), None, "{broken}");
        }
    }
}
