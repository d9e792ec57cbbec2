//! Events as they were published, page by page.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    access::Sight,
    event::{Event, EventName},
    journal::{Cursor, Journal, Seq},
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
}

/// One page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The events, oldest first, each with its `cursor`.
    pub events: Vec<Value>,
    /// What to pass as `after` for the next page; `null` at the end.
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
    let wanted = Wanted::new(query);
    let mut page = Page {
        events: Vec::new(),
        next: None,
        complete: after + 1 >= bounds.first,
    };
    let (mut at, mut scanned, mut bytes) = (after, 0, 0);
    loop {
        let records = journal.read(at, CHUNK).await?;
        if records.is_empty() {
            return Ok(page);
        }
        for record in records {
            if record.seq > before {
                return Ok(page);
            }
            if page.events.len() as u64 == limit || scanned == MAX_SCAN || bytes > MAX_BYTES {
                page.next = Some(Cursor::at(journal.epoch(), at).to_string());
                return Ok(page);
            }
            (at, scanned) = (record.seq, scanned + 1);
            if wanted.matches(&record.event) && sight.may_see(&record.event) {
                bytes += record.weight;
                let mut event = record.event.to_public();
                event.insert(
                    "cursor".into(),
                    Cursor::at(journal.epoch(), at).to_string().into(),
                );
                page.events.push(Value::Object(event));
            }
        }
    }
}

fn place(journal: &dyn Journal, key: &str, cursor: Option<&str>) -> Result<Option<Seq>, Refusal> {
    let Some(text) = cursor else { return Ok(None) };
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

/// The filters of a query, ready to be compared.
struct Wanted<'a> {
    name: Option<String>,
    prefix: Option<String>,
    query: &'a Query,
}

impl<'a> Wanted<'a> {
    fn new(query: &'a Query) -> Self {
        let fold = |name: &str| EventName::new(name).canonical().to_owned();
        let family = query
            .event_type
            .as_deref()
            .and_then(|t| t.strip_suffix('*'));
        Self {
            name: query
                .event_type
                .as_deref()
                .filter(|_| family.is_none())
                .map(fold),
            prefix: family.map(fold),
            query,
        }
    }

    fn matches(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, id: Option<&str>| {
            wanted.as_deref().is_none_or(|w| id == Some(w))
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
