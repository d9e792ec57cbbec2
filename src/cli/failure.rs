//! Why a command failed, in one line.

use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// In one line: what was wrong, where, what to do.
    #[error("{0}")]
    Because(String),
    /// What the command has said already is enough.
    #[error("said already")]
    Said,
}

impl Failure {
    pub(super) fn because(reason: impl std::fmt::Display) -> Self {
        Self::Because(format!("{reason}"))
    }
}

/// Programs that read stderr line by line get one line for one failure, whatever is quoted in it.
pub(super) fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
