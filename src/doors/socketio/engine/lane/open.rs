//! Questions that the client has not answered, and the form of an answer.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::channel::Namespace;

/// A client's answer.
#[derive(Debug)]
pub struct Answered {
    /// The JSON of its arguments, as it was sent.
    pub json: String,
    /// The attachments, in the order of their placeholders.
    pub attachments: Vec<Vec<u8>>,
}

/// An answer, or the fault in it.
pub(super) type Said = Result<Answered, String>;

#[derive(Debug, Default)]
pub(super) struct Open {
    /// The last id given.
    pub(super) last: i64,
    /// The questions by id.
    pub(super) waiting: HashMap<i64, (Namespace, oneshot::Sender<Said>)>,
}
