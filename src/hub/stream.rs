//! The stream as the loop follows it: the last record that it read, the updates that wait for their time, and the
//! cursor after the updates that were sent.
//!
//! ```text
//! journal ─▶ next_batch ─▶ plan ─▶ pacer ─▶ take ─▶ sent ─▶ position
//! ```
//!
//! The stream knows no members: the loop sends the updates that [`Stream::take`] gives, and says so by [`Stream::sent`].

use std::{sync::Arc, time::Instant};

use super::catchup::{coalesce::end_of, making::MAX_SEGMENT_EVENTS};
use crate::{
    channel::Listening,
    delivery::{
        Cursor, Pending,
        missed::{first_missed, missed},
        moved::moved,
        position::Position,
    },
    event::Priority,
    journal::{Batch, Journal, JournalError, Record, Seq},
    pace::{LevelShares, Pacer, PendingUpdate, group},
    update::{Table, entities, rooms_hash},
};

/// Records of one reading.
pub(super) const READ_BATCH: usize = 1_024;
/// Bytes of memory that waiting updates may hold: beyond that the loop stops reading, and the journal keeps the events.
const MAX_PACED_BYTES: usize = 16 << 20;

/// The place of the loop in the stream.
#[derive(Debug)]
pub(super) struct Stream {
    journal: Arc<dyn Journal>,
    table: Arc<Table>,
    seq: Seq,
    pacer: Pacer,
    /// Updates of the events that were read, as far as they are unsent.
    pending: Pending,
    position: Position,
    shares: LevelShares,
    /// The factor by which the windows of low priority are longer than usual.
    low_windows: u32,
}

impl Stream {
    /// The stream before its first event.
    pub(super) fn new(journal: Arc<dyn Journal>, table: Table, shares: LevelShares) -> Self {
        Self {
            position: Position::new(&*journal, 0),
            journal,
            table: Arc::new(table),
            seq: 0,
            pacer: Pacer::new(shares),
            shares,
            pending: Pending::default(),
            low_windows: 1,
        }
    }

    /// Begins after `seq`: everything up to there counts as sent.
    pub(super) fn begin_after(&mut self, seq: Seq) {
        self.seq = seq;
        self.position = Position::new(&*self.journal, seq);
        self.journal.release(seq);
    }

    /// Forgets what was read and not sent, and has the journal go back if its history has ended; [`Self::begin_after`] comes
    /// next.
    pub(super) fn begin_anew(&mut self) {
        self.journal.rewind();
        self.pacer = Pacer::new(self.shares);
        self.pending = Pending::default();
        self.seq = 0;
    }

    /// Whether the journal's history has ended: it is told until the stream begins anew.
    pub(super) fn is_rewound(&self) -> bool {
        self.journal.is_rewound()
    }

