//! The one that reads the stream as it grows: events of all nodes, in the one order.
//!
//! ```text
//!            another epoch or a shorter stream, a new connection, a word of the writer or of a reader
//!  Following ────────────────────────────────────────────────────────────────────────────────────────▶ Comparing
//!      ▲                                                                                                   │
//!      │  nothing is lost: the writer may append in the new generation                                     │
//!      ├───────────────────────────────────────────────────────────────────────────────────────────────────┤
//!      │  newest events are lost: they are put back (`heal`), the next history is made, to be shown        │
//!      │  when the hub rewinds (`timeline`), and then the writer may append                                │
//!      └───────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! - *A generation* begins, by `append.lua`, whenever the engine's history may be another one than before: an engine that
//!   was promoted or put back may lack events that were read or acknowledged here. Each event names its generation, and the
//!   list of generations says where each ends. So the last place that two histories have in common is known.
//! - *The writer* appends only in the generation that was compared here; the script refuses all else. So nothing new of this
//!   node stands before what was lost and is put back. Nodes that compare later may still put theirs behind it.
//! - *Lost events* are appended again by their ids, so each once, however many nodes do it: those that were read here, and
//!   behind them those of this node that were acknowledged and not read yet (`own`). Where they are now is written down in
//!   the engine for all nodes (`lost`).
//! - *Readers* are shown one history until the hub rewinds, between two of its events; then the next one. What was read of
//!   the engine meanwhile is of no worth if its generation does not fit the history that is shown (`reader`).
//! - A comparison that is cut short, or in which a further generation begins, is begun anew: until its end nothing of what
//!   this node knows has changed, and what was put back by then is found by its id.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use redis::Connection;

use super::{
    past::{self, Item},
    scripts::{Kept, Scripts},
    shared::{Part, Shared},
    stride::Stride,
    timeline::Timeline,
};
use crate::{
    backoff::Backoff,
    engine::Fault,
    journal::{Epoch, Seq, entry::InMemory, generations::Generations, tail::Tail},
    timestamp::Timestamp,
};

