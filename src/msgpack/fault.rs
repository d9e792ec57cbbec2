//! The reasons why bytes are not read as msgpack.

use thiserror::Error;

/// Bytes that are not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    /// They are no msgpack, or not what was expected.
    #[error("{0}")]
    Malformed(String),
    /// Lists and maps are nested deeper than this.
    #[error("values may be nested {0} deep")]
    TooDeep(usize),
    /// There are more binary values than this.
    #[error("there may be {0} binary values")]
    TooManyAttachments(usize),
    /// They become more bytes of JSON than this.
    #[error("they become more than {0} bytes of JSON")]
    TooLarge(usize),
}

impl Fault {
    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }
}
