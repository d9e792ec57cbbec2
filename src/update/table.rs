//! The table (contract §4): the updates that an event gives, by the configuration's rules or else by the event's
//! built-in row, and the time at which each is sent.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use super::{
    kind::UpdateKind,
    planned::{Coalescing, Destination, Key, Planned, Timing},
    row::{By, Row, row},
    rules::{MAX_RULES_PER_EVENT, Rule},
    seneca,
    usage_scope::added,
};
use crate::{
    channel::Listening,
    event::{Event, Priority},
};

/// The configuration of the transformation.
#[derive(Debug, Default)]
pub struct TransformOptions {
    /// The window in which updates of one key are coalesced.
    pub throttle: Duration,
    /// The window for message text, which people read as it grows.
    pub text_throttle: Duration,
    /// The window for sums of usage.
    pub usage_throttle: Duration,
    /// Rules that add to the table or replace its rows.
    pub rules: Vec<Rule>,
}

/// The table, with the configuration's rules before it.
#[derive(Debug)]
pub struct Table {
    /// The window of all keys but text.
    throttle: Duration,
    /// The window for text, which people read as it grows.
    text_throttle: Duration,
    /// The window for sums.
    usage_throttle: Duration,
    /// If a rule fits, the row is not used.
    rules: Vec<Arc<Rule>>,
    /// A number for the rules by which updates are coalesced; cursors name it.
    grouping: u32,
}

/// The number of this version's coalescing: the table's rows, their bits and keys, an event's entities and rooms, and
/// the order of updates. A change of any of these needs the next number: otherwise cursors from within a segment would
/// name another place than before (`hub/catchup/coalesce/tests.rs` has the present one).
const GROUPING: u32 = 12;

impl Table {
    /// The table with these settings.
    pub fn new(options: TransformOptions) -> Self {
        let rules = format!("{GROUPING} {:?}", options.rules);
        Self {
            throttle: options.throttle,
            text_throttle: options.text_throttle,
            usage_throttle: options.usage_throttle,
            rules: options.rules.into_iter().map(Arc::new).collect(),
            grouping: fnv(rules.as_bytes()),
        }
    }

    /// A number for the rules by which updates are coalesced: a place within a segment means nothing under other rules.
    pub fn grouping(&self) -> u32 {
        self.grouping
    }

    /// The updates that `event` gives, in the order in which they are sent. Only topics with a listener are planned
    /// for.
    pub fn plan(&self, event: &Event, listening: Listening) -> SmallVec<[Planned; 4]> {
        let mut planned = SmallVec::new();
        if let Some(emission) = &event.emission {
            planned.push(Planned {
                bit: 1,
                kind: UpdateKind::Emission(emission.clone()),
                priority: Priority::Normal,
                timing: Timing::Immediate,
                destination: Destination::Addressed,
                event: None,
            });
            return planned;
        }
        let rules = self.rules.iter().enumerate();
        let fitting = rules.filter(|(_, rule)| rule.matches(event));
        for (nth, (index, rule)) in fitting.take(MAX_RULES_PER_EVENT).enumerate() {
            let mut update = rule.clone().plan(event, self.throttle, index);
            update.bit = 1 << nth;
            planned.push(update);
        }
        if planned.is_empty() {
            self.plan_row(event, row(event), &mut planned);
            self.plan_sums(event, &mut planned);
        }
        for kind in seneca::plan(event, listening) {
            planned.push(Planned {
                bit: 1 << (MAX_RULES_PER_EVENT + kind as usize),
                destination: Destination::Topic(kind.topic()),
                kind: UpdateKind::Seneca(kind),
                priority: event.priority.unwrap_or(Priority::Normal),
                timing: Timing::Immediate,
                event: None,
            });
        }
        planned
    }

    /// An update for each sum that the event adds to. Its bit says which, whether or not the event has the others. A
    /// producer's own priority is that of the call.
    fn plan_sums(&self, event: &Event, planned: &mut SmallVec<[Planned; 4]>) {
        let Some((_, sums)) = added(event) else {
            return;
        };
        planned.extend(sums.into_iter().map(|sum| Planned {
            bit: 2 << sum.scope as usize,
            kind: UpdateKind::Usage,
            priority: Priority::Low,
            timing: Timing::Coalesced {
                key: Key(format!("usage/{}/{}", sum.scope.as_str(), sum.id).into()),
                window: self.usage_throttle,
                how: Coalescing::Sums,
            },
            destination: Destination::EventRooms,
            event: Some(Arc::new(sum.event)),
        }));
    }

    fn plan_row(&self, event: &Event, row: Row<'_>, planned: &mut SmallVec<[Planned; 4]>) {
        let priority = event.priority.unwrap_or(row.priority);
        let (window, how) = match &row.by {
            // This update says that a thing is of its project from now on; the ones that it could be coalesced with
            // don't.
            _ if !event.settled.adopted.is_empty() => (Duration::ZERO, Coalescing::Replace),
            By::Id(_, _, Coalescing::Text) => (self.text_throttle, Coalescing::Text),
            By::Id(_, _, how) => (self.throttle, *how),
            By::Nothing => (Duration::ZERO, Coalescing::Replace),
        };
        planned.extend(
            row.kinds
                .into_iter()
                .enumerate()
                .map(|(nth, kind)| Planned {
                    bit: 1 << nth,
                    kind,
                    priority,
                    timing: match &row.by {
                        By::Id(space, Some(id), _)
                            if priority != Priority::Critical
                                && event.settled.adopted.is_empty() =>
                        {
                            Timing::Coalesced {
                                key: match nth {
                                    0 => Key(format!("{space}/{id}").into()),
                                    _ => Key(format!("{space}#{nth}/{id}").into()),
                                },
                                window,
                                how,
                            }
                        }
                        _ => Timing::Immediate,
                    },
                    destination: Destination::EventRooms,
                    event: None,
                }),
        );
    }
}

/// A short number for some bytes, the same in every process.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
