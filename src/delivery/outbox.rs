//! What waits for one client, and how much of it can be taken back.
//!
//! An update that waits can be made again from the journal, coalesced with what came after it, as long as it is known where
//! the client stands without it. That place is the cursor of an update that stays. It must also be younger than the last
//! change of what the client may see, since what is made again goes by what it may see then.
//!
//! So the first update after such a change stays, or the last one that the client began to get; all updates after it
//! can be taken back. What is said once (answers, notices, the engine's own packets) stays where it is.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use crate::{
    channel::Namespace,
    delivery::wire_message::{Tag, WireMessage},
};

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    /// Where the client stands now.
    pub cursor: Arc<str>,
    /// How many updates.
    pub updates: usize,
    /// Aggregates were among them.
    pub aggregates: bool,
    /// How many bytes no longer wait.
    pub(crate) bytes: usize,
}

/// One queued piece.
#[derive(Debug, Clone)]
pub(crate) struct QueuedMessage {
    /// What is written.
    pub(crate) message: Arc<WireMessage>,
    /// What the client may see changed before it.
    changed: bool,
}

impl QueuedMessage {
    /// A place after this as well: known after an update, not after what was told.
    fn step(&self, place: &mut Option<Arc<str>>) {
        match &self.message.tag {
            Tag::Update(cursor) => *place = Some(cursor.clone()),
            Tag::Told => *place = None,
            Tag::Aggregate | Tag::Aside if self.changed => *place = None,
            Tag::Aggregate | Tag::Aside => {}
        }
    }
}

/// Where a client stands by what it began to get, for each namespace. Not the message itself: that would stay as long as
/// nothing newer comes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places([Option<Arc<str>>; Namespace::ALL.len()]);

impl Places {
    /// The client begins to get a piece.
    pub(crate) fn pass(&mut self, piece: &QueuedMessage) {
        piece.step(&mut self.0[piece.message.namespace as usize]);
    }

    /// The client begins to get all of these. Only the last word of each namespace is looked for.
    pub(crate) fn pass_all<'p>(
        &mut self,
        pieces: impl DoubleEndedIterator<Item = &'p QueuedMessage>,
    ) {
        let mut known = [false; Namespace::ALL.len()];
        for piece in pieces.rev() {
            let at = piece.message.namespace as usize;
            let says = piece.changed || !matches!(piece.message.tag, Tag::Aggregate | Tag::Aside);
            if says && !std::mem::replace(&mut known[at], true) {
                piece.step(&mut self.0[at]);
            }
        }
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<QueuedMessage>,
    /// Where the client stands by what left the queue.
    places: Places,
    /// What the client may see changed after all that is queued.
    settled: [bool; Namespace::ALL.len()],
}

impl Outbox {
    /// Queues a piece.
    pub(crate) fn push(&mut self, message: Arc<WireMessage>) {
        let changed = std::mem::take(&mut self.settled[message.namespace as usize]);
        self.pieces.push_back(QueuedMessage { message, changed });
    }

    /// Queues before all else what depends on no place.
    pub(crate) fn push_first(&mut self, bytes: Bytes) {
        self.pieces.push_front(QueuedMessage {
            message: WireMessage::aside(bytes),
            changed: false,
        });
    }

    /// The next piece, for which it is too late to be taken back.
    pub(crate) fn pop(&mut self) -> Option<QueuedMessage> {
        let piece = self.pieces.pop_front()?;
        self.places.pass(&piece);
        Some(piece)
    }

    /// The same for up to `max` bytes.
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

    /// Puts back pieces that were popped last and not begun; `places` is as the client has it without them.
    pub(crate) fn put_back(&mut self, pieces: &mut VecDeque<QueuedMessage>, places: &Places) {
        while let Some(piece) = pieces.pop_back() {
            self.pieces.push_front(piece);
        }
        self.places = places.clone();
    }

    /// What the client may see changes here.
    pub(crate) fn settle(&mut self, namespace: Namespace) {
        self.settled[namespace as usize] = true;
    }

    /// Takes back a namespace's updates after the first place that is known, if `keeps` says that they will come again
    /// from there.
    pub(crate) fn reclaim(
        &mut self,
        namespace: Namespace,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Option<Reclaimed> {
        if self.settled[namespace as usize] {
            return None;
        }
        let mut place = self.places.0[namespace as usize].clone();
        let mut begins = 0;
        for (at, piece) in self.pieces.iter().enumerate() {
            if piece.message.namespace != namespace {
                continue;
            }
            // Once a place is known, only what makes it useless matters.
            if place.is_none() || piece.changed || piece.message.tag == Tag::Told {
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
            let update = match piece.message.tag {
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

    /// Drops all of it.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
    }
}
