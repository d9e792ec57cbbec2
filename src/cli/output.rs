//! Lines on stdout and stderr.

use std::io::{self, Write};

use super::{plain::plain, trust};

/// Writes results to stdout, a line at a time.
///
/// Returns whether anybody still reads: `false` when the other end of a pipe is closed, which ends a command quietly.
///
/// # Errors
/// Stdout can't be written for another reason, such as a full disk.
pub(super) fn print(line: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Prints a note about the work on stderr. If stderr can't be written, nobody reads it.
pub(super) fn note(line: &str) {
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// The reason of a failed connection to a server, in words.
pub(super) fn io_reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return "connection refused, nothing listens there".into();
    }
    reason(error.to_string())
}

/// The same for the text of a library's error.
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
