//! Events as they were published, page by page.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    access::Sight,
    event::{Event, EventName},
    journal::{Cursor, Journal, Record, Seq},
    refusal::Refusal,
};

/// What is asked for; `GET /api/v1/events` has the same as its query.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// Events after this cursor; from the oldest kept one when absent.
    pub after: Option<String>,
    /// Events up to and including this cursor.
    pub before: Option<String>,
    /// At most so many, 1 to 1,000; 100 when absent.
    pub limit: Option<u64>,
    /// Of this type, in any spelling; a family with `.*` behind it takes all of it.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// Of this project.
    pub project_id: Option<String>,
    /// That name this agent.
    pub agent_id: Option<String>,
    /// That name this run or execution.
    pub run_id: Option<String>,
    /// Which end to begin at.
    #[serde(default)]
    pub order: Order,
}

/// In which order events are given.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

impl Order {
    /// Reads a name.
    ///
    /// # Errors
    /// `bad_request` for one that there isn't.
    pub fn from_name(name: &str) -> Result<Self, Refusal> {
        match name {
            "asc" => Ok(Self::Asc),
            "desc" => Ok(Self::Desc),
            _ => Err(Refusal::bad_request(format!(
                "order is {name:?}: use asc (oldest first) or desc"
            ))),
        }
    }
}

/// One page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The events in the order that was asked for, each with its `cursor`.
    pub events: Vec<Value>,
    /// What to pass as `after` for the next page (as `before`, newest first); `null` at the end.
    pub next: Option<String>,
    /// False when the journal no longer holds all that was after `after`.
    pub complete: bool,
}

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1_000;
/// Records looked at in one request: a filter that matches nothing must not read the journal from end to end.
const MAX_SCAN: u64 = 50_000;
/// Bytes of a page: what comes after them is on the next one.
const MAX_BYTES: usize = 1 << 20;
const CHUNK: usize = 1_000;

/// Reads a page of what `sight` sees.
///
/// # Errors
/// `bad_request` for a cursor or a limit that isn't one, `unavailable` when the journal can't be read.
pub async fn page(journal: &dyn Journal, query: &Query, sight: &Sight) -> Result<Page, Refusal> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Refusal::bad_request(format!(
            "limit must be 1 to {MAX_LIMIT}"
        )));
    }
    let bounds = journal.bounds();
    let after =
        place(journal, "after", query.after.as_deref())?.unwrap_or(bounds.first.saturating_sub(1));
    let before = place(journal, "before", query.before.as_deref())?.unwrap_or(Seq::MAX);
    // The journal is ahead of what is known of its events: whose a task is may be said in one that is not yet read.
    let before = before.min(sight.knows_to().unwrap_or(Seq::MAX));
    let mut reading = Reading {
        journal,
        wanted: Wanted::new(query),
        sight,
        limit,
        events: Vec::new(),
        scanned: 0,
        bytes: 0,
    };
    let stopped_at = match query.order {
        Order::Asc => reading.forwards(after, before).await?,
        Order::Desc => reading.backwards(after, before.min(bounds.last)).await?,
    };
    Ok(Page {
        events: reading.events,
        next: stopped_at.map(|at| Cursor::at(journal.epoch(), at).to_string()),
        // Looked at last: what was trimmed while it was read is not complete.
        complete: after + 1 >= journal.bounds().first,
    })
}

/// A page that is being read.
struct Reading<'q> {
    /// Where from.
    journal: &'q dyn Journal,
    /// What is asked for.
    wanted: Wanted<'q>,
    /// What may be seen.
    sight: &'q Sight,
    /// How many events the page may have.
    limit: u64,
    /// Those found.
    events: Vec<Value>,
    /// How many records were looked at.
    scanned: u64,
    /// About how many bytes the events have.
    bytes: usize,
}

impl Reading<'_> {
    /// Reads upwards from behind `after` to `before`; where the next page begins, if there is one.
    async fn forwards(&mut self, after: Seq, before: Seq) -> Result<Option<Seq>, Refusal> {
        let mut at = after;
        loop {
            let records = self.journal.read(at, CHUNK).await?;
            if records.is_empty() {
                return Ok(None);
            }
            for record in records {
                if record.seq > before {
                    return Ok(None);
                }
                if self.is_full() {
                    return Ok(Some(at));
                }
                at = record.seq;
                self.look_at(&record);
            }
        }
    }

    /// Reads downwards from `before` to behind `after`; the same.
    async fn backwards(&mut self, after: Seq, before: Seq) -> Result<Option<Seq>, Refusal> {
        let mut at = before;
        while at > after {
            let count = (at - after).min(CHUNK as u64);
            let limit = usize::try_from(count).unwrap_or(CHUNK);
            let records = self.journal.read(at - count, limit).await?;
            // What was trimmed meanwhile is the end.
            let first = records.first().map(|record| record.seq);
            let Some(first) = first.filter(|first| *first <= at) else {
                return Ok(None);
            };
            for record in records.iter().rev().skip_while(|record| record.seq > at) {
                if self.is_full() {
                    return Ok(Some(record.seq));
                }
                self.look_at(record);
            }
            at = first - 1;
        }
        Ok(None)
    }

    fn is_full(&self) -> bool {
        self.events.len() as u64 == self.limit || self.scanned == MAX_SCAN || self.bytes > MAX_BYTES
    }

    fn look_at(&mut self, record: &Record) {
        self.scanned += 1;
        if !self.wanted.matches(&record.event) || !self.sight.may_see(&record.event) {
            return;
        }
        self.bytes += record.weight;
        let mut event = record.event.to_public();
        let cursor = Cursor::at(self.journal.epoch(), record.seq);
        event.insert("cursor".into(), cursor.to_string().into());
        self.events.push(Value::Object(event));
    }
}

fn place(journal: &dyn Journal, key: &str, cursor: Option<&str>) -> Result<Option<Seq>, Refusal> {
    let Some(text) = said(cursor) else {
        return Ok(None);
    };
    let cursor: Cursor = text
        .parse()
        .map_err(|error| Refusal::bad_request(format!("{key} is {error}")))?;
    if cursor.epoch != journal.epoch() {
        return Err(Refusal::bad_request(format!(
            "{key} is a cursor of another journal; start without it"
        )));
    }
    Ok(Some(cursor.seq))
}

/// A form's empty field asks for nothing.
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The filters of a query, ready to be compared.
struct Wanted<'a> {
    /// One type, folded.
    name: Option<String>,
    /// All types that begin so.
    prefix: Option<String>,
    /// The ids, compared as they are.
    query: &'a Query,
}

impl<'a> Wanted<'a> {
    fn new(query: &'a Query) -> Self {
        let fold = |name: &str| EventName::published(name).canonical().to_owned();
        let event_type = said(query.event_type.as_deref());
        let family = event_type.and_then(|t| t.strip_suffix('*'));
        Self {
            name: event_type.filter(|_| family.is_none()).map(fold),
            prefix: family.map(fold),
            query,
        }
    }

    fn matches(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, id: Option<&str>| {
            said(wanted.as_deref()).is_none_or(|w| id == Some(w))
        };
        self.name
            .as_deref()
            .is_none_or(|name| event.name.canonical() == name)
            && self
                .prefix
                .as_deref()
                .is_none_or(|p| event.name.canonical().starts_with(p))
            && is(&self.query.project_id, event.project_id.as_deref())
            && is(&self.query.agent_id, event.agent_id())
            && (is(&self.query.run_id, event.run_id())
                || is(&self.query.run_id, event.execution_id()))
    }
}