/// Bytes that an event costs in memory beside its text.
const EVENT_BYTES: usize = 128;
/// The time for which the engine waits for an event; then the writer's and the readers' words are heeded.
const BLOCK: Duration = Duration::from_millis(100);
/// The time between two looks at the engine's history.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// The longest time for an answer: trouble is told within ten seconds, however long appends may take.
const MAX_SILENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Follower {
    pub(super) shared: Arc<Shared>,
    pub(super) scripts: Scripts,
    /// The last place that was read, and the generations of that time.
    pub(super) last: Seq,
    pub(super) generations: Arc<Generations>,
    /// The newest events as the engine had them, to be put back if it loses them.
    pub(super) newest: VecDeque<(Seq, Kept)>,
    newest_bytes: usize,
    stride: Stride,
    /// The last look at the engine's history.
    looked_at: Instant,
    /// The number of losses that were written down by then.
    losses: u64,
    /// The last place and the one behind it that did not fit, at the last comparison because of that.
    strange: Option<(Seq, Seq)>,
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let shown = shared.timelines.shown();
        Self {
            shared,
            scripts: Scripts::new(),
            last: shown.last(),
            generations: shown.generations.clone(),
            newest: VecDeque::new(),
            newest_bytes: 0,
            stride: Stride::new(),
            looked_at: Instant::now(),
            losses: 0,
            strange: None,
        }
    }

    /// Follows until the journal is closed; connects again whenever the connection ends.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.shared.is_stopping() {
            let fault = match self.connect() {
                Ok(connection) => match self.follow(connection, &mut backoff) {
                    Ok(()) => return,
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            if matches!(fault, Fault::Suspect) || fault.is_interrupted() {
                continue;
            }
            let reason = format!("the journal's engine can't be read: {fault}");
            let before = self.shared.set_trouble(Part::Follower, Some(reason));
            if before.is_none() {
                tracing::warn!(%fault, "the journal's engine can't be read; what is known goes on being told");
            }
            std::thread::sleep(backoff.next());
        }
    }

    fn connect(&mut self) -> Result<Connection, Fault> {
        let timeout = self.shared.options.timeout;
        let patience = BLOCK + timeout.min(MAX_SILENCE);
        let connected = self.shared.engine.connect(patience);
        let mut connection = connected.map_err(|fault| fault.within(timeout))?;
        let compared = self.compare(&mut connection);
        compared.map_err(|fault| fault.within(patience))?;
        Ok(connection)
    }

    fn follow(&mut self, mut connection: Connection, backoff: &mut Backoff) -> Result<(), Fault> {
        let patience = BLOCK + self.shared.options.timeout.min(MAX_SILENCE);
        while !self.shared.is_stopping() {
            let turn = self.turn(&mut connection);
            turn.map_err(|fault| fault.within(patience))?;
            // Not before: an engine with something else in the stream is connected with as well.
            backoff.reset();
            if self.shared.is_away().is_some() {
                self.shared.set_trouble(Part::Follower, None);
                tracing::info!("the journal's engine can be read again");
            }
        }
        Ok(())
    }

    fn turn(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let block = u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX);
        let turn = (self.stride.count(), block);
        let items = past::after(connection, &self.shared.keys, self.last, turn)?;
        self.stride.note(&items);
        if self.shared.is_suspect() {
            // The primary may be elsewhere by now.
            return Err(Fault::Suspect);
        }
        if self.looked_at.elapsed() >= LOOK_INTERVAL || self.shared.is_to_look() {
            self.look(connection)?;
        }
        self.take(items, connection)
    }

    /// Takes events on; those of a history that is not known yet are read again after a comparison.
    fn take(&mut self, items: Vec<Item>, connection: &mut Connection) -> Result<(), Fault> {
        let accepted = Instant::now();
        let mut records = Vec::with_capacity(items.len());
        let mut ids = Vec::with_capacity(items.len());
        let mut strange = None;
        for item in items {
            if !self.fits(&item) {
                strange = Some((self.last, item.seq));
                break;
            }
            self.last = item.seq;
            records.push(self.record(&item, accepted));
            ids.push(item.kept.id);
            self.remember(item.seq, item.kept);
        }
        if !records.is_empty() {
            self.shared.timelines.push(records);
            self.shared.own.read(ids.iter());
        }
        let Some((last, seq)) = strange else {
            return Ok(());
        };
        if self.strange.replace((last, seq)) != strange {
            return self.compare(connection);
        }
        // A comparison was of no help: the stream itself lacks events.
        self.strange = None;
        if seq <= last + 1 {
            return Err(Fault::Foreign(self.shared.keys.stream.clone()));
        }
        tracing::warn!(
            from = last + 1,
            to = seq - 1,
            "the journal's engine lacks events"
        );
        self.shared.metrics.lost.inc_by(seq - 1 - last);
        let generations = self.generations.clone();
        let first = self.shared.timelines.newest().first();
        self.go_back(connection, (seq - 1, 0), (generations, first))
    }

    /// Whether an event is the next one of the history that is known. Of a generation that has ended, events may still come.
    fn fits(&self, item: &Item) -> bool {
        item.seq == self.last + 1 && self.generations.is_at(item.epoch, item.seq)
    }

    fn record(&self, item: &Item, accepted: Instant) -> InMemory {
        match self.shared.own.get(&item.kept) {
            Some((entry, accepted)) => entry.at(item.seq, accepted),
            None => InMemory::stored(item.seq, item.kept.text.clone(), accepted),
        }
    }

    fn remember(&mut self, seq: Seq, kept: Kept) {
        self.newest_bytes += kept.text.len() + EVENT_BYTES;
        self.newest.push_back((seq, kept));
        while self.newest_bytes > self.shared.options.held.tail
            && self.newest.len() > 1
            && let Some((_, gone)) = self.newest.pop_front()
        {
            self.newest_bytes -= gone.text.len() + EVENT_BYTES;
        }
        self.shared
            .newest_bytes
            .store(self.newest_bytes, Ordering::Relaxed);
    }

    /// Looks whether the engine is still a primary with the history that is known.
    fn look(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        self.looked_at = Instant::now();
        let role: Vec<redis::Value> = redis::cmd("ROLE").query(connection)?;
        if !matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master") {
            return Err(Fault::Replica("the engine".into()));
        }
        let ends = past::ends(connection, &self.shared.keys)?;
        if ends.epoch != Some(self.generations.present()) || ends.last < self.last {
            return self.compare(connection);
        }
        if self.shared.decided.load(Ordering::Acquire) != ends.decided {
            self.learn_decisions(connection)?;
        }
        self.shared.timelines.set_first(ends.first);
        if ends.losses != self.losses {
            let losses = past::losses(connection, &self.shared.keys)?;
            self.shared.take_losses(losses);
            self.losses = ends.losses;
        }
        Ok(())
    }

    fn learn_decisions(&self, connection: &mut Connection) -> Result<(), Fault> {
        let (decided, decisions) = past::decisions(connection, &self.shared.keys)?;
        self.shared.decided.store(decided, Ordering::Release);
        self.shared.decisions.send_replace(decisions);
        Ok(())
    }

    /// Compares the engine's history with what was read here: puts back what it lost, and goes back as far as it must.
    fn compare(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        // Another generation may begin at any time.
        while !self.compare_once(connection)? {}
        self.looked_at = Instant::now();
        // This was the look that others may have asked for meanwhile.
        self.shared.is_suspect();
        Ok(())
    }

    /// The same; false if a further generation began meanwhile.
    fn compare_once(&mut self, connection: &mut Connection) -> Result<bool, Fault> {
        let shared = self.shared.clone();
        let (keys, ended) = (&shared.keys, self.generations.clone());
        let now = Timestamp::now().as_micros() / 1_000;
        self.scripts.begin(connection, keys, now)?;
        let past = past::past(connection, keys)?;
        let decided = shared.decided.load(Ordering::Acquire);
        let lacks_decisions = past.lacks_decisions(&ended, decided);
        let generations = Arc::new(past.generations);
        let first = past.ends.first.max(1);
        for missing in shared.take_losses(past.losses) {
            past::write_loss(connection, keys, &missing)?;
        }
        let is_lost = |epoch: Epoch, seq: Seq| {
            let newest = generations.newest(epoch, Seq::MAX);
            newest.is_none_or(|newest| seq > newest)
        };
        let go_on = (generations.clone(), first);
        let common = self.common(&generations, past.ends.last);
        let reach = self.last;
        if common.is_some() && lacks_decisions {
            // Bans outlive a promotion: the engine lost its newest decisions, too.
            let known = shared.decisions.borrow().clone();
            tracing::warn!(
                bans = known.bans.len(),
                revocations = known.revocations.len(),
                "the journal's engine may lack the newest decisions of admins; those that are known here are written again"
            );
            past::decide_again(connection, keys, &known)?;
        }
        // Even where their number is the same they may be others now.
        self.learn_decisions(connection)?;
        match common {
            Some(common) => {
                let Some(until) = self.heal(connection, common, &is_lost, &generations)? else {
                    return Ok(false);
                };
                if common < self.last {
                    self.go_back(connection, (common.max(first - 1), until), go_on)?;
                } else if first > self.last + 1 {
                    tracing::warn!(
                        "events were let go of that this node had not read yet; it begins anew"
                    );
                    shared.own.forget_acknowledged();
                    self.go_back(connection, (first - 1, 0), go_on)?;
                } else {
                    self.generations = generations.clone();
                    shared.timelines.goes_on(generations.clone(), first);
                }
            }
            None => {
                tracing::warn!("the journal's engine has another journal now, or was emptied");
                let first = shared.timelines.newest().first();
                shared
                    .metrics
                    .lost
                    .inc_by((self.last + 1).saturating_sub(first));
                shared.own.forget_acknowledged();
                self.newest.clear();
                self.go_back(connection, (first - 1, 0), go_on)?;
            }
        }
        // Answers may have come meanwhile to what was appended before.
        loop {
            let late = shared.own.settle(generations.present(), &is_lost);
            if late.is_empty() {
                return Ok(true);
            }
            let Some(common) = common else {
                shared.own.forget_acknowledged();
                continue;
            };
            let of = (&*ended, common, reach);
            if self
                .put_back(connection, of, &late, &generations)?
                .is_none()
            {
                return Ok(false);
            }
        }
    }

    /// The last place that the engine has as it was read here; none if the engine has another journal.
    fn common(&self, now: &Generations, last: Seq) -> Option<Seq> {
        self.generations
            .newest_first(self.last)
            .find_map(|(epoch, newest)| Some(now.newest(epoch, last)?.min(newest)))
    }

    /// Goes back to a place, or beyond places that are missing, and reads from there up to those that were put back; then
    /// that history is the next to be shown.
    fn go_back(
        &mut self,
        connection: &mut Connection,
        (at, until): (Seq, Seq),
        (generations, first): (Arc<Generations>, Seq),
    ) -> Result<(), Fault> {
        let is_known = self.newest.front().is_some_and(|(seq, _)| *seq <= at) && at <= self.last;
        let tail = match is_known {
            true => self.shared.timelines.newest().tail.until(at),
            false => Tail::new(at, self.shared.options.held.tail),
        };
        let (mut last, accepted) = (at, Instant::now());
        let (mut ids, mut read, mut bytes) = (Vec::new(), VecDeque::new(), 0);
        let (mut is_whole, max_bytes) = (true, self.shared.options.held.tail);
        'all: while last < until {
            let count = self.stride.count();
            let items = past::range(connection, &self.shared.keys, last + 1, count)?;
            self.stride.note(&items);
            if items.is_empty() {
                break;
            }
            for item in items {
                if item.seq != last + 1 || !generations.is_at(item.epoch, item.seq) {
                    break 'all;
                }
                last = item.seq;
                tail.push(std::iter::once(self.record(&item, accepted)));
                ids.push(item.kept.id);
                bytes += item.kept.text.len();
                read.push_back((item.seq, item.kept));
                while bytes > max_bytes
                    && let Some((_, gone)) = read.pop_front()
                {
                    bytes -= gone.text.len();
                    is_whole = false;
                }
            }
        }
        // From here on nothing fails: what this node knows is of the other history now.
        let known = self.newest.partition_point(|(seq, _)| *seq <= at);
        let goes_on = is_known && is_whole;
        self.newest.truncate(if goes_on { known } else { 0 });
        let bytes = self
            .newest
            .iter()
            .map(|(_, kept)| kept.text.len() + EVENT_BYTES);
        self.newest_bytes = bytes.sum();
        self.shared.own.read(ids.iter());
        for (seq, kept) in read {
            self.remember(seq, kept);
        }
        self.last = last;
        self.generations = generations.clone();
        let timeline = Timeline::new(generations, Arc::new(tail), first);
        self.shared.timelines.supersede(timeline);
        Ok(())
    }
}
