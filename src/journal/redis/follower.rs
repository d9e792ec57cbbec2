//! The one that reads the stream as it grows: events of all nodes, in the one order.
//!
//! Whenever it connects it asks first whether the engine's history is still the one that it knows (`append.lua` begins a
//! generation where it isn't). An engine that was promoted or put back may lack events that were read here already. These
//! are appended again, by their ids, so each once, however many nodes do it; then the stream goes back to the last place
//! that both know, and so does the hub.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use redis::Connection;

use super::{
    lost::Loss,
    past::{self, Item},
    scripts::{Kept, Scripts, Told},
    shared::{Part, Shared},
};
use crate::{
    engine::Fault,
    journal::{Epoch, Seq, entry::InMemory, generations::Generations},
    timestamp::Timestamp,
};

/// Events of one reading.
const AT_A_TURN: usize = 512;
/// The time for which the engine waits for an event; then its history is looked at.
const BLOCK: Duration = Duration::from_millis(500);
/// The first wait between two tries to connect; each later one is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(50);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Events that are appended again at a time.
const HEALED_AT_ONCE: usize = 500;

#[derive(Debug)]
pub(super) struct Follower {
    shared: Arc<Shared>,
    scripts: Scripts,
    /// The last place that was read, and the epoch of that time.
    last: Seq,
    epoch: Epoch,
    /// The newest events as the engine had them, to be put back if it loses them.
    newest: VecDeque<(Seq, Kept)>,
    newest_bytes: usize,
    /// The last look at the engine's history.
    looked_at: Instant,
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let last = shared.last.load(Ordering::Acquire);
        let epoch = shared.generations.load().present();
        Self {
            shared,
            scripts: Scripts::new(),
            last,
            epoch,
            newest: VecDeque::new(),
            newest_bytes: 0,
            looked_at: Instant::now(),
        }
    }

    /// Follows until the journal is closed; connects again whenever the connection ends.
    pub(super) fn run(mut self) {
        let mut delay = FIRST_RETRY_DELAY;
        while !self.shared.is_stopping() {
            let fault = match self.connect() {
                Ok(connection) => {
                    delay = FIRST_RETRY_DELAY;
                    match self.follow(connection) {
                        Ok(()) => return,
                        Err(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            let reason = format!("the journal's engine can't be read: {fault}");
            let before = self.shared.set_trouble(Part::Follower, Some(reason));
            if before.is_none() {
                tracing::warn!(%fault, "the journal's engine can't be read; what is known goes on being told");
            }
            std::thread::sleep(delay);
            delay = (delay * 2).min(MAX_RETRY_DELAY);
        }
    }

    fn connect(&mut self) -> Result<Connection, Fault> {
        let timeout = self.shared.options.timeout;
        let mut connection = self.shared.engine.connect(BLOCK + timeout)?;
        self.compare(&mut connection)?;
        if self.shared.set_trouble(Part::Follower, None).is_some() {
            tracing::info!("the journal's engine can be read again");
        }
        Ok(connection)
    }

    fn follow(&mut self, mut connection: Connection) -> Result<(), Fault> {
        let block = u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX);
        while !self.shared.is_stopping() {
            let turn = (AT_A_TURN, block);
            let items = past::after(&mut connection, &self.shared.keys, self.last, turn)?;
            if items.is_empty() || self.looked_at.elapsed() >= BLOCK {
                self.look(&mut connection)?;
            }
            self.take(items, &mut connection)?;
        }
        Ok(())
    }

    /// Takes events on; those of a history that is not known yet are read again after a comparison.
    fn take(&mut self, items: Vec<Item>, connection: &mut Connection) -> Result<(), Fault> {
        let accepted = Instant::now();
        let mut records = Vec::with_capacity(items.len());
        let mut is_strange = false;
        for item in items {
            if item.epoch != self.epoch || item.seq != self.last + 1 {
                is_strange = true;
                break;
            }
            self.last = item.seq;
            records.push(match self.shared.came(&item.kept.id) {
                Some((entry, accepted)) => entry.at(item.seq, accepted),
                None => InMemory::stored(item.seq, item.kept.text.clone(), accepted),
            });
            self.remember(item.seq, item.kept);
        }
        if !records.is_empty() {
            self.shared.tail.push(records.into_iter());
            self.tell();
        }
        match is_strange {
            true => self.compare(connection),
            false => Ok(()),
        }
    }

    /// Tells the hub how far the stream was read.
    fn tell(&self) {
        self.shared.last.store(self.last, Ordering::Release);
        self.shared.grown.send_replace(self.last);
    }

    fn remember(&mut self, seq: Seq, kept: Kept) {
        self.newest_bytes += kept.text.len();
        self.newest.push_back((seq, kept));
        while self.newest_bytes > self.shared.options.held.tail
            && self.newest.len() > 1
            && let Some((_, gone)) = self.newest.pop_front()
        {
            self.newest_bytes -= gone.text.len();
        }
    }

    /// Looks whether the engine is still a primary with the history that is known.
    fn look(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        self.looked_at = Instant::now();
        let role: Vec<redis::Value> = redis::cmd("ROLE").query(connection)?;
        if !matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master") {
            return Err(Fault::Replica("the engine".into()));
        }
        let ends = past::ends(connection, &self.shared.keys)?;
        self.shared.first.store(ends.first, Ordering::Release);
        if self.shared.decided.load(Ordering::Acquire) != ends.decided {
            let decisions = past::decisions(connection, &self.shared.keys)?;
            self.shared.decided.store(ends.decided, Ordering::Release);
            self.shared.decisions.send_replace(decisions);
        }
        if let Some((seq, _)) = past::checkpoint(connection, &self.shared.keys)? {
            self.shared.checkpoint.store(seq, Ordering::Release);
        }
        match ends.epoch == Some(self.epoch) && ends.last >= self.last {
            true => Ok(()),
            false => self.compare(connection),
        }
    }

    /// Compares the engine's history with what was read here: puts back what it lost, and goes back as far as it must.
    fn compare(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let now = Timestamp::now().as_micros() / 1_000;
        self.scripts
            .append(connection, &self.shared.keys, now, std::iter::empty())?;
        let generations = past::generations(connection, &self.shared.keys)?;
        let ends = past::ends(connection, &self.shared.keys)?;
        let present = generations.present();
        let common = self.common(&generations, ends.last);
        let first = ends.first;
        self.shared.first.store(first, Ordering::Release);
        if common < Some(self.last) {
            let mut until = 0;
            match common {
                Some(common) => until = self.heal(connection, common, now)?,
                // Another journal, or one that was emptied: nothing of it was ever read here.
                None => {
                    tracing::warn!("the journal's engine has another journal now, or was emptied");
                    self.shared.metrics.lost.inc_by(self.last);
                }
            }
            let at = common.unwrap_or(0).max(first - 1);
            return self.go_back((at, until), (generations, present), connection);
        }
        if first > self.last + 1 {
            tracing::warn!("events were let go of that this node had not read yet; it begins anew");
            return self.go_back((first - 1, 0), (generations, present), connection);
        }
        self.shared.generations.store(Arc::new(generations));
        self.epoch = present;
        Ok(())
    }

    /// The last place that the engine has as it was read here; none if the engine has another journal.
    fn common(&self, now: &Generations, last: Seq) -> Option<Seq> {
        let own = self.shared.generations.load();
        own.newest_first(self.last)
            .find_map(|(epoch, newest)| Some(now.newest(epoch, last)?.min(newest)))
    }

    /// Appends the events again that the engine lost: those after this place. Returns the last of their new places.
    fn heal(&mut self, connection: &mut Connection, common: Seq, now: i64) -> Result<Seq, Fault> {
        let from = self.newest.partition_point(|(seq, _)| *seq <= common);
        let lost: Vec<Kept> = self
            .newest
            .range(from..)
            .map(|(_, kept)| kept.clone())
            .collect();
        let first = self.newest.get(from).map_or(self.last + 1, |(seq, _)| *seq);
        let missing = first - common - 1;
        let mut places = Vec::with_capacity(lost.len());
        while places.len() < lost.len() {
            let part = lost[places.len()..].iter().take(HEALED_AT_ONCE);
            let (_, told) = self
                .scripts
                .append(connection, &self.shared.keys, now, part)?;
            places.extend(told.into_iter().map(|told| match told {
                Told::Kept(seq) | Told::Known(seq) => Some(seq),
                // Its id stands for another event by now.
                Told::Conflict => None,
            }));
        }
        let own = self.shared.generations.load();
        let epochs = own.newest_first(self.last);
        let epochs = epochs.take_while(|(_, newest)| *newest > common);
        let until = places.iter().flatten().max().copied();
        self.shared.loses(Loss {
            epochs: epochs.map(|(epoch, _)| epoch).collect(),
            common,
            first,
            now: places,
        });
        self.shared.metrics.healed.inc_by(lost.len() as u64);
        self.shared.metrics.lost.inc_by(missing);
        tracing::warn!(
            healed = lost.len(),
            missing,
            "the journal's engine lost its newest events; those that are known here were put back"
        );
        Ok(until.unwrap_or(0))
    }

    /// Goes back to a place, and reads from there up to those that were put back before anybody is told.
    fn go_back(
        &mut self,
        (at, until): (Seq, Seq),
        (generations, present): (Generations, Epoch),
        connection: &mut Connection,
    ) -> Result<(), Fault> {
        let mut items = VecDeque::new();
        let mut to = at;
        while to < until {
            let more = past::range(connection, &self.shared.keys, to + 1, AT_A_TURN)?;
            let Some(last) = more.last() else { break };
            to = last.seq;
            items.extend(more);
        }
        self.last = at;
        self.newest.clear();
        self.newest_bytes = 0;
        self.epoch = present;
        // First, so that whoever reads the new events knows that the stream went back.
        self.shared.rewinds.fetch_add(1, Ordering::AcqRel);
        self.shared.generations.store(Arc::new(generations));
        self.shared.tail.begin_after(at);
        let accepted = Instant::now();
        let mut records = Vec::with_capacity(items.len());
        for item in items {
            if item.seq != self.last + 1 {
                break;
            }
            self.last = item.seq;
            self.shared.came(&item.kept.id);
            records.push(InMemory::stored(item.seq, item.kept.text.clone(), accepted));
            self.remember(item.seq, item.kept);
        }
        self.shared.tail.push(records.into_iter());
        self.tell();
        Ok(())
    }
}
