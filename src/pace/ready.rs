//! Updates that may go now, and the turns of their producers.
//!
//! ```text
//!  level (share)      producers take turns           what it stands behind goes first
//!  critical  8 ┐
//!  high      4 ├─▶ producer A ─▶ producer B ─▶ … ─▶ its oldest update ─▶ older updates of the same things
//!  normal    2 │
//!  low       1 ┘
//! ```
//!
//! Each level has its share of every flush, most urgent first; the more urgent levels take the rest of it. So a
//! priority puts an update before others, but a producer that claims it for everything stops nobody else. The share is
//! whole while the level has anything: an update may bring along many of other levels that have to go before it. Within
//! a level the producers take turns by what they send (deficit round robin): an update of a quiet producer waits behind
//! a few of a flooding one, not behind all of them. Producers whose tokens name the same projects take one turn between
//! them, and turns within it: more tokens for a project are no more turns.
//!
//! A flush that has room for all, of which none is critical and which are few, goes in the journal's order: its updates
//! are out in the same moment anyway.
//!
//! Updates of one entity never change places. They are not sorted when they come in: before an update goes, all older
//! ones that share an entity with it go, and before those the ones that are older still. They are found from the oldest
//! waiting update of each entity, so no backlog is ever walked.

use std::collections::{BTreeSet, HashMap};

use super::{
    PendingUpdate,
    turns::{self, Turns, Waits},
};
use crate::{
    event::Priority,
    journal::{FlowId, Seq},
    update::UpdateId,
};

const LEVELS: usize = Priority::ALL.len();

/// The most updates of a flush that go in the journal's order. So few are out in the same moment, whatever their
/// priorities; a client that follows several things then sees them in the order published.
const MAX_IN_ORDER: usize = 64;

/// The part of a flush that each level may count on, most urgent first.
pub type LevelShares = [usize; LEVELS];

/// The queues of the updates that may go now.
#[derive(Debug)]
pub(super) struct Ready {
    /// The part of a flush that each level has.
    shares: LevelShares,
    /// All waiting updates.
    groups: HashMap<UpdateId, PendingUpdate>,
    levels: [Level; LEVELS],
    /// The waiting updates of each entity, oldest first: they show which updates another one would overtake.
    waiting: HashMap<u64, BTreeSet<UpdateId>>,
    /// Each update in a flow's `first`, with the place of that flow.
    looked_for: HashMap<UpdateId, Place>,
    /// The number of waiting updates of each producer, for the backlog, which makes producers wait.
    unsent: HashMap<FlowId, UnsentCount>,
    /// The producers in `unsent` whose number changed since the last call.
    changed: Vec<FlowId>,
    /// The number of searches for an update that must go first: the cost of a backlog, for tests.
    #[cfg(test)]
    pub(super) steps: usize,
}

/// The waiting updates of one producer, at all levels.
#[derive(Debug, Default)]
struct UnsentCount {
    groups: usize,
    /// Whether it is in `changed`.
    is_changed: bool,
}

/// The updates that wait at a level.
#[derive(Debug, Default)]
struct Level {
    /// The turns; producers that share one are one entry.
    turns: Turns<Sharers>,
    len: usize,
}

/// The producers that share one turn, and take turns within it.
#[derive(Debug, Default)]
struct Sharers {
    flows: Turns<Flow>,
    len: usize,
}

/// The place of a flow: its level and its producer.
type Place = (usize, FlowId);

/// The updates of one producer that wait at one level.
#[derive(Debug, Default)]
struct Flow {
    /// In the order of the ids. Any of them may go before its turn, with an update of another producer.
    queue: BTreeSet<UpdateId>,
    /// Updates that have to go before the oldest of `queue`, the next one last; kept from one flush to the next.
    first: Vec<UpdateId>,
}

impl Waits for Sharers {
    fn waits(&self) -> bool {
        self.len > 0
    }
}

