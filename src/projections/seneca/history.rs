//! The latest lines of the conversation, for `GET /api/conversations/recent`.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    event::{Event, Object},
    timestamp::Timestamp,
    update::seneca::{ConversationEvent, read},
};

/// As many as Seneca itself keeps.
const MAX_LINES: usize = 1_000;
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The lines, oldest first. Events are shared with the rest of the server; a line is only written when somebody asks.
#[derive(Debug, Clone)]
pub(super) struct History {
    lines: VecDeque<Arc<Event>>,
    /// About how many bytes they hold.
    pub(super) bytes: usize,
    /// No more than this.
    max: usize,
    /// How many went for others.
    pub(super) forgotten: u64,
}

impl History {
    /// None, and never more than so many bytes of them.
    pub(super) fn new(max: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            max,
            forgotten: 0,
        }
    }

    /// Keeps a line.
    pub(super) fn push(&mut self, event: &Arc<Event>) {
        self.bytes += event.held();
        self.lines.push_back(Arc::clone(event));
        while self.lines.len() > MAX_LINES || self.bytes > self.max {
            let Some(gone) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= gone.held().min(self.bytes);
            self.forgotten += 1;
        }
    }

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
        let latest = self.lines.iter().map(|event| event.timestamp).max();
        let end = latest.map_or(now, |at| at.min(now));
        let span = minutes.map(|minutes| {
            i64::try_from(minutes)
                .unwrap_or(i64::MAX)
                .saturating_mul(MICROS_PER_MINUTE)
        });
        let since = span.map_or(i64::MIN, |span| end.as_micros().saturating_sub(span));
        let agent = agent.filter(|id| !id.is_empty());
        let found: Vec<ConversationEvent<'_>> = self
            .lines
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
