//! Accounts for every event at every observer: it came exactly once, or a named later update of its chain took it, and
//! nothing of one entity came out of order.
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use serde_json::Value;

use crate::{
    replay::{Run, Wish},
    script::Script,
};

/// Updates that no single event stands behind.
const AGGREGATES: [&str; 6] = [
    "conversation_summary",
    "system_metrics",
    "active_flows_update",
    "dashboard_update",
    "flow_update",
    "health_update",
];
/// More of them would say nothing new.
const MAX_FAULTS: usize = 20;

/// The kind of a packet.
#[derive(Debug)]
enum Fact {
    /// An update of an event.
    Update(Update),
    /// An aggregate.
    Aggregate { name: String },
}

#[derive(Debug)]
struct Update {
    /// The last event in it.
    line: usize,
    /// Its place among that event's updates.
    slot: usize,
    /// The number of events in it.
    coalesced: usize,
    /// The first of them.
    first: usize,
    priority: String,
}

/// The findings.
#[derive(Debug, Default)]
pub struct Account {
    /// The faults, in words; empty when nothing is.
    pub faults: Vec<String>,
    /// The updates of events that all observers got together.
    pub deliveries: usize,
    /// The aggregates that they got.
    pub aggregates: usize,
    /// The updates that one observer without a filter got, and the events that were coalesced into later ones of them.
    pub each: (usize, usize),
    /// Different sequences among observers that should have the same one, by wish; 1 is right.
    pub sequences: BTreeMap<String, usize>,
    /// By priority, from the publishing call of an update's first event to its receipt, ascending.
    pub latencies: BTreeMap<&'static str, Vec<Duration>>,
    /// The same, only of updates in which several events were coalesced: the window is part of their time.
    pub coalesced: BTreeMap<&'static str, Vec<Duration>>,
}

/// By urgency, with their budgets in milliseconds (p99).
pub const BUDGETS: [(&str, u64); 4] = [
    ("critical", 50),
    ("high", 50),
    ("normal", 100),
    ("low", 500),
];

/// Accounts for a run.
pub fn account(script: &Script, run: &Run) -> Account {
    let mut account = Account {
        faults: run.refused.iter().take(MAX_FAULTS).cloned().collect(),
        ..Account::default()
    };
    let mut facts = HashMap::new();
    for (hash, packet) in &run.packets {
        match read(script, packet) {
            Ok(fact) => drop(facts.insert(*hash, fact)),
            Err(fault) => account.fault(|| fault),
        }
    }
    // Observers with the same sequence need only be looked at once; that they have the same one is a check of its own.
    let mut checked: HashMap<(bool, u64), usize> = HashMap::new();
    for (number, observer) in run.observers.iter().enumerate() {
        if let Some(lost) = &observer.lost {
            account.fault(|| format!("observer {number} lost its connection: {lost}"));
        }
        let hashes: Vec<u64> = observer.packets.iter().map(|(hash, _)| *hash).collect();
        let mut hasher = DefaultHasher::new();
        hashes.hash(&mut hasher);
        let filtered = observer.wish == Wish::Filtered;
        let same = checked.entry((filtered, hasher.finish())).or_insert(0);
        *same += 1;
        if *same == 1 {
            let sequence: Vec<&Fact> = hashes.iter().filter_map(|h| facts.get(h)).collect();
            account.check(script, number, observer.wish, &sequence);
        }
        account.measure(run, &facts, &observer.packets);
    }
    for filtered in [false, true] {
        let different = checked.keys().filter(|(f, _)| *f == filtered).count();
        let of = if filtered { "filtered" } else { "everything" };
        if different > 0 {
            account.sequences.insert(of.to_owned(), different);
        }
        if different > 1 {
            account.fault(|| format!("{different} different sequences among the {of} observers"));
        }
    }
    for latencies in account
        .latencies
        .values_mut()
        .chain(account.coalesced.values_mut())
    {
        latencies.sort_unstable();
    }
    account
}

