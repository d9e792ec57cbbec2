//! The reasons why a message of the bus comes to nothing.

use thiserror::Error;

use crate::msgpack::Fault;

/// A message that is not carried out. The bus has no answers, so each is counted by its reason, and told in the log once a
/// minute.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A Python object in the format that can run code when it is read. It never is.
    #[error(
        "python-socketio < 5.14 sends pickle: upgrade (pickle can run code when it is read, so it is never read here)"
    )]
    Pickle,
    /// The bytes are not what this kind of emitter writes.
    #[error(
        "not a message of this kind of emitter: {0}; is another program writing to the channel ([bus] python, node, streams)?"
    )]
    Malformed(String),
    /// More bytes than allowed.
    #[error(
        "a message may have {0} bytes ([bus] max_message): keep large things elsewhere and emit a reference"
    )]
    TooLarge(usize),
    /// Nested deeper than allowed.
    #[error("arguments may be nested {0} deep ([bus] max_depth): flatten them")]
    TooDeep(usize),
    /// More rooms than allowed.
    #[error(
        "a message may name {0} rooms ([emit] max_rooms): emit several times, or to a room for all of these"
    )]
    TooManyRooms(usize),
    /// More binary parts than allowed.
    #[error("a message may have {0} binary parts ([emit] max_attachments): emit several times")]
    TooManyAttachments(usize),
    /// A message between servers that Stoa has no part in.
    #[error("{0} is between servers of the emitter's own kind: nothing is done about it")]
    Unsupported(String),
}

impl Refusal {
    /// The label of its counter.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Pickle => "pickle",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) | Self::TooManyRooms(_) | Self::TooManyAttachments(_) => "too_large",
            Self::TooDeep(_) => "too_deep",
            Self::Unsupported(_) => "unsupported",
        }
    }

    pub(super) fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(why) => Self::Malformed(why),
            Fault::TooDeep(most) => Self::TooDeep(most),
            Fault::TooManyAttachments(most) => Self::TooManyAttachments(most),
            Fault::TooLarge(most) => Self::TooLarge(most),
        }
    }
}