impl Waits for Flow {
    fn waits(&self) -> bool {
        !self.queue.is_empty()
    }
}

impl Level {
    /// The flow of a producer, if it has a place among the turns.
    fn flow_now(&self, flow: FlowId) -> Option<&Flow> {
        let sharers = self.turns.get(flow.turn)?;
        sharers.flows.get(flow.producer)
    }

    fn flow(&mut self, flow: FlowId) -> Option<&mut Flow> {
        let sharers = self.turns.get_mut(flow.turn)?;
        sharers.flows.get_mut(flow.producer)
    }
}

impl Default for Ready {
    fn default() -> Self {
        Self::new([8, 4, 2, 1])
    }
}

impl Ready {
    /// Empty queues.
    pub(super) fn new(shares: LevelShares) -> Self {
        Self {
            shares,
            groups: HashMap::new(),
            levels: Default::default(),
            waiting: HashMap::new(),
            looked_for: HashMap::new(),
            unsent: HashMap::new(),
            changed: Vec::new(),
            #[cfg(test)]
            steps: 0,
        }
    }

    /// The producers of which another number of updates waits than at the last call, each with that number.
    pub(super) fn take_changed(&mut self) -> Vec<(FlowId, usize)> {
        let unsent = &mut self.unsent;
        let now = |flow: FlowId| {
            let of = unsent.get_mut(&flow)?;
            of.is_changed = false;
            let groups = of.groups;
            if groups == 0 {
                unsent.remove(&flow);
            }
            Some((flow, groups))
        };
        self.changed.drain(..).filter_map(now).collect()
    }

    fn unsent_by(&mut self, flow: FlowId) -> &mut usize {
        let unsent = self.unsent.entry(flow).or_default();
        if !unsent.is_changed {
            unsent.is_changed = true;
            self.changed.push(flow);
        }
        &mut unsent.groups
    }

    /// Queues an update.
    pub(super) fn push(&mut self, group: PendingUpdate) {
        let mark = group.mark();
        for &entity in &group.entities {
            self.waiting.entry(entity).or_default().insert(mark);
        }
        let level = &mut self.levels[group.priority as usize];
        level.len += 1;
        let sharers = level.turns.enter(group.by.flow.turn);
        sharers.len += 1;
        let flow = sharers.flows.enter(group.by.flow.producer);
        flow.queue.insert(mark);
        *self.unsent_by(group.by.flow) += 1;
        self.groups.insert(mark, group);
    }

    /// Takes up to `max` updates: each level's share, most urgent first, producer by producer.
    pub(super) fn take(&mut self, max: usize) -> Vec<PendingUpdate> {
        // A flush that has room for everything needs no shares.
        let is_all = self.len() <= max;
        let is_in_order = is_all && self.len() <= MAX_IN_ORDER && !self.urgent();
        let mut left = max.min(self.len());
        let mut taken = Vec::with_capacity(left);
        for level in 0..LEVELS {
            let kept: usize = match is_all {
                true => 0,
                false => (level + 1..LEVELS)
                    .map(|below| self.share(below, max))
                    .sum(),
            };
            let mut may = left.saturating_sub(kept);
            while may > 0
                && let Some(group) = self.next(level)
            {
                may -= 1;
                left -= 1;
                taken.push(group);
            }
        }
        // Room is left by levels that did not use their shares, and by updates that went with others.
        for level in 0..LEVELS {
            while left > 0
                && let Some(group) = self.next(level)
            {
                left -= 1;
                taken.push(group);
            }
        }
        if is_in_order {
            taken.sort_unstable_by_key(PendingUpdate::mark);
        }
        taken
    }

