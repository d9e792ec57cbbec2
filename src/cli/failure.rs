//! The failure of a command, in one line.

use thiserror::Error;

/// The reason why a command failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// One line: what was wrong, where, and what to do.
    #[error("{0}")]
    Because(String),
    /// The command has printed its own message already.
    #[error("said already")]
    Said,
}

impl Failure {
    pub(super) fn because(reason: impl std::fmt::Display) -> Self {
        Self::Because(format!("{reason}"))
    }
}

/// One line of a text. Programs that read stderr by lines get one line for a failure, whatever it quotes.
pub(super) fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
