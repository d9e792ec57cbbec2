//! Events as they were published, page by page.

mod query;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{runtime::Handle, sync::Semaphore, task::JoinError};

use crate::{
    access::authz::Permissions,
    delivery::Cursor,
    error::Error,
    journal::{Batch, Journal, Record, Seq},
};

pub use query::{Order, Query};
use query::{Wanted, said};

/// One page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The events in the order of the query, each with its `cursor`.
    pub events: Vec<Box<RawValue>>,
    /// The cursor before the oldest of them, from which a client resumes the updates of all of them; `null` without
    /// any.
    pub from: Option<String>,
    /// The cursor for the next page: its `after`, or its `before` for newest first; `null` at the end.
    pub next: Option<String>,
    /// False when the journal no longer holds all events after `after`.
    pub complete: bool,
}

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1_000;
/// The most records of one request: a filter that matches nothing must not read the journal from end to end.
const MAX_SCAN: u64 = 50_000;
/// Records that are looked at whatever the time.
const MIN_SCAN: u64 = 4_000;
/// The time after which no more than [`MIN_SCAN`] records are looked at.
const SCAN_TIME: Duration = Duration::from_millis(20);
/// Bytes of a page; further events are on the next one.
const MAX_BYTES: usize = 1 << 20;
const SCAN_CHUNK_EVENTS: u64 = 1_000;
/// The times that a page is read whose journal goes back meanwhile.
const MAX_READINGS: usize = 3;
/// Requests that read at the same time: more of them would only take the processors from the stream.
const AT_ONCE: usize = 2;
/// Requests that may wait for these.
const MAX_WAITING_REQUESTS: usize = 512;

/// Lets a few requests read at a time.
#[derive(Debug)]
pub struct Scans {
    running: Semaphore,
    /// Requests that read or wait.
    asked: AtomicUsize,
}

impl Default for Scans {
    fn default() -> Self {
        Self {
            running: Semaphore::new(AT_ONCE),
            asked: AtomicUsize::new(0),
        }
    }
}

/// Counts a request for as long as it lasts, also when its caller hangs up.
struct Asked<'s>(&'s AtomicUsize);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Scans {
    /// Reads a page of the events that `permissions` may see.
    ///
    /// # Errors
    /// `bad_request` for a cursor or a limit that isn't one, `unavailable` when the journal can't be read, `overloaded`
    /// when too many requests wait.
    pub async fn page(
        &self,
        journal: &Arc<dyn Journal>,
        query: Query,
        permissions: &Permissions,
    ) -> Result<Page, Error> {
        let asked = self.asked.fetch_add(1, Ordering::AcqRel);
        let _asked = Asked(&self.asked);
        if asked >= AT_ONCE + MAX_WAITING_REQUESTS {
            return Err(overloaded());
        }
        let _running = self.running.acquire().await.map_err(|_| overloaded())?;
        for _ in 0..MAX_READINGS {
            let rewinds = journal.rewinds();
            let page = page(journal, query.clone(), permissions).await;
            // A journal that went back meanwhile has given records of two histories, or none.
            if journal.rewinds() == rewinds {
                return page;
            }
        }
        Err(Error::unavailable(
            "the journal went back to an earlier place; ask again",
        ))
    }
}

fn overloaded() -> Error {
    Error::new(
        "overloaded",
        "too many requests for the history at once; ask again later",
    )
}

async fn page(
    journal: &Arc<dyn Journal>,
    query: Query,
    permissions: &Permissions,
) -> Result<Page, Error> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::bad_request(format!(
            "limit must be 1 to {MAX_LIMIT}"
        )));
    }
    let bounds = journal.bounds();
    let after = place(&**journal, "after", query.after.as_deref())?
        .unwrap_or(bounds.first.saturating_sub(1));
    let before = place(&**journal, "before", query.before.as_deref())?.unwrap_or(Seq::MAX);
    let order = query.order;
    let scan = Scan {
        journal: journal.clone(),
        wanted: Wanted::new(query),
        permissions: permissions.clone(),
        limit,
        events: Vec::new(),
        oldest: None,
        scanned: 0,
        bytes: 0,
        began: Instant::now(),
    };
    let (scan, stopped_at) = match order {
        Order::Asc => scan.forwards(journal, after, before).await?,
        Order::Desc => {
            let before = before.min(bounds.last);
            scan.backwards(journal, after, before).await?
        }
    };
    Ok(Page {
        events: scan.events,
        from: scan
            .oldest
            .map(|at| Cursor::of(&**journal, at.saturating_sub(1)).to_string()),
        next: stopped_at.map(|at| Cursor::of(&**journal, at).to_string()),
        // Compared last: if records were trimmed during the reading, the page is not complete.
        complete: after + 1 >= journal.bounds().first,
    })
}

/// A page that is being read.
struct Scan {
    /// Makes the cursors.
    journal: Arc<dyn Journal>,
    wanted: Wanted,
    permissions: Permissions,
    /// The most events of the page.
    limit: u64,
    /// The events as text: parsed they can be a hundred times as large.
    events: Vec<Box<RawValue>>,
    /// The place of the oldest one.
    oldest: Option<Seq>,
    /// The number of records that were looked at.
    scanned: u64,
    /// About how many bytes the events have.
    bytes: usize,
    began: Instant,
}