    /// The next records up to `newest`; none at the end, or while the waiting updates leave no room for more.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) async fn next_batch(&self, newest: Seq) -> Result<Option<Batch>, JournalError> {
        if self.seq >= newest || !self.has_room() {
            return Ok(None);
        }
        let batch = self.journal.read(self.seq, READ_BATCH).await?;
        Ok((!batch.is_end(self.seq)).then_some(batch))
    }

    /// Notes that all records up to `to` were read; damaged ones are passed over.
    pub(super) fn read_up_to(&mut self, to: Seq) {
        self.seq = self.seq.max(to);
        self.journal.release(self.seq);
    }

    /// Plans the updates of the next record, for the topics that members listen to, and paces them.
    pub(super) fn plan(&mut self, record: &Arc<Record>, listening: Listening, now: Instant) {
        self.seq = record.seq;
        let planned = self.table.plan(&record.event, listening);
        let unsent = planned.iter().fold(0, |unsent, update| unsent | update.bit);
        self.pending.push(record.seq, unsent);
        let (entities, rooms) = (entities(&record.event), rooms_hash(&record.event));
        for mut group in group(record, planned, &entities, rooms) {
            if let Some(window) = &mut group.window
                && group.priority == Priority::Low
            {
                window.length *= self.low_windows;
            }
            self.pacer.accept(group, now);
        }
    }

    /// Makes the windows of low priority so many times as long, from the next update on.
    pub(super) fn stretch_low(&mut self, times: u32) {
        self.low_windows = times;
    }

    /// Up to `max` updates whose time has come, most urgent first.
    pub(super) fn take(&mut self, max: usize) -> Vec<PendingUpdate> {
        self.pacer.take(max)
    }

    /// All sums of usage that are unsent.
    pub(super) fn take_sums(&mut self) -> Vec<PendingUpdate> {
        self.pacer.take_sums()
    }

    /// Notes that an update is sent: the cursor that it carries is after it.
    pub(super) fn sent(&mut self, update: &PendingUpdate) {
        for &(seq, bit) in &update.unsent {
            self.pending.clear(seq, bit);
        }
        self.position.follow(self.journal.epoch());
        self.position.advance(update.last(), &self.pending);
    }

    /// Whether the journal has more and there is room for it.
    pub(super) fn is_behind(&self) -> bool {
        self.seq < self.journal.bounds().last && self.has_room()
    }

    /// Whether the waiting updates leave room for more.
    fn has_room(&self) -> bool {
        self.pacer.bytes() < MAX_PACED_BYTES
    }

    pub(super) fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    pub(super) fn pacer_mut(&mut self) -> &mut Pacer {
        &mut self.pacer
    }

    pub(super) fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Whether a place was read, or is none any more since the journal went back.
    pub(super) fn has_passed(&self, seq: Seq) -> bool {
        self.seq >= seq || (self.journal.rewinds() > 0 && seq > self.journal.bounds().last)
    }

    /// Whether a client at a place has something by another node that this one has not sent, or not read yet.
    pub(super) fn is_ahead(&self, at: &Cursor) -> bool {
        if !self.journal.is_shared() {
            return false;
        }
        let read = Cursor {
            unsent: self.pending.up_to(self.seq).collect(),
            ..Cursor::at(at.epoch, self.seq)
        };
        !missed(&read, at, 1).is_empty()
    }

    pub(super) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(super) fn seq(&self) -> Seq {
        self.seq
    }

    /// The cursor after all that was sent.
    pub(super) fn cursor(&self) -> Cursor {
        self.position.cursor(&self.pending)
    }

    /// The text of that cursor, as updates carry it.
    pub(super) fn cursor_text(&self) -> &str {
        self.position.text()
    }

    /// The cursor of a snapshot: after everything that was read, sent or not. Sums of usage are parted here.
    pub(super) fn everything_read(&mut self) -> String {
        self.position.follow(self.journal.epoch());
        self.pacer.part_sums_at(self.seq);
        self.position.everything_up_to(self.seq)
    }

    /// A cursor after everything up to `seq`.
    pub(super) fn after(&self, seq: Seq) -> Cursor {
        Cursor::at(self.journal.epoch(), seq)
    }

    /// The last place up to which everything was sent.
    pub(super) fn all_sent_up_to(&self) -> Seq {
        self.pending.first().map_or(self.seq, |first| first - 1)
    }

    /// The cursor that this text names, if it is one of this journal.
    pub(super) fn own_cursor(&self, text: &str) -> Option<Cursor> {
        let place = text.parse().ok();
        place.and_then(|place| self.as_own(place))
    }

    /// A place as this generation of the journal names it: members at the same place have the same cursor.
    pub(super) fn as_own(&self, place: Cursor) -> Option<Cursor> {
        self.knows(&place).then(|| Cursor {
            epoch: self.journal.epoch(),
            ..place
        })
    }

    /// The text of a cursor of this journal.
    pub(super) fn name(&self, place: Cursor) -> String {
        self.position.name(place)
    }

    /// A place as the journal's present history names it.
    pub(super) fn now(&self, place: Cursor) -> Option<Cursor> {
        match self.knows(&place) {
            true => self.as_own(place),
            false => self.moved(&place),
        }
    }

    /// A place of a history that ended as the present one names it: what was put back is where it is now, and all else
    /// after the last common place is missing. None if it is not known what became of it.
    pub(super) fn moved(&self, place: &Cursor) -> Option<Cursor> {
        let (common, now) = self.journal.lost(place.epoch)?;
        moved(place, (common, &*now), self.journal.epoch())
    }

    /// Whether a cursor is of this journal. A cursor of another journal, or of records that this one has lost, doesn't
    /// tell what is missing.
    pub(super) fn knows(&self, cursor: &Cursor) -> bool {
        if !cursor.is_of(&*self.journal) {
            return false;
        }
        cursor.within.as_ref().is_none_or(|within| {
            if within.grouping != self.table.grouping() {
                return false;
            }
            // No segment is longer than this, so nobody can have a cursor within a longer one.
            let span = missed(cursor, &end_of(cursor), MAX_SEGMENT_EVENTS + 1);
            span.iter().map(|(_, len)| len).sum::<u64>() <= MAX_SEGMENT_EVENTS
        })
    }

    /// Whether the journal no longer holds the events after `at`.
    pub(super) fn is_gone(&self, at: &Cursor) -> bool {
        first_missed(at) < self.journal.bounds().first
    }
}
