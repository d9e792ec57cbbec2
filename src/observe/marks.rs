//! Characters that hide, reorder or break the text beside them: a log or a terminal that obeys them shows something
//! else than what was written.

/// The most characters of a text from outside that a log line quotes, such as the reason of a refusal.
const MAX_QUOTED: usize = 300;

/// A text from outside as a log line quotes it: cut off if it is long, and in one line.
pub fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown = String::new();
    for c in characters.by_ref().take(MAX_QUOTED) {
        match is_unfit_for_lines(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a character is unfit for a line that people read: controls, marks of direction, separators of lines, and
/// characters without width.
pub fn is_unfit_for_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
