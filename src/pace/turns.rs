//! Turns: deficit round robin among those who share something.

use std::collections::{HashMap, VecDeque};

/// The budget of a turn: an update costs one, and one more for each [`UPDATE_COST_BYTES`] bytes that it has.
const TURN_BUDGET: i64 = 4;
const UPDATE_COST_BYTES: usize = 4_096;

/// The cost of an update with so many bytes.
pub(super) fn cost(bytes: usize) -> i64 {
    1 + i64::try_from(bytes / UPDATE_COST_BYTES).unwrap_or(i64::MAX / 2)
}

/// A taker of turns that may have nothing when its turn comes.
pub(super) trait Waits {
    /// Whether it has an update.
    fn waits(&self) -> bool;
}

/// Takers of turns, by name.
#[derive(Debug)]
pub(super) struct Turns<T> {
    members: HashMap<u64, Member<T>>,
    /// All takers, in the order of their turns.
    order: VecDeque<u64>,
}

#[derive(Debug)]
struct Member<T> {
    is: T,
    /// The budget that is left in this turn. A large update is sent on credit, which takes turns to pay back.
    left: i64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            members: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Waits> Turns<T> {
    /// The taker of this name; a new one comes behind all others.
    pub(super) fn enter(&mut self, name: u64) -> &mut T
    where
        T: Default,
    {
        let order = &mut self.order;
        let member = self.members.entry(name).or_insert_with(|| {
            order.push_back(name);
            Member {
                is: T::default(),
                left: TURN_BUDGET,
            }
        });
        &mut member.is
    }

    pub(super) fn get(&self, name: u64) -> Option<&T> {
        self.members.get(&name).map(|member| &member.is)
    }

    pub(super) fn get_mut(&mut self, name: u64) -> Option<&mut T> {
        self.members.get_mut(&name).map(|member| &mut member.is)
    }

    /// The taker whose turn it is. A taker without budget goes behind the others; a taker without updates is given to
    /// `gone`.
    pub(super) fn next(&mut self, mut gone: impl FnMut(T)) -> Option<u64> {
        loop {
            let name = *self.order.front()?;
            let waits = |member: &&mut Member<T>| member.is.waits();
            let Some(member) = self.members.get_mut(&name).filter(waits) else {
                self.order.pop_front();
                if let Some(member) = self.members.remove(&name) {
                    gone(member.is);
                }
                continue;
            };
            if member.left > 0 {
                return Some(name);
            }
            // A taker that is alone pays nothing back.
            member.left = match self.order.len() {
                1 => TURN_BUDGET,
                _ => member.left + TURN_BUDGET,
            };
            self.order.rotate_left(1);
        }
    }

    /// Has a taker pay for an update that went at its turn.
    pub(super) fn pay(&mut self, name: u64, cost: i64) {
        if let Some(member) = self.members.get_mut(&name) {
            member.left -= cost;
        }
    }

    /// All takers, in no order.
    pub(super) fn into_all(self) -> impl Iterator<Item = T> {
        self.members.into_values().map(|member| member.is)
    }
}
