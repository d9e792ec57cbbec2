//! What is written to many clients: made once, and shared by all the queues that it waits in.
//!
//! A queue's entry is a pointer to it. With ten thousand observers that is what a delivery costs, so nothing that is
//! the same for all of them is in the entry.

use std::sync::Arc;

use bytes::Bytes;

use crate::channel::Namespace;

/// What something is to one who would take it back out of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// An update, with the cursor after it.
    Update(Arc<str>),
    /// What the stream adds up to: whoever catches up is told anew.
    Aggregate,
    /// What was said at this place of the stream: nothing before it can be taken back.
    Told,
    /// What belongs to no place of the stream: answers, the engine's packets.
    Aside,
}

/// Bytes, with what a queue has to know of them.
#[derive(Debug)]
pub struct WireMessage {
    /// On whose behalf it is queued: each namespace has a member of its own.
    pub namespace: Namespace,
    /// What it is.
    pub tag: Tag,
    /// What is written; never nothing.
    pub bytes: Bytes,
}

impl WireMessage {
    /// Ready to be queued.
    pub fn new(namespace: Namespace, tag: Tag, bytes: Bytes) -> Arc<Self> {
        Arc::new(Self {
            namespace,
            tag,
            bytes,
        })
    }

    /// What depends on no place of the stream, and on no namespace.
    pub fn aside(bytes: Bytes) -> Arc<Self> {
        Self::new(Namespace::Root, Tag::Aside, bytes)
    }
}
