//! The queue of one client, from which updates can be taken back.
//!
//! A queued update can be made again from the journal, coalesced with later ones, as long as the client's place without
//! it is known. That place is the cursor of an update that stays. It must be later than the last change of the client's
//! permissions or filter, because an update that is made again goes by the new ones.
//!
//! So the first update after such a change stays, or the last one that the client began to get; all updates after it
//! can be taken back. Messages that are sent once (answers, notices, the engine's own packets) stay where they are.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

use crate::{
    channel::{Namespace, PerNamespace},
    delivery::wire_message::{Tag, WireMessage},
};

/// The updates that were taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    /// The client's place without them.
    pub cursor: Arc<str>,
    /// The number of updates.
    pub updates: usize,
    /// Whether aggregates were among them.
    pub aggregates: bool,
    /// The bytes that no longer wait.
    pub(crate) bytes: usize,
}

/// A message in the queue.
#[derive(Debug, Clone)]
pub(crate) struct QueuedMessage {
    pub(crate) message: Arc<WireMessage>,
    /// Whether the client's permissions or filter changed before it.
    changed: bool,
    /// Whether it counts as a message at its place of the stream, whatever its tag says.
    told: bool,
}

impl QueuedMessage {
    /// The tag that counts for this client.
    fn tag(&self) -> &Tag {
        if self.told {
            &Tag::Told
        } else {
            &self.message.tag
        }
    }

    /// The messages that it joins, as the queue would hold them; itself if it joins none.
    pub(crate) fn parts(self) -> SmallVec<[Self; 1]> {
        let (told, changed) = (self.told, self.changed);
        match self.message.parts() {
            [] => smallvec![self],
            parts => parts
                .iter()
                .enumerate()
                .map(|(nth, part)| Self {
                    message: part.clone(),
                    changed: changed && nth == 0,
                    told,
                })
                .collect(),
        }
    }

    /// Moves `place` to the client's cursor after this message. A direct message has no cursor to go on from, so it
    /// clears the place.
    fn step(&self, place: &mut Option<Arc<str>>) {
        match self.tag() {
            Tag::Update(cursor) => *place = Some(cursor.clone()),
            Tag::Told => *place = None,
            Tag::Aggregate | Tag::Aside if self.changed => *place = None,
            Tag::Aggregate | Tag::Aside => {}
        }
    }
}

/// The cursor of the last update that a client began to get, for each namespace. The message itself is not kept: it
/// would stay as long as nothing newer comes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(PerNamespace<Option<Arc<str>>>);

impl Places {
    /// Notes that the client begins to get a message.
    pub(crate) fn pass(&mut self, piece: &QueuedMessage) {
        piece.step(self.0.of(piece.message.namespace));
    }

    /// Notes that the client begins to get all of these. Only the last message of each namespace is looked for.
    pub(crate) fn pass_all<'p>(
        &mut self,
        pieces: impl DoubleEndedIterator<Item = &'p QueuedMessage>,
    ) {
        let mut known = PerNamespace::default();
        for piece in pieces.rev() {
            let namespace = piece.message.namespace;
            let says = piece.changed || !matches!(piece.tag(), Tag::Aggregate | Tag::Aside);
            if says && !std::mem::replace(known.of(namespace), true) {
                piece.step(self.0.of(namespace));
            }
        }
    }
}

/// The queue; the fields that each message touches come first.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Outbox {
    pieces: VecDeque<QueuedMessage>,
    /// Whether the client's permissions or filter changed after all that is queued.
    settled: PerNamespace<bool>,
    /// The client's place by the messages that left the queue.
    places: Places,
}

impl Outbox {
    /// Queues a message.
    pub(crate) fn push(&mut self, message: Arc<WireMessage>) {
        self.add(message, false);
    }

    /// Queues a message that stays at its place of the stream, also if it is an update.
    pub(crate) fn push_told(&mut self, message: Arc<WireMessage>) {
        self.add(message, true);
    }

    fn add(&mut self, message: Arc<WireMessage>, told: bool) {
        let changed = self
            .settled
            .find(message.namespace)
            .is_some_and(std::mem::take);
        self.pieces.push_back(QueuedMessage {
            message,
            changed,
            told,
        });
    }

