//! A message that is written to many clients: made once, and shared by all queues that it waits in.
//!
//! A queue's entry is a pointer to it. With ten thousand observers that is what a delivery costs, so nothing that is
//! the same for all of them is in the entry.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;
use tracing::Span;

use crate::{channel::Namespace, observe::Stamp};

/// The tag by which a queue decides whether it can take a message back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// An update, with the cursor after it.
    Update(Arc<str>),
    /// An aggregate: a client that catches up is sent the newest one.
    Aggregate,
    /// A message at this place of the stream: nothing before it can be taken back.
    Told,
    /// A message that belongs to no place of the stream: an answer, a packet of the engine.
    Aside,
}

/// The ways in which a message is followed to the sockets.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    /// The moment from which its way is measured; `None` for a message that is not measured.
    pub stamp: Option<Stamp>,
    /// The span of the delivery that it is part of, which lasts until the last queue has let go of it.
    pub delivery: Option<Span>,
}

/// Bytes, with the facts that a queue needs of them.
#[derive(Debug)]
pub struct WireMessage {
    /// The namespace whose member it is queued for: each namespace has a member of its own.
    pub namespace: Namespace,
    /// The tag by which a queue decides whether it can take the message back.
    pub tag: Tag,
    /// The bytes to be written; never none.
    pub bytes: Bytes,
    /// The ways in which it is followed to the sockets.
    pub trail: Trail,
    /// The same in compressed form, once a client takes it; none if that is no smaller.
    compressed: OnceCell<Option<Arc<WireMessage>>>,
}

impl WireMessage {
    /// A message that is ready to be queued.
    pub fn new(namespace: Namespace, tag: Tag, bytes: Bytes) -> Arc<Self> {
        Self::followed(namespace, tag, bytes, Trail::default())
    }

    /// The same for a message that is followed to the sockets.
    pub fn followed(namespace: Namespace, tag: Tag, bytes: Bytes, trail: Trail) -> Arc<Self> {
        Arc::new(Self {
            namespace,
            tag,
            bytes,
            trail,
            compressed: OnceCell::new(),
        })
    }

    /// A message that belongs to no place of the stream and to no namespace.
    pub fn aside(bytes: Bytes) -> Arc<Self> {
        Self::new(Namespace::Root, Tag::Aside, bytes)
    }

    /// The same in compressed form: `make` makes it for the first client that takes it, while all others wait, and all
    /// share it. None if there is no smaller form.
    pub async fn compressed(
        &self,
        make: impl Future<Output = Option<Bytes>>,
    ) -> Option<&Arc<Self>> {
        let made = async || {
            let bytes = make.await?;
            let (tag, trail) = (self.tag.clone(), self.trail.clone());
            Some(Self::followed(self.namespace, tag, bytes, trail))
        };
        self.compressed.get_or_init(made).await.as_ref()
    }
}
