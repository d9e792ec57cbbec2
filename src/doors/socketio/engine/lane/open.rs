//! Questions to the client that are not answered, and what an answer is.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::channel::Namespace;

/// A client's answer.
#[derive(Debug)]
pub struct Answered {
    /// The JSON of its arguments, as it was sent.
    pub json: String,
    /// Its attachments, in the order of their placeholders.
    pub attachments: Vec<Vec<u8>>,
}

/// What is wrong with it stands in its place.
pub(super) type Said = Result<Answered, String>;

/// Questions that are not answered.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The last id.
    pub(super) last: i64,
    /// By id.
    pub(super) waiting: HashMap<i64, (Namespace, oneshot::Sender<Said>)>,
}