    /// The place of a producer's oldest update.
    pub(super) fn oldest_of(&self, flow: FlowId) -> Option<Seq> {
        if !self.unsent.contains_key(&flow) {
            return None;
        }
        let queues = self.levels.iter().filter_map(|level| level.flow_now(flow));
        let oldest = queues.filter_map(|flow| flow.queue.first());
        oldest.map(|(seq, _)| *seq).min()
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The number of updates at each level.
    pub(super) fn by_level(&self) -> [usize; LEVELS] {
        self.levels.each_ref().map(|level| level.len)
    }

    pub(super) fn urgent(&self) -> bool {
        self.levels[Priority::Critical as usize].len > 0
    }

    /// The updates of a flush that a level may count on while it has any, however few: updates that have to go before
    /// its own, of any level, go at its turn, and would use up a smaller share.
    fn share(&self, level: usize, max: usize) -> usize {
        if self.levels[level].len == 0 {
            return 0;
        }
        let all: usize = self.shares.iter().sum();
        max.saturating_mul(self.shares[level]) / all.max(1)
    }

    /// The next update of a level, or one that has to go before it.
    fn next(&mut self, level: usize) -> Option<PendingUpdate> {
        let flow = self.turn(level)?;
        let mark = self.first_of(level, flow)?;
        let group = self.groups.remove(&mark)?;
        self.forget(mark, &group);
        let cost = turns::cost(group.weight);
        let turns = &mut self.levels[level].turns;
        turns.pay(flow.turn, cost);
        if let Some(sharers) = turns.get_mut(flow.turn) {
            sharers.flows.pay(flow.producer, cost);
        }
        Some(group)
    }

    /// The producer whose turn it is, among those that share the turn.
    fn turn(&mut self, level: usize) -> Option<FlowId> {
        let looked_for = &mut self.looked_for;
        let mut forget = |flow: Flow| {
            for mark in flow.first {
                looked_for.remove(&mark);
            }
        };
        let turns = &mut self.levels[level].turns;
        let turn = turns.next(|gone| gone.flows.into_all().for_each(&mut forget))?;
        let producer = turns.get_mut(turn)?.flows.next(&mut forget)?;
        Some(FlowId { turn, producer })
    }

    /// The update that goes first of all those before the oldest of a flow. If another flow has begun that search, it
    /// goes on with it: no chain of updates is walked twice.
    fn first_of(&mut self, level: usize, flow: FlowId) -> Option<UpdateId> {
        let mut at = (level, flow);
        loop {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            let flow = self.levels[at.0].flow(at.1)?;
            let before = match flow.first.last() {
                None => Some(*flow.queue.first()?),
                Some(&mark) => match self.groups.get(&mark) {
                    // The update went meanwhile, with another one.
                    None => {
                        flow.first.pop();
                        self.looked_for.remove(&mark);
                        continue;
                    }
                    Some(group) => {
                        let oldest = |entity: &u64| self.waiting.get(entity)?.first().copied();
                        let before = group.entities.iter().filter_map(oldest).min();
                        before.filter(|before| *before < mark)
                    }
                },
            };
            let Some(before) = before else {
                let mark = flow.first.pop()?;
                self.looked_for.remove(&mark);
                return Some(mark);
            };
            match self.looked_for.get(&before) {
                // The search always goes to an older update, so it ends.
                Some(&elsewhere) => at = elsewhere,
                None => {
                    flow.first.push(before);
                    self.looked_for.insert(before, at);
                }
            }
        }
    }

    fn forget(&mut self, mark: UpdateId, group: &PendingUpdate) {
        for entity in &group.entities {
            if let Some(waiting) = self.waiting.get_mut(entity) {
                waiting.remove(&mark);
                if waiting.is_empty() {
                    self.waiting.remove(entity);
                }
            }
        }
        let unsent = self.unsent_by(group.by.flow);
        *unsent = unsent.saturating_sub(1);
        let level = &mut self.levels[group.priority as usize];
        level.len -= 1;
        if let Some(sharers) = level.turns.get_mut(group.by.flow.turn) {
            sharers.len -= 1;
        }
        if let Some(flow) = level.flow(group.by.flow) {
            flow.queue.remove(&mark);
        }
    }
}
