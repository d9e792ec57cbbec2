//! Text from outside, made safe for a terminal.

use crate::observe::is_unfit_for_lines;

/// Text from outside without control characters, no longer than `max` characters.
pub(super) fn plain(text: &str, max: usize) -> String {
    let mut out: String = text
        .chars()
        .map(|c| if is_unfit_for_lines(c) { ' ' } else { c })
        .take(max)
        .collect();
    if text.chars().nth(max).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(
            plain("a\u{1b}[2Jb\nc\u{202e}d\u{2028}e", 80),
            "a [2Jb c d e"
        );
        assert_eq!(plain("abcdef", 4), "abc…");
        assert_eq!(plain("abcd", 4), "abcd");
    }
}
