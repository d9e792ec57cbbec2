//! The error of a file that can't be used.

use std::path::Path;

use thiserror::Error;

/// The file can't be used. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the journal {path} {reason}")]
pub struct OpenError {
    /// The path as it was configured.
    path: String,
    /// The fault and the remedy.
    reason: String,
}

impl OpenError {
    pub(super) fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.display().to_string(),
            reason: reason.into(),
        }
    }

    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        Self::new(path, format!("can't be opened: {error}"))
    }
}
