//! Pacing: throttle windows, coalescing, priorities.
//!
//! ```text
//!            ┌─ Immediate ──────────────┐
//!  PendingUpdate ────┤                          ├─▶ ready (by priority and producer) ─▶ take(flush_max)
//!            └─ Coalesced ─▶ windows ───┘
//! ```
//!
//! An update that is alone goes at once and opens a window for its key; those that follow within it are coalesced into
//! one that goes when the window ends: the last value always arrives. Priorities and turns reorder only between
//! entities: an update that would overtake an earlier one of an entity that it names takes that one along.
//!
//! Plain data without clocks or tasks: time is a parameter, the hub owns it.

pub mod degradation;
mod dividing;
mod figures;
mod group;
mod joining;
mod ready;
#[cfg(test)]
mod tests;
mod turns;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use slab::Slab;
use smallvec::SmallVec;

pub use group::{PendingUpdate, Window, group};
pub use ready::LevelShares;
use ready::Ready;

use crate::{
    event::Priority,
    journal::Seq,
    update::{Coalescing, Key},
};

/// The budgets of the priorities from accepted to written, most urgent first, for 99 of 100 updates.
pub const BUDGETS: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
];

/// One of so many updates of a flush may be a sum, if all others wait too.
const SUMS_SHARE: usize = 16;

/// The shortest window: an empty one would not coalesce anything.
const MIN_WINDOW: Duration = Duration::from_millis(1);

/// The windows and queues between transformation and fan-out.
#[derive(Debug, Default)]
pub struct Pacer {
    /// Open windows; a slot's number names a window in `by_key`, `due` and `held_by_entity`.
    windows: Slab<Open>,
    /// The window of an update. Updates for different rooms are never coalesced, so that nobody sees what isn't theirs.
    by_key: HashMap<(Key, u64), usize>,
    /// The ends of the windows, soonest first.
    due: BTreeSet<(Instant, usize)>,
    /// The windows that hold an update of an entity: they go first when another update of that entity goes.
    held_by_entity: HashMap<u64, Holding>,
    /// The updates that may go now.
    ready: Ready,
    /// Sums that may go now. They are of no entity, so that nothing goes before them or with them.
    sums: VecDeque<PendingUpdate>,
    /// The windows that hold such sums.
    summing: BTreeSet<usize>,
    /// Whether updates with a key never go at once: all of them are coalesced until the end.
    coalesces_all: bool,
    /// Sums up to this event are in a state that somebody has: later ones are not added to them.
    summed_up_to: Seq,
    /// About how many bytes of memory the updates hold.
    bytes: usize,
    /// The number of updates that windows hold, by priority.
    held_by_priority: [usize; Priority::ALL.len()],
}

/// The windows that hold updates of one entity.
#[derive(Debug, Default)]
struct Holding {
    slots: BTreeSet<usize>,
    /// The newest event that one of the windows holds, and the newest before that.
    newest: (Seq, Seq),
}

/// An open window.
#[derive(Debug)]
struct Open {
    /// The key under which it is in `by_key`.
    key: (Key, u64),
    ends: Instant,
    /// The length of the next window.
    length: Duration,
    /// The updates since it opened, coalesced; `None` while there are none.
    held: Option<PendingUpdate>,
}

impl Pacer {
    /// A pacer whose priorities have these parts of a flush, most urgent first.
    pub fn new(shares: LevelShares) -> Self {
        Self {
            ready: Ready::new(shares),
            ..Self::default()
        }
    }

    /// A pacer for updates that are sent in one go: nobody watches them happen, so only the last value of a key counts.
    pub fn coalescing() -> Self {
        Self {
            coalesces_all: true,
            ..Self::default()
        }
    }

    /// Parts sums at this place, where somebody is given the state: it has the earlier ones and will be sent the later ones.
    pub fn part_sums_at(&mut self, seq: Seq) {
        self.summed_up_to = self.summed_up_to.max(seq);
    }

    /// Takes an update in journal order: it becomes ready, or is held in its window.
    pub fn accept(&mut self, group: PendingUpdate, now: Instant) {
        self.bytes += group.held;
        let Some(window) = group.window.clone() else {
            self.release_before(&group);
            self.go(group);
            return;
        };
        let key = (window.key.clone(), group.rooms);
        match self.by_key.get(&key) {
            Some(&slot) if self.windows[slot].ends > now => self.hold(slot, group, &window),
            Some(&slot) => {
                // The window is over and was not ticked yet: its update goes first, then this one is alone again.
                self.release(slot);
                self.reopen(slot, now + window.length);
                self.release_before(&group);
                self.go(group);
            }
            None if self.coalesces_all => {
                let slot = self.open(key, now, window.length.max(MIN_WINDOW));
                self.hold(slot, group, &window);
            }
            None => {
                self.open(key, now, window.length);
                self.release_before(&group);
                self.go(group);
            }
        }
    }

    /// Releases the updates of windows that ended by `now`.
    pub fn tick(&mut self, now: Instant) {
        while let Some(&(ends, slot)) = self.due.first() {
            if ends > now {
                break;
            }
            if self.windows[slot].held.is_some() {
                self.release(slot);
                let length = self.windows[slot].length;
                self.reopen(slot, now + length);
            } else {
                self.due.pop_first();
                let open = self.windows.remove(slot);
                self.by_key.remove(&open.key);
            }
        }
    }

    /// Makes all held updates ready, though their windows go on, because nothing comes after them.
    pub fn release_all(&mut self) {
        let slots: Vec<usize> = self.due.iter().map(|&(_, slot)| slot).collect();
        slots.into_iter().for_each(|slot| self.release(slot));
    }

