//! The records of one observer over all its connections, and the history of a node, held against what was published.

use std::{collections::HashSet, net::SocketAddr};

use kit::get;
use serde_json::{Value, json};

/// Producers of a load, each with a project.
pub(super) const PRODUCERS: usize = 4;
/// Faults that are told.
const TOLD: usize = 10;

/// The number of a producer, and that of its event.
fn place(id: &str) -> Option<(usize, u64)> {
    let (who, n) = id.split_once('-')?;
    Some((who.parse().ok()?, n.parse().ok()?))
}

/// All events of the load that a node has, in its order.
pub(super) async fn history(node: SocketAddr) -> Vec<(usize, u64)> {
    let mut kept = Vec::new();
    let mut after = String::new();
    loop {
        let (status, page) = get(node, &format!("/api/v1/events?limit=1000{after}")).await;
        assert_eq!(status, 200, "{page}");
        let events = page["events"].as_array().expect("events").iter();
        kept.extend(events.filter_map(|event| place(event["id"].as_str()?)));
        let Some(next) = page["next"].as_str() else {
            return kept;
        };
        after = format!("&after={next}");
    }
}

/// The first faults of a history: events of a producer that it lacks, or has twice or in another order.
pub(super) fn misplaced(kept: &[(usize, u64)], counts: &[u64; PRODUCERS]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (who, count) in counts.iter().enumerate() {
        let own = kept.iter().filter(|(of, _)| *of == who).map(|(_, n)| *n);
        let own: Vec<u64> = own.collect();
        let has: HashSet<u64> = own.iter().copied().collect();
        let lacks = (0..*count).filter(|n| !has.contains(n));
        wrong.extend(lacks.map(|n| format!("{who}-{n} is gone")).take(TOLD));
        let order = own.windows(2).filter(|pair| pair[0] >= pair[1]);
        let order = order.map(|pair| format!("{who}-{} behind {who}-{}", pair[1], pair[0]));
        wrong.extend(order.take(TOLD));
        if own.len() as u64 != *count {
            wrong.push(format!("{} of {count} events of {who}", own.len()));
        }
    }
    wrong
}

/// The events of one producer that came.
#[derive(Debug, Default, Clone)]
struct Of {
    /// The number of times that each decision came.
    decisions: Vec<u8>,
    /// The last progress, and the number of events that its updates stood for.
    progress: Option<u64>,
    stood_for: u64,
    /// The last event of the two kinds.
    last: [Option<u64>; 2],
}

/// The events that one observer saw.
#[derive(Debug)]
pub(super) struct Screen {
    cursor: String,
    /// The place from which its present connection went on.
    from: String,
    /// The one producer that it watches; all, if it is none.
    only: Option<usize>,
    of: [Of; PRODUCERS],
    came: u64,
    /// Whether it was given the state, since it was in the middle of a replay of a history that ended.
    anew: bool,
    faults: Vec<String>,
}

impl Screen {
    /// Every second observer may only see one project.
    pub(super) fn new(number: u64, from: &str) -> Self {
        let turn = usize::try_from(number / 2).unwrap_or(0) % PRODUCERS;
        Self {
            cursor: from.to_owned(),
            from: from.to_owned(),
            only: (number % 2 == 1).then_some(turn),
            of: std::array::from_fn(|_| Of::default()),
            came: 0,
            anew: false,
            faults: Vec::new(),
        }
    }

    /// Its words when it connects.
    pub(super) fn auth(&mut self) -> String {
        self.from.clone_from(&self.cursor);
        let mut filters = json!({ "types": ["decision_event", "progress_update"] });
        if let Some(who) = self.only {
            filters["projects"] = json!([format!("p{who}")]);
        }
        json!({ "cursor": self.cursor, "filters": filters }).to_string()
    }