    /// Queues a message that belongs to no place of the stream, before all others.
    pub(crate) fn push_first(&mut self, bytes: Bytes) {
        self.pieces.push_front(QueuedMessage {
            message: WireMessage::aside(bytes),
            changed: false,
            told: false,
        });
    }

    /// The next message; it can no longer be taken back.
    pub(crate) fn pop(&mut self) -> Option<QueuedMessage> {
        let piece = self.pieces.pop_front()?;
        self.places.pass(&piece);
        Some(piece)
    }

    /// The message at this place of the queue.
    pub(crate) fn get(&self, at: usize) -> Option<&Arc<WireMessage>> {
        self.pieces.get(at).map(|piece| &piece.message)
    }

    /// The first of the next `within` messages that belongs to no place of the stream: it may overtake those before it.
    pub(crate) fn pop_aside(&mut self, within: usize) -> Option<QueuedMessage> {
        let mut next = self.pieces.iter().take(within);
        let at = next.position(|piece| piece.message.tag == Tag::Aside && !piece.changed)?;
        self.pieces.remove(at)
    }

    /// The updates that wait.
    pub(crate) fn updates(&self) -> impl Iterator<Item = &Arc<WireMessage>> {
        let messages = self.pieces.iter().map(|piece| &piece.message);
        messages.filter(|message| message.priority().is_some())
    }

    /// Takes messages of up to `max` bytes.
    pub(crate) fn take(&mut self, into: &mut VecDeque<QueuedMessage>, max: usize) {
        let (before, mut size) = (into.len(), 0);
        while size < max
            && let Some(piece) = self.pieces.pop_front()
        {
            size += piece.message.bytes.len();
            into.push_back(piece);
        }
        self.places.pass_all(into.range(before..));
    }

    /// The client's places by the messages that left the queue.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The number of messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Puts back messages that were popped last and not begun; `places` are the client's places without them.
    pub(crate) fn put_back(&mut self, pieces: &mut VecDeque<QueuedMessage>, places: &Places) {
        while let Some(piece) = pieces.pop_back() {
            self.pieces.push_front(piece);
        }
        self.places = places.clone();
    }

    /// Notes that the client's permissions or filter change here.
    pub(crate) fn settle(&mut self, namespace: Namespace) {
        *self.settled.of(namespace) = true;
    }

    /// Takes back a namespace's updates after the first known place, if `keeps` says that they will come again from
    /// there.
    pub(crate) fn reclaim(
        &mut self,
        namespace: Namespace,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Option<Reclaimed> {
        if self.settled.get(namespace) == Some(&true) {
            return None;
        }
        // Of messages that are joined some may stay.
        let joins = |piece: &QueuedMessage| !piece.message.parts().is_empty();
        if self.pieces.iter().any(joins) {
            let pieces = std::mem::take(&mut self.pieces).into_iter();
            self.pieces = pieces.flat_map(QueuedMessage::parts).collect();
        }
        let mut place = self.places.0.get(namespace).cloned().flatten();
        let mut begins = 0;
        for (at, piece) in self.pieces.iter().enumerate() {
            if piece.message.namespace != namespace {
                continue;
            }
            // Once a place is known, only messages that make it useless matter.
            if place.is_none() || piece.changed || *piece.tag() == Tag::Told {
                piece.step(&mut place);
                begins = at + 1;
            }
        }
        let mut taken = Reclaimed {
            cursor: place.filter(|place| keeps(place))?,
            updates: 0,
            aggregates: false,
            bytes: 0,
        };
        let mut at = 0;
        self.pieces.retain(|piece| {
            at += 1;
            let update = match piece.tag() {
                Tag::Update(_) => true,
                Tag::Aggregate => false,
                Tag::Told | Tag::Aside => return true,
            };
            if at <= begins || piece.message.namespace != namespace {
                return true;
            }
            taken.updates += usize::from(update);
            taken.aggregates |= !update;
            taken.bytes += piece.message.bytes.len();
            false
        });
        (taken.bytes > 0).then_some(taken)
    }

    /// Whether a message with this text waits.
    #[cfg(test)]
    pub(crate) fn holds(&self, text: &str) -> bool {
        let texts = self.pieces.iter().map(|piece| &piece.message.bytes);
        texts
            .map(|bytes| String::from_utf8_lossy(bytes))
            .any(|t| t.contains(text))
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
    }
}
