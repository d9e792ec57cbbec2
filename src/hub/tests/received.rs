//! The messages that a client reads, taken apart.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::delivery::{Cursor, missed::unsent};

/// The event that the test sends a client when it asks for the state.
pub(super) const ASKED: &str = "asked";

/// The event that the test sends a client once it wants something else.
pub(super) const CHANGED: &str = "changed";

/// A message that a client was sent.
#[derive(Debug)]
pub(super) enum Received {
    Greeting,
    /// Updates of the table, each with its name.
    Updates(Vec<(String, Value)>),
    Resumed(Value),
    /// A snapshot, or a part of one.
    Snapshot(Value),
    Parked,
    CaughtUp,
    /// The place at which it asked for the state.
    Asked,
    /// The place at which it wanted something else.
    Changed,
}

impl Received {
    /// Takes a server-sent event apart: what it is, and the place that its `id` names.
    pub(super) fn read(text: &str) -> Result<(Self, Option<String>), String> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let cursor = field("id").map(str::to_owned);
        let name = field("event").ok_or("a message has no name")?;
        let data = field("data").ok_or("a message has no data")?;
        let mut body: Value = serde_json::from_str(data).map_err(|e| format!("{e}: {data}"))?;
        let is_notice = name == "system_notification" && body.get("id").is_none();
        let received = match (name, body["code"].as_str()) {
            ("connection_established", _) => Self::Greeting,
            ("resumed", _) => Self::Resumed(body),
            ("snapshot", _) => Self::Snapshot(body),
            (ASKED, _) => Self::Asked,
            (CHANGED, _) => Self::Changed,
            (_, Some("parked")) if is_notice => Self::Parked,
            (_, Some("caught_up")) if is_notice => Self::CaughtUp,
            ("batch", _) => {
                let updates = body["updates"].as_array_mut().ok_or("a batch of nothing")?;
                let each = updates.iter_mut().map(|update| {
                    let name = update["event"].as_str().unwrap_or_default().to_owned();
                    (name, update["payload"].take())
                });
                Self::Updates(each.collect())
            }
            _ => Self::Updates(vec![(name.to_owned(), body)]),
        };
        if let Self::Updates(updates) = &received {
            let last = updates.last().and_then(|(_, body)| body["cursor"].as_str());
            if last != cursor.as_deref() {
                return Err(format!(
                    "the cursor within is not that of the message: {text}"
                ));
            }
        }
        Ok((received, cursor))
    }
}

/// The events in an update.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) last: u64,
    pub(super) count: usize,
    /// The events with a fact that no other event says.
    pub(super) marked: Vec<u64>,
    /// The newest event that said each fact.
    pub(super) facts: BTreeMap<String, u64>,
    /// The events whose texts are joined, in order.
    pub(super) text: Option<Vec<u64>>,
    /// The place that it names: the end of the segment that it is in, if it is in one.
    place: Option<Cursor>,
}

impl Contents {
    pub(super) fn of(body: &Value) -> Result<Self, String> {
        let id = body["id"].as_str().and_then(|id| id.strip_prefix('e'));
        let last = id.and_then(|n| n.parse().ok());
        let data = &body["data"];
        let all = || data.as_object().into_iter().flatten();
        let numbered = |prefix: char| {
            all().filter_map(move |(key, value)| {
                let number: u64 = key.strip_prefix(prefix)?.parse().ok()?;
                Some((number, value.as_u64()?))
            })
        };
        let mut marked: Vec<u64> = numbered('m').map(|(n, _)| n).collect();
        let changes = data["changes"].as_object().into_iter().flatten();
        marked.extend(changes.filter_map(|(_, n)| n.as_u64()));
        let text = data["content"].as_str().map(|text| {
            let words = text.split(['<', '>']).filter(|word| !word.is_empty());
            words.filter_map(|word| word.parse().ok()).collect()
        });
        marked.extend(text.iter().flatten());
        marked.sort_unstable();
        marked.dedup();
        Ok(Self {
            last: last.ok_or_else(|| format!("an update of no event: {body}"))?,
            count: body["coalesced"].as_u64().unwrap_or(1) as usize,
            marked,
            facts: numbered('f').map(|(k, n)| (format!("f{k}"), n)).collect(),
            text,
            place: body["cursor"].as_str().and_then(|text| text.parse().ok()),
        })
    }

    /// Whether its cursor says that this event has updates which are not sent: none of them is in it.
    pub(super) fn leaves_out(&self, n: u64) -> bool {
        self.place.as_ref().is_some_and(|place| {
            let within = place.within.as_ref();
            let runs = within.map_or(&place.unsent, |within| &within.unsent);
            unsent(runs, n) != 0
        })
    }
}
