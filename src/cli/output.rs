//! Lines on stdout and stderr.

use std::io::{self, Write};

use super::trust;

/// Writes results to stdout, a line at a time.
///
/// Returns whether anybody still reads: `false` when the other end of a pipe is closed, which ends a command quietly.
///
/// # Errors
/// Whatever else keeps stdout from being written (a full disk, for one).
pub(super) fn print(line: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells something about the work on stderr. Where that can't be written there is nobody to tell.
pub(super) fn note(line: &str) {
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// Text from outside without what a terminal would obey, no longer than `max` characters.
pub(super) fn plain(text: &str, max: usize) -> String {
    let mut out: String = text
        .chars()
        .map(|c| {
            if c.is_control() || is_invisible(c) {
                ' '
            } else {
                c
            }
        })
        .take(max)
        .collect();
    if text.chars().nth(max).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// What went wrong between here and a server.
pub(super) fn io_reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return "connection refused, nothing listens there".into();
    }
    reason(error.to_string())
}

/// The same for what the libraries say.
pub(super) fn reason(said: String) -> String {
    trust::reason(&said).unwrap_or(said)
}

/// A server's refusal in the words of the command line: a token is given another way than in a program.
pub(super) fn refusal(code: &str, message: &str, has_token: bool) -> String {
    let (code, message) = (plain(code, 64), plain(message, 300));
    match code.as_str() {
        "unauthorized" if !has_token => {
            "unauthorized: this server asks for a token: give one with --token or STOA_TOKEN (`stoa token` makes one)".into()
        }
        "unauthorized" | "token_expired" | "forbidden" | "forbidden_room" if has_token => {
            format!("{code}: {message} (the token is that of --token or STOA_TOKEN)")
        }
        _ => format!("{code}: {message}"),
    }
}

/// Marks that reorder or hide what is beside them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}d", 80), "a [2Jb c d");
        assert_eq!(plain("abcdef", 4), "abc…");
        assert_eq!(plain("abcd", 4), "abcd");
    }
}
