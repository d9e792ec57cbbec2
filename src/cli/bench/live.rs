//! The line that shows a run while it goes on, on stderr.

use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

use crate::cli::output::note;

/// Between two lines.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Shows lines: on a terminal, each takes the place of the one before.
#[derive(Debug)]
pub(super) struct Live {
    is_terminal: bool,
    shown: Option<Instant>,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: stderr().is_terminal(),
            shown: None,
        }
    }

    /// Shows a line.
    pub(super) fn show(&mut self, line: &str) {
        self.shown = Some(Instant::now());
        if self.is_terminal {
            let mut out = stderr().lock();
            write!(out, "\r\x1b[2K{line}").ok();
            out.flush().ok();
        } else {
            note(line);
        }
    }

    /// Shows a line, unless one was shown within the last second.
    pub(super) fn show_sometimes(&mut self, line: impl FnOnce() -> String) {
        if self.shown.is_none_or(|shown| shown.elapsed() >= INTERVAL) {
            self.show(&line());
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.is_terminal && self.shown.is_some() {
            let mut out = stderr().lock();
            write!(out, "\r\x1b[2K").ok();
            out.flush().ok();
        }
    }
}
