//! Characters that hide, reorder or break the text beside them: a log or a terminal that obeys them shows something
//! else than what was written.

/// Whether a character is unfit for a line that people read: controls, marks of direction, separators of lines, and
/// characters without width.
pub fn is_unfit_for_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
