//! The questions of LangGraph, which ends a node by an exception that holds them: `(Interrupt(value={'question': …}, id='…'),)`.

use crate::translate::one_line;

/// The beginning of such a message.
const BEGIN: &str = "(Interrupt(";
/// The beginning of one question.
const EACH: &str = "Interrupt(value=";
/// Questions of one node.
const MOST: usize = 16;
/// The keys under which a question has its words.
const WORDS: [&str; 5] = ["question", "message", "text", "content", "description"];

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The framework's own id for it.
    pub(super) id: Option<String>,
    pub(super) words: String,
}

/// The questions in a message, if it is one of an interrupt.
pub(super) fn questions(message: &str) -> Option<Vec<Question>> {
    let inside = message.trim_start().strip_prefix(BEGIN)?;
    let whole = format!("Interrupt({inside}");
    let mut found = Vec::new();
    for part in whole.split(EACH).skip(1).take(MOST) {
        let keyed = WORDS
            .iter()
            .find_map(|word| quoted(part.split_once(&format!("'{word}': "))?.1));
        let plain = || part.split([',', ')']).next().map(str::to_owned);
        let words = keyed.or_else(|| quoted(part)).or_else(plain);
        found.push(Question {
            id: part
                .rsplit_once("id=")
                .and_then(|(_, rest)| quoted(rest))
                .map(|id| one_line(&id))
                .filter(|id| !id.is_empty()),
            words: words.unwrap_or_default(),
        });
    }
    Some(found)
}

/// The text in quotes that something begins with, as Python writes it.
fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut inside = String::new();
    let mut chars = text.chars().skip(1);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'n' => inside.push('\n'),
                't' => inside.push('\t'),
                other => inside.push(other),
            },
            c if c == quote => return Some(inside),
            c => inside.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_found_in_what_python_writes() {
        let one = |message: &str| {
            let mut found = questions(message).unwrap_or_default();
            assert_eq!(found.len(), 1, "{message}");
            let one = found.remove(0);
            (one.words, one.id)
        };
        let full = "(Interrupt(value={'question': 'Publish \\'it\\'?', 'draft': 'a'}, id='b802', response_schema=None),)";
        assert_eq!(one(full), ("Publish 'it'?".into(), Some("b802".into())));
        let plain = "(Interrupt(value=\"Really?\", id='7'),)";
        assert_eq!(one(plain), ("Really?".into(), Some("7".into())));
        assert_eq!(one("(Interrupt(value=4, ns=[]),)"), ("4".into(), None));
        let two = "(Interrupt(value='a', id='1'), Interrupt(value='b', id='2'))";
        assert_eq!(questions(two).map(|all| all.len()), Some(2));
        for other in ["", "ValueError('x')", "(Interrupted", "Interrupt(value=1)"] {
            assert_eq!(questions(other), None, "{other}");
        }
        assert_eq!(questions("(Interrupt(").map(|all| all.len()), Some(0));
    }
}
