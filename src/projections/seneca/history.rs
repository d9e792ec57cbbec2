//! The latest lines of the conversation, for `GET /api/conversations/recent`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde_json::{Value, json};

use super::accounts::Accounts;
use crate::{
    event::{Event, Object},
    timestamp::Timestamp,
    update::seneca::{ConversationEvent, read},
};

/// The lines that are kept: as many as Seneca itself keeps.
const MAX_LINES: usize = 1_000;
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The lines. Events are shared with the rest of the server; a line is only written when a client asks.
#[derive(Debug)]
pub(super) struct History {
    /// In the order of their arrival.
    lines: BTreeMap<u64, Arc<Event>>,
    /// The lines of each project, oldest first.
    projects: Accounts<VecDeque<u64>>,
    /// The number of lines that came.
    came: u64,
    /// About how many bytes the lines hold.
    bytes: usize,
    max: usize,
    /// The number of evicted lines.
    pub(super) forgotten: u64,
}

impl History {
    /// No lines; they never hold more than so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            lines: BTreeMap::new(),
            projects: Accounts::default(),
            came: 0,
            bytes: 0,
            max,
            forgotten: 0,
        }
    }

    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.projects.bytes
    }

    /// Keeps a line. The project that has most makes room for it.
    pub(super) fn push(&mut self, event: &Arc<Event>) {
        self.came += 1;
        self.bytes += held(event);
        let weight = self.weigh(event);
        let own = self.projects.add(&event.project_id, weight);
        own.push_back(self.came);
        self.lines.insert(self.came, Arc::clone(event));
        while self.lines.len() > MAX_LINES || self.bytes() > self.max {
            if self.forget().is_none() {
                break;
            }
        }
    }

    /// A copy of the lines, to be written off the loop.
    pub(super) fn lines(&self) -> Lines {
        Lines(self.lines.values().map(Arc::clone).collect())
    }

    /// The share of both bounds that a line takes: a project may have many lines or long ones.
    fn weigh(&self, event: &Event) -> usize {
        held(event).max(self.max / MAX_LINES)
    }

    fn forget(&mut self) -> Option<()> {
        let project = self.projects.most()?.clone();
        let oldest = self.projects.get_mut(&project)?.pop_front()?;
        let gone = self.lines.remove(&oldest)?;
        self.projects.take(&project, self.weigh(&gone));
        self.bytes -= held(&gone).min(self.bytes);
        self.forgotten += 1;
        Some(())
    }
}

/// The bytes that a line holds, with its entries in the maps.
fn held(event: &Event) -> usize {
    const PLACES: usize = 64;
    PLACES + event.held()
}

/// The lines, oldest first.
#[derive(Debug)]
pub(super) struct Lines(Vec<Arc<Event>>);

impl Lines {
    /// The page's answer, newest first. The range ends at the latest line (or now, if that line is ahead of
    /// the clock): a replayed recording has recent lines too.
    pub(super) fn recent(
        &self,
        limit: usize,
        offset: usize,
        minutes: Option<u64>,
        agent: Option<&str>,
        now: Timestamp,
    ) -> Object {
        let latest = self.0.iter().map(|event| event.timestamp).max();
        let end = latest.map_or(now, |at| at.min(now));
        let span = minutes.map(|minutes| {
            i64::try_from(minutes)
                .unwrap_or(i64::MAX)
                .saturating_mul(MICROS_PER_MINUTE)
        });
        let since = span.map_or(i64::MIN, |span| end.as_micros().saturating_sub(span));
        let agent = agent.filter(|id| !id.is_empty());
        let found: Vec<ConversationEvent<'_>> = self
            .0
            .iter()
            .rev()
            .filter(|event| event.timestamp.as_micros() >= since)
            .filter_map(|event| ConversationEvent::of(event))
            .filter(|line| agent.is_none_or(|id| line.source == id || line.target == id))
            .collect();
        let page: Vec<Object> = found
            .iter()
            .skip(offset)
            .take(limit)
            .map(ConversationEvent::to_object)
            .collect();
        let mut out = Object::new();
        out.insert("success".into(), true.into());
        out.insert("conversations".into(), json!(page));
        out.insert("total".into(), found.len().into());
        out.insert("statistics".into(), statistics(&found));
        out
    }
}

fn statistics(found: &[ConversationEvent<'_>]) -> Value {
    let scores: Vec<f64> = found.iter().filter_map(|line| line.confidence).collect();
    let average = match scores.len() {
        0 => 0.0,
        count => scores.iter().sum::<f64>() / count as f64,
    };
    let agents: BTreeSet<&str> = found
        .iter()
        .flat_map(|line| [line.source, line.target])
        .filter(|id| id.contains("agent") || id.starts_with("worker"))
        .collect();
    json!({
        "average_decision_confidence": read::rounded(average),
        "unique_agents": agents.len(),
    })
}