    /// The end of the next window.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|&(ends, _)| ends)
    }

    /// Takes up to `max` updates, most urgent first, each entity's in order.
    pub fn take(&mut self, max: usize) -> Vec<PendingUpdate> {
        // Sums have the part of the lowest priority, and all the room that is left.
        let own = self.sums.len().min(max / SUMS_SHARE + 1).min(max);
        let mut taken = self.ready.take(max - own);
        let sums = self.sums.len().min(max - taken.len());
        taken.extend(self.sums.drain(..sums));
        self.count_gone(&taken);
        taken
    }

    /// Takes all sums, also those that are held: somebody is about to be given the state, which has them. Sums that are not
    /// of this kind are only parted ([`Self::part_sums_at`]).
    pub fn take_sums(&mut self) -> Vec<PendingUpdate> {
        for slot in std::mem::take(&mut self.summing) {
            self.release(slot);
        }
        let taken: Vec<_> = self.sums.drain(..).collect();
        self.count_gone(&taken);
        taken
    }

    fn count_gone(&mut self, taken: &[PendingUpdate]) {
        let held = taken.iter().map(|group| group.held).sum::<usize>();
        self.bytes -= held.min(self.bytes);
    }

    /// Queues an update that may go now.
    fn go(&mut self, group: PendingUpdate) {
        match is_free_sum(&group) {
            true => self.sums.push_back(group),
            false => self.ready.push(group),
        }
    }

    /// Takes the update that a window holds.
    fn take_held(&mut self, slot: usize) -> Option<PendingUpdate> {
        let held = self.windows[slot].held.take()?;
        self.summing.remove(&slot);
        self.held_by_priority[held.priority as usize] -= 1;
        Some(held)
    }

    fn open(&mut self, key: (Key, u64), now: Instant, length: Duration) -> usize {
        let slot = self.windows.insert(Open {
            key: key.clone(),
            ends: now + length,
            length,
            held: None,
        });
        self.by_key.insert(key, slot);
        self.due.insert((now + length, slot));
        slot
    }

    fn reopen(&mut self, slot: usize, ends: Instant) {
        self.due.remove(&(self.windows[slot].ends, slot));
        self.windows[slot].ends = ends;
        self.due.insert((ends, slot));
    }

    fn hold(&mut self, slot: usize, mut group: PendingUpdate, window: &Window) {
        let held = self.windows[slot].held.as_ref();
        if held.is_some_and(|earlier| self.divides(earlier, &group, window)) {
            self.release(slot);
        }
        let earlier = self.take_held(slot);
        // The held update is indexed already: only entities that the new one adds are added, however many there are.
        let named = std::mem::take(&mut group.entities);
        let (mut coalesced, mut entities) = match earlier {
            None => (group, SmallVec::new()),
            Some(mut earlier) => {
                let entities = std::mem::take(&mut earlier.entities);
                let before = earlier.held + group.held;
                let coalesced = joining::join(earlier, group, window.how);
                self.bytes = self.bytes.saturating_sub(before) + coalesced.held;
                (coalesced, entities)
            }
        };
        for entity in named {
            let holding = self.held_by_entity.entry(entity).or_default();
            if holding.newest.0 != coalesced.last() {
                holding.newest = (coalesced.last(), holding.newest.0);
            }
            if holding.slots.insert(slot) {
                entities.push(entity);
            }
        }
        coalesced.entities = entities;
        self.held_by_priority[coalesced.priority as usize] += 1;
        if is_free_sum(&coalesced) {
            self.summing.insert(slot);
        }
        self.windows[slot].held = Some(coalesced);
    }

    fn unindex(&mut self, slot: usize, group: &PendingUpdate) {
        for entity in &group.entities {
            if let Some(holding) = self.held_by_entity.get_mut(entity) {
                holding.slots.remove(&slot);
                if holding.slots.is_empty() {
                    self.held_by_entity.remove(entity);
                }
            }
        }
    }

    /// Makes the update of a window ready, after all older ones that are held for the same entities.
    fn release(&mut self, slot: usize) {
        if let Some(group) = self.take_held(slot) {
            self.unindex(slot, &group);
            self.release_before(&group);
            self.go(group);
        }
    }

    /// Makes ready all older updates that are held for the entities of `group` (and for theirs in turn). Updates of its
    /// own event stay held: otherwise an update that goes at once would end the windows of all others beside it.
    fn release_before(&mut self, group: &PendingUpdate) {
        if self.held_by_entity.is_empty() {
            return;
        }
        let mut older = Vec::new();
        let mut entities: Vec<u64> = group.entities.to_vec();
        while let Some(entity) = entities.pop() {
            let slots = self.held_by_entity.get(&entity);
            let slots = slots.map(|holding| holding.slots.clone());
            let slots = slots.unwrap_or_default();
            for slot in slots {
                let is_older = self.windows[slot]
                    .held
                    .as_ref()
                    .is_some_and(|held| held.last() < group.last());
                if !is_older {
                    continue;
                }
                if let Some(held) = self.take_held(slot) {
                    self.unindex(slot, &held);
                    entities.extend_from_slice(&held.entities);
                    older.push(held);
                }
            }
        }
        older.sort_by_key(PendingUpdate::mark);
        older.into_iter().for_each(|held| self.ready.push(held));
    }
}

/// Whether an update is a sum that is of no entity.
fn is_free_sum(group: &PendingUpdate) -> bool {
    let window = group.window.as_ref();
    group.entities.is_empty() && window.is_some_and(|window| window.how == Coalescing::Sums)
}
