//! Why an event was not taken.

use thiserror::Error;

/// A refused event. `code()` is the contract's code; the text says what was wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Rejection {
    /// The stable code of the contract (`missing_type`, `invalid_data`, …).
    code: &'static str,
    /// For people: what was wrong, where, what to do.
    message: String,
}

impl Rejection {
    /// A rejection with one of the contract's codes.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The contract's code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}