/// A scan, and the beginning of the next page, if there is one.
type Scanned = (Scan, Option<Seq>);

impl Scan {
    /// Reads upwards from behind `after` to `before`.
    async fn forwards(
        mut self,
        journal: &Arc<dyn Journal>,
        after: Seq,
        before: Seq,
    ) -> Result<Scanned, Error> {
        let mut at = after;
        loop {
            let batch = read(journal, at, SCAN_CHUNK_EVENTS).await?;
            if batch.is_end(at) {
                return Ok((self, None));
            }
            let to = batch.to;
            let records = batch.records.into_iter();
            let records: Vec<_> = records.take_while(|r| r.seq <= before).collect();
            let stopped;
            (self, stopped) = self.aside(records).await?;
            if let Some(stopped) = stopped {
                return Ok((self, Some(stopped.unwrap_or(at))));
            }
            if to >= before {
                return Ok((self, None));
            }
            at = to;
        }
    }

    /// Reads downwards from `before` to behind `after`.
    async fn backwards(
        mut self,
        journal: &Arc<dyn Journal>,
        after: Seq,
        before: Seq,
    ) -> Result<Scanned, Error> {
        let (mut at, mut count) = (before, SCAN_CHUNK_EVENTS);
        while at > after && journal.bounds().first <= at {
            count = count.min(at - after);
            let begin = at - count;
            let batch = read(journal, begin, count).await?;
            if batch.to < at && count > 1 {
                // These records hold so much that the journal gives them in parts: the newest ones are needed first.
                count = (count / 2).max(1);
                continue;
            }
            let records = batch.records.into_iter().rev();
            let records: Vec<_> = records.skip_while(|record| record.seq > at).collect();
            let newest = records.first().map(|record| record.seq);
            let stopped;
            (self, stopped) = self.aside(records).await?;
            match stopped {
                // The next page begins after the last record that was looked at.
                Some(Some(last)) => return Ok((self, Some(last - 1))),
                Some(None) => return Ok((self, Some(newest.unwrap_or(at)))),
                None => {}
            }
            at = begin;
            count = (count * 2).min(SCAN_CHUNK_EVENTS);
        }
        Ok((self, None))
    }

    /// Looks at records on a thread that may work for long. If the page is full before the end of them, returns the
    /// last one that was looked at, if any.
    async fn aside(
        mut self,
        records: Vec<Arc<Record>>,
    ) -> Result<(Self, Option<Option<Seq>>), Error> {
        let work = move || {
            let mut last = None;
            for record in &records {
                if self.is_full() {
                    return (self, Some(last));
                }
                self.look_at(record);
                last = Some(record.seq);
            }
            (self, None)
        };
        tokio::task::spawn_blocking(work).await.map_err(interrupted)
    }

    fn is_full(&self) -> bool {
        self.events.len() as u64 == self.limit
            || self.bytes > MAX_BYTES
            || self.scanned >= MAX_SCAN
            || (self.scanned >= MIN_SCAN && self.began.elapsed() > SCAN_TIME)
    }

    fn look_at(&mut self, record: &Record) {
        self.scanned += 1;
        if !self.wanted.matches(&record.event) || !self.permissions.may_see(&record.event) {
            return;
        }
        let mut event = record.event.to_public();
        let cursor = Cursor::of(&*self.journal, record.seq);
        event.insert("cursor".into(), cursor.to_string().into());
        // Writing a map with text keys can't fail.
        if let Ok(text) = serde_json::value::to_raw_value(&event) {
            self.bytes += text.get().len();
            self.events.push(text);
            self.oldest = Some(self.oldest.map_or(record.seq, |at| at.min(record.seq)));
        }
    }
}

/// Reads records on a thread that may work for long: the journal parses records of its memory during the call.
async fn read(journal: &Arc<dyn Journal>, after: Seq, count: u64) -> Result<Batch, Error> {
    let (journal, handle) = (journal.clone(), Handle::current());
    let read = move || handle.block_on(journal.read(after, limit(count)));
    let batch = tokio::task::spawn_blocking(read).await;
    Ok(batch.map_err(interrupted)??)
}

fn interrupted(_: JoinError) -> Error {
    Error::unavailable("reading the history was interrupted")
}

fn limit(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn place(journal: &dyn Journal, key: &str, cursor: Option<&str>) -> Result<Option<Seq>, Error> {
    let Some(text) = said(cursor) else {
        return Ok(None);
    };
    let cursor: Cursor = text
        .parse()
        .map_err(|error| Error::bad_request(format!("{key} is {error}")))?;
    if !cursor.is_of(journal) {
        return Err(Error::bad_request(format!(
            "{key} is a cursor of another journal, or of events that this one lost (a backup was put back); start without it"
        )));
    }
    Ok(Some(cursor.seq))
}
