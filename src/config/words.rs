//! The TOML reader's errors about wrong values, in words for people who don't write Rust.

/// The reader's names for kinds of values, and words for people.
const KINDS: [(&str, &str); 11] = [
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0"),
    ("usize", "a whole number from 0"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a string", "text in quotes"),
    ("path string", "a path in quotes"),
    ("a sequence", "a list in [ ]"),
    ("a map", "keys and values in { }"),
    ("struct", "a table of keys"),
];

/// One line, with the kind that is expected in plain words; `key` is the key whose value is wrong.
pub(super) fn plain(message: &str, key: &str) -> String {
    let line = message.lines().map(str::trim).collect::<Vec<_>>();
    let line = line.join("; ");
    let Some((said, expected)) = line.rsplit_once("expected ") else {
        return line;
    };
    if expected == "u16" && key.ends_with("port") {
        return format!("{said}expected a port from 0 to 65535");
    }
    let known = KINDS
        .iter()
        .find(|(kind, _)| expected == *kind || expected.strip_prefix(*kind).is_some_and(is_end));
    known.map_or(line.clone(), |(_, words)| format!("{said}expected {words}"))
}

fn is_end(rest: &str) -> bool {
    rest.starts_with(' ')
}

/// The key whose text lacks its quotes, in the line of the byte `at`: one with a text as its default, or any that the
/// reader takes for one. The value is not quoted, since it may be a secret.
pub(super) fn unquoted(
    text: &str,
    at: usize,
    is_text: impl Fn(&str, &str) -> bool,
) -> Option<&str> {
    let before = text.get(..at)?.lines().count().max(1);
    // The span may begin behind the end of its line.
    let lines: Vec<&str> = text.lines().take(before).map(str::trim).collect();
    let (key, value) = lines.last()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let header = |line: &&str| {
        let name = line.strip_prefix('[')?.split(']').next()?;
        Some(name.trim_start_matches('[').trim().to_owned())
    };
    let section = lines.iter().rev().find_map(header).unwrap_or_default();
    let is_bare = !value.is_empty() && !value.starts_with(['"', '\'', '#']);
    (is_bare && is_text(&section, key)).then_some(key)
}

/// The line and value of an earlier `key = …` in the section of the byte `at`: a list of tables can't be added to it.
pub(super) fn earlier(text: &str, at: usize) -> Option<(usize, String)> {
    let name = |line: &str| {
        let header = line.trim().strip_prefix("[[")?.split_once("]]")?.0;
        let (section, key) = header.split_once('.')?;
        Some((section.trim().to_owned(), key.trim().to_owned()))
    };
    let wrong = text.get(..at)?.lines().count().max(1) - 1;
    // The span may begin at the header, in it, or on the line after it.
    let (section, key) = text
        .lines()
        .take(wrong + 2)
        .skip(wrong.saturating_sub(1))
        .find_map(name)?;
    let mut inside = false;
    text.lines().zip(1..).find_map(|(line, number)| {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line.starts_with(&format!("[{section}]"));
        }
        let value = line.strip_prefix(&key)?.trim_start().strip_prefix('=')?;
        inside.then(|| (number, format!("{key} = {}", value.trim())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_said_in_words() {
        let said = plain("invalid value: integer `70000`, expected u16", "port");
        assert!(said.ends_with("expected a port from 0 to 65535"), "{said}");
        let said = plain(
            "invalid type: string \"x\",\nexpected a boolean\n",
            "compression",
        );
        assert!(said.ends_with("expected true or false"), "{said}");
        for (kind, _) in KINDS {
            let said = plain(&format!("invalid type: map, expected {kind}"), "x");
            assert!(!said.ends_with(kind) || kind == "a map", "{said}");
        }
        assert_eq!(plain("something else", "x"), "something else");
    }

    #[test]
    fn a_text_without_quotes_is_found_by_its_key() {
        let is_text = |section: &str, key: &str| (section, key) == ("server", "host");
        let text = "[log]\nhost = a\n[server]\nport = x\nhost = 127.0.0.1 # here\nhost = \"a\n";
        let at = |words: &str| text.find(words).expect(words);
        let found = |words: &str| unquoted(text, at(words), is_text);
        assert_eq!(found("127"), Some("host"));
        assert_eq!(found(".0.1"), Some("host"));
        assert_eq!(found("a\n[server]"), None);
        assert_eq!(found("x\n"), None);
        assert_eq!(found("\"a"), None);
        assert_eq!(unquoted("", 0, is_text), None);
        assert_eq!(unquoted("x", 7, is_text), None);
    }

    #[test]
    fn a_list_that_is_there_already_is_found() {
        let text = "[journal]\nrules = 1\n[transform]\n# rules = []\nrules = [] # none\n\n[pace]\n\n[[transform.rules]]\nmatch = \"x\"\n";
        let at = text.find("[[").expect("a rule");
        let found = Some((5, "rules = [] # none".to_owned()));
        for at in [at, at + 2, at + 12] {
            assert_eq!(earlier(text, at), found);
        }
        assert_eq!(earlier("[[transform.rules]]\n", 3), None);
    }
}
