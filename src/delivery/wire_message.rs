//! A message that is written to many clients: made once, and shared by all queues that it waits in.
//!
//! A queue's entry is a pointer to it. With ten thousand observers that is what a delivery costs, so nothing that is
//! the same for all of them is in the entry.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::sync::OnceCell;
use tracing::Span;

use crate::{channel::Namespace, event::Priority, observe::Stamp};

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
    /// The facts by which a batch orders it; none of a message that is no update.
    order: Option<BatchOrder>,
    /// The batch that ends with it, once a client takes one: the numbers of its messages, and the batch.
    batch: OnceLock<(Box<[u64]>, Arc<WireMessage>)>,
    /// The number that no other message has.
    number: u64,
    /// The time at which it was made: a batch waits from then on.
    made: Instant,
    /// The same in compressed form, once a client takes it; none if that is no smaller.
    compressed: OnceCell<Option<Arc<WireMessage>>>,
    /// The same in msgpack, once a client takes it.
    packed: OnceCell<Arc<WireMessage>>,
    /// The messages that it joins; none of a message that stands for itself.
    parts: Box<[Arc<WireMessage>]>,
}

/// The facts by which a batch orders an update.
#[derive(Debug, Clone)]
pub struct BatchOrder {
    /// Its urgency.
    pub priority: Priority,
    /// Hashes of the entities that it names.
    pub entities: SmallVec<[u64; 4]>,
}

/// The number of the last message.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl Tag {
    /// The cursor after an update.
    pub fn cursor(&self) -> Option<&str> {
        match self {
            Self::Update(cursor) => Some(cursor),
            Self::Aggregate | Self::Told | Self::Aside => None,
        }
    }
}

impl WireMessage {
    /// A message that is ready to be queued.
    pub fn new(namespace: Namespace, tag: Tag, bytes: Bytes) -> Arc<Self> {
        Self::followed(namespace, tag, bytes, Trail::default())
    }

    /// The same for a message that is followed to the sockets.
    pub fn followed(namespace: Namespace, tag: Tag, bytes: Bytes, trail: Trail) -> Arc<Self> {
        Self::in_order(namespace, tag, bytes, trail, None)
    }

    /// The same with the facts by which a batch orders it.
    pub fn in_order(
        namespace: Namespace,
        tag: Tag,
        bytes: Bytes,
        trail: Trail,
        order: Option<BatchOrder>,
    ) -> Arc<Self> {
        Arc::new(Self::made_of(namespace, tag, bytes, trail, order))
    }

    fn made_of(
        namespace: Namespace,
        tag: Tag,
        bytes: Bytes,
        trail: Trail,
        order: Option<BatchOrder>,
    ) -> Self {
        Self {
            namespace,
            tag,
            bytes,
            trail,
            order,
            batch: OnceLock::new(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            made: Instant::now(),
            compressed: OnceCell::new(),
            packed: OnceCell::new(),
            parts: Box::default(),
        }
    }

    /// Updates in a row as one message: a queue holds one entry for all of them, and a socket gets them in one piece of
    /// memory. It has the namespace of all and the cursor of the last.
    pub fn joined(parts: &[Arc<Self>]) -> Arc<Self> {
        let all: Vec<&[u8]> = parts.iter().map(|part| &part.bytes[..]).collect();
        let last = parts.last();
        let namespace = last.map_or(Namespace::Root, |last| last.namespace);
        let tag = last.map_or(Tag::Aside, |last| last.tag.clone());
        let bytes = Bytes::from(all.concat());
        Arc::new(Self {
            parts: parts.into(),
            ..Self::made_of(namespace, tag, bytes, Trail::default(), None)
        })
    }

    /// The messages that it joins; none of a message that stands for itself.
    pub fn parts(&self) -> &[Arc<Self>] {
        &self.parts
    }

    /// Its stamp, or the stamps of the messages that it joins.
    pub fn stamps(&self) -> impl Iterator<Item = Stamp> {
        let parts = self.parts.iter().filter_map(|part| part.trail.stamp);
        self.trail.stamp.into_iter().chain(parts)
    }

    /// A message that belongs to no place of the stream and to no namespace.
    pub fn aside(bytes: Bytes) -> Arc<Self> {
        Self::new(Namespace::Root, Tag::Aside, bytes)
    }

    /// Its urgency, if it is an update.
    pub fn priority(&self) -> Option<Priority> {
        self.order.as_ref().map(|order| order.priority)
    }

    /// Hashes of the entities that it names.
    pub fn entities(&self) -> &[u64] {
        self.order.as_ref().map_or(&[], |order| &order.entities)
    }

    /// The time at which it was made.
    pub fn made(&self) -> Instant {
        self.made
    }

    /// The batch of these messages: `write` writes it for the first client that takes them together, and all that take
    /// the same ones share it.
    pub fn batch(messages: &[Arc<Self>], write: fn(&[Arc<Self>]) -> Bytes) -> Arc<Self> {
        let made = || Self::aside(write(messages));
        let Some(last) = messages.last() else {
            return made();
        };
        let numbers = messages.iter().map(|message| message.number);
        let (of, batch) = last
            .batch
            .get_or_init(|| (numbers.clone().collect(), made()));
        if of.iter().copied().eq(numbers) {
            batch.clone()
        } else {
            made()
        }
    }

    /// The same in compressed form: `make` makes it for the first client that takes it, while all others wait, and all
    /// share it. None if there is no smaller form.
    pub async fn compressed(
        &self,
        make: impl Future<Output = Option<Bytes>>,
    ) -> Option<&Arc<Self>> {
        let made = async {
            let bytes = make.await?;
            Some(self.with_bytes(bytes))
        };
        self.compressed_as(made).await
    }

    /// The same for a message that joins others: `make` makes a message of their compressed forms.
    pub async fn compressed_as(
        &self,
        make: impl Future<Output = Option<Arc<Self>>>,
    ) -> Option<&Arc<Self>> {
        self.compressed.get_or_init(|| make).await.as_ref()
    }

    /// The same in msgpack: `make` makes it for the first client that takes it, while all others wait, and all share it.
    pub async fn packed(&self, make: impl Future<Output = Arc<Self>>) -> Arc<Self> {
        self.packed.get_or_init(|| make).await.clone()
    }

    /// The same message in other bytes.
    pub fn with_bytes(&self, bytes: Bytes) -> Arc<Self> {
        Self::followed(self.namespace, self.tag.clone(), bytes, self.trail.clone())
    }
}