    /// The number of updates that came.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// Takes a packet, from its `[` on.
    pub(super) fn see(&mut self, packet: &[u8]) {
        let packet: Vec<Value> = serde_json::from_slice(packet).expect("JSON");
        let [Value::String(name), body, ..] = packet.as_slice() else {
            return;
        };
        match name.as_str() {
            "decision_event" | "progress_update" => {
                self.came += 1;
                self.update(body);
            }
            "snapshot" if !self.anew => self.fault(format!("a snapshot {}", body["cursor"])),
            "resumed" if body["complete"] != true => {
                // A fourth part of a cursor is a place in a replay.
                match self.from.split('.').count() {
                    4 => self.anew = true,
                    _ => self.fault(body.to_string()),
                }
            }
            "error" => self.fault(body.to_string()),
            _ => {}
        }
        if let Some(cursor) = body["cursor"].as_str() {
            cursor.clone_into(&mut self.cursor);
        }
    }

    fn update(&mut self, body: &Value) {
        let Some((who, n)) = body["id"].as_str().and_then(place) else {
            return self.fault(format!("an update of nobody: {body}"));
        };
        if self.only.is_some_and(|only| only != who) {
            self.fault(format!("an update that it may not see: {body}"));
        }
        let of = &mut self.of[who];
        let last = &mut of.last[(n % 2) as usize];
        let before = last.replace(n);
        match n % 2 {
            0 => {
                let at = (n / 2) as usize;
                if of.decisions.len() <= at {
                    of.decisions.resize(at + 1, 0);
                }
                of.decisions[at] = of.decisions[at].saturating_add(1);
            }
            _ => {
                of.stood_for += body["coalesced"].as_u64().unwrap_or(1);
                of.progress = Some(n);
            }
        }
        if let Some(before) = before.filter(|before| *before >= n) {
            let (from, at) = (&self.from, &self.cursor);
            self.fault(format!(
                "{body} came after {who}-{before} at {at}, on a connection from {from}"
            ));
        }
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }

    /// Events that it should have seen of each producer that it watches.
    fn watched<'c>(
        &self,
        counts: &'c [u64; PRODUCERS],
    ) -> impl Iterator<Item = (usize, &Of, u64)> + use<'_, 'c> {
        let all = self.of.iter().zip(counts).enumerate();
        let only = self.only;
        all.filter(move |(who, _)| only.is_none_or(|only| only == *who))
            .map(|(who, (of, count))| (who, of, *count))
    }

    /// Whether it was given the state in place of events.
    pub(super) fn is_anew(&self) -> bool {
        self.anew
    }

    /// Whether all has come of events of these numbers, in the state or by itself.
    pub(super) fn has_all(&self, counts: &[u64; PRODUCERS]) -> bool {
        if self.anew {
            return true;
        }
        self.watched(counts).all(|(_, of, count)| {
            let decisions = of.decisions.iter().filter(|times| **times > 0).count();
            decisions as u64 == count / 2 && (count == 0 || of.progress == Some(count - 1))
        })
    }

    /// Events that it lacks.
    pub(super) fn lacks(&self, counts: &[u64; PRODUCERS]) -> String {
        let lacks = self.watched(counts).flat_map(|(who, of, count)| {
            let times = |n: u64| of.decisions.get((n / 2) as usize).copied().unwrap_or(0);
            let missing = (0..count).step_by(2).filter(|n| times(*n) == 0);
            let missing: Vec<String> = missing.map(|n| format!("{who}-{n}")).collect();
            let progress = format!("progress of {who} is {:?} of {count}", of.progress);
            missing.into_iter().take(TOLD).chain([progress])
        });
        let lacks: Vec<String> = lacks.collect();
        format!(
            "lacks {}; at {}; {}",
            lacks.join(", "),
            self.cursor,
            self.faults.join("; ")
        )
    }

    /// All that was wrong, when it has all.
    pub(super) fn faults(&self, counts: &[u64; PRODUCERS]) -> Vec<String> {
        let mut faults = self.faults.clone();
        if self.anew {
            return faults;
        }
        for (who, of, count) in self.watched(counts) {
            let twice = of.decisions.iter().zip(0_u64..);
            let twice = twice.filter(|(times, _)| **times != 1).take(TOLD);
            faults.extend(twice.map(|(times, n)| format!("{who}-{} came {times} times", 2 * n)));
            if of.stood_for != count / 2 {
                let stood_for = of.stood_for;
                faults.push(format!(
                    "{} events of progress of {who} came as {stood_for}",
                    count / 2
                ));
            }
        }
        faults
    }
}