fn read(script: &Script, packet: &[u8]) -> Result<Fact, String> {
    let shown = || String::from_utf8_lossy(&packet[..packet.len().min(300)]).into_owned();
    let (name, body): (String, Value) =
        serde_json::from_slice(packet).map_err(|error| format!("{error}: {}", shown()))?;
    let id = body["id"].as_str().unwrap_or_default();
    let Some(&line) = script.by_id.get(id) else {
        return match AGGREGATES.contains(&name.as_str()) {
            true => Ok(Fact::Aggregate { name }),
            false => Err(format!(
                "an update of an event that nobody published: {}",
                shown()
            )),
        };
    };
    let expected = &script.lines[line].updates;
    let slot = expected.iter().position(|e| e.name == name);
    let slot = slot.ok_or_else(|| format!("this event doesn't give that update: {}", shown()))?;
    let coalesced = usize::try_from(body["coalesced"].as_u64().unwrap_or(1)).unwrap_or(0);
    let first = match expected[slot].place {
        None if coalesced == 1 => Some(line),
        None => None,
        Some((chain, place)) => (place + 1)
            .checked_sub(coalesced)
            .filter(|first| *first <= place)
            .map(|first| script.chains[chain][first]),
    };
    Ok(Fact::Update(Update {
        line,
        slot,
        coalesced,
        first: first.ok_or_else(|| format!("so many can't be coalesced in it: {}", shown()))?,
        priority: body["priority"].as_str().unwrap_or_default().to_owned(),
    }))
}

impl Account {
    fn fault(&mut self, fault: impl FnOnce() -> String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault());
        }
    }

    fn check(&mut self, script: &Script, number: usize, wish: Wish, sequence: &[&Fact]) {
        // The end of each chain so far: the events that an update coalesces must begin exactly there.
        let mut reached = vec![0; script.chains.len()];
        let mut came = HashSet::new();
        let mut latest: HashMap<u64, (usize, usize)> = HashMap::new();
        let (mut updates, mut coalesced) = (0, 0);
        for fact in sequence {
            let update = match fact {
                Fact::Update(update) => update,
                Fact::Aggregate { name } if wish.wants(name) => continue,
                Fact::Aggregate { name } => {
                    self.fault(|| format!("observer {number} ({wish:?}) got {name}"));
                    continue;
                }
            };
            let line = &script.lines[update.line];
            let expected = &line.updates[update.slot];
            let shown = || format!("{} of event {}", expected.name, update.line + 1);
            if !wish.wants(&expected.name) {
                self.fault(|| format!("observer {number} ({wish:?}) got {}", shown()));
            }
            updates += 1;
            coalesced += update.coalesced - 1;
            if !came.insert((update.line, update.slot)) {
                self.fault(|| format!("observer {number} got {} twice", shown()));
            }
            if let Some((chain, place)) = expected.place {
                let from = place + 1 - update.coalesced;
                if reached[chain] != from {
                    self.fault(|| {
                        format!(
                            "observer {number}: {} coalesces its chain's events {from}..={place}, but {} were accounted for",
                            shown(),
                            reached[chain]
                        )
                    });
                }
                reached[chain] = place + 1;
            }
            for entity in &line.entities {
                let this = (update.line, update.slot);
                let before = latest.insert(*entity, this);
                if let Some(before) = before.filter(|before| *before >= this) {
                    self.fault(|| {
                        format!(
                            "observer {number}: {} came after one of event {} of the same entity",
                            shown(),
                            before.0 + 1
                        )
                    });
                }
            }
        }
        for (at, line) in script.lines.iter().enumerate() {
            for (slot, expected) in line.updates.iter().enumerate() {
                if !wish.wants(&expected.name) {
                    continue;
                }
                let there = match expected.place {
                    None => came.contains(&(at, slot)),
                    Some((chain, place)) => place < reached[chain],
                };
                if !there {
                    self.fault(|| {
                        format!(
                            "observer {number}: {} of event {} never came: {}",
                            expected.name,
                            at + 1,
                            line.text
                        )
                    });
                }
            }
        }
        if wish == Wish::Everything && self.each.0 == 0 {
            self.each = (updates, coalesced);
        }
    }

    fn measure(&mut self, run: &Run, facts: &HashMap<u64, Fact>, packets: &[(u64, Duration)]) {
        for (hash, received) in packets {
            let update = match facts.get(hash) {
                Some(Fact::Update(update)) => update,
                Some(Fact::Aggregate { .. }) => {
                    self.aggregates += 1;
                    continue;
                }
                None => continue,
            };
            self.deliveries += 1;
            let Some((priority, _)) = BUDGETS.iter().find(|(p, _)| *p == update.priority) else {
                self.fault(|| format!("no priority: {update:?}"));
                continue;
            };
            let latency = received.saturating_sub(run.published[update.first]);
            self.latencies.entry(priority).or_default().push(latency);
            if update.coalesced > 1 {
                self.coalesced.entry(priority).or_default().push(latency);
            }
        }
    }
}
