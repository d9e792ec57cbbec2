//! Counts over the whole stream: lines of the conversation by kind, decisions, and their confidence.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::limits;
use crate::{
    event::Event,
    timestamp::Timestamp,
    update::seneca::{ConversationEvent, read},
};

/// Kinds that are counted by name; further ones share [`OTHER`], because producers choose the names.
const MAX_TYPES: usize = 200;
/// The kind of all kinds beyond [`MAX_TYPES`].
const OTHER: &str = "other";
/// Decisions remembered by id: Marcus publishes each of them twice, shortly after one another.
const MAX_DECISION_IDS: usize = 1_000;
/// Days counted apart, so that an event with an odd clock does not clear today's count.
const MAX_DAYS: usize = 8;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Lines of the conversation.
    pub(super) total: u64,
    /// The same by kind.
    pub(super) types: BTreeMap<Box<str>, u64>,
    /// Decisions, each once.
    pub(super) decisions: u64,
    /// The same by day of the event; "today" is the day of the latest event.
    days: BTreeMap<i64, u64>,
    /// The day of the latest event.
    today: i64,
    /// The sum of the scores of those decisions that have one.
    confidence_sum: f64,
    /// The number of decisions with a score.
    confidence_count: u32,
    /// Decisions already counted, as hashes of their ids, which may be of any length.
    known: HashSet<u64>,
    /// The same, oldest first, to forget them in order.
    order: VecDeque<u64>,
    /// About how many bytes the kinds hold.
    pub(super) bytes: usize,
}

impl Tally {
    /// Counts `event`.
    pub(super) fn observe(&mut self, event: &Event, line: Option<&ConversationEvent<'_>>) {
        self.today = day(event.timestamp);
        if let Some(line) = line {
            self.total += 1;
            self.count_type(limits::name(line.event_type));
        }
        if is_decision(event) && self.is_new(event) {
            self.decisions += 1;
            *self.days.entry(self.today).or_default() += 1;
            if self.days.len() > MAX_DAYS {
                self.days.pop_first();
            }
            if let Some(score) = read::confidence(&event.data) {
                self.confidence_sum += score;
                self.confidence_count += 1;
            }
        }
    }

    /// Decisions on the day of the latest event.
    pub(super) fn decisions_today(&self) -> u64 {
        self.days.get(&self.today).copied().unwrap_or_default()
    }

    /// The mean score, 0 when no decision had one (the pages expect a number).
    pub(super) fn average_confidence(&self) -> f64 {
        match self.confidence_count {
            0 => 0.0,
            count => self.confidence_sum / f64::from(count),
        }
    }

    fn count_type(&mut self, kind: &str) {
        let kind = if self.types.contains_key(kind) || self.types.len() < MAX_TYPES {
            kind
        } else {
            OTHER
        };
        match self.types.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.bytes += limits::ENTRY + kind.len();
                self.types.insert(kind.into(), 1);
            }
        }
    }

    fn is_new(&mut self, event: &Event) -> bool {
        let Some(id) = read::text(&event.data, "decision_id") else {
            return true;
        };
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let id = hasher.finish();
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_DECISION_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// Marcus' own decisions and those that agents log.
fn is_decision(event: &Event) -> bool {
    event.name.canonical() == "pm.decision" || event.name.family() == "decision"
}

fn day(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(MICROS_PER_DAY)
}
