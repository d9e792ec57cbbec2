//! Repair: copies all readable events of a damaged file into a new one beside it.
//!
//! The damaged file is only read: everything happens on a copy. The new file has the same cursors and places, without
//! the damaged events.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Instant,
};

use rusqlite::{Connection, OptionalExtension, types::Value};
use serde::de::IgnoredAny;

use super::{
    damage::is_damage, decisions, generations, kept, open_error::OpenError, options::Durability,
    schema,
};
use crate::{
    journal::{Epoch, Seq, entry::parse},
    private_file,
};

/// The end of the search in a file that can't name its last place: no journal has so many.
const MAX_PLACES: Seq = 1 << 40;
/// Events that are written together.
const REPAIR_BATCH_EVENTS: u64 = 10_000;
/// Damaged places that are listed one by one.
const MAX_LISTED_PLACES: usize = 1_000;

/// The result of a repair.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// The repaired copy; `None` when nothing is damaged.
    pub copy: Option<PathBuf>,
    /// Events that could be read.
    pub kept: u64,
    /// The first and the last place of each damaged range; the first thousand of these.
    pub damaged: Vec<(Seq, Seq)>,
    /// The number of damaged events, as far as it is known.
    pub lost: u64,
    /// Whether the saved state can't be read: it is made anew at the next start.
    pub state_lost: bool,
    /// Whether some of the bans and revocations can't be read.
    pub decisions_lost: bool,
    /// SQLite's verdict on the file as such, unless that is in order.
    pub structure: Option<String>,
}

impl Repaired {
    /// Whether any damage was found.
    pub fn is_damaged(&self) -> bool {
        self.lost > 0 || self.state_lost || self.decisions_lost || self.structure.is_some()
    }
}

/// Checks the file, and writes a copy without what is damaged, if anything is.
///
/// # Errors
/// It can't be read at all, is in use, or there is no room for a copy.
pub fn repair(path: &Path) -> Result<Repaired, OpenError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        OpenError::new(path, format!("can't be repaired: {what}: {error}"))
    };
    let file = File::open(path).map_err(|e| failed("it can't be read", &e))?;
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::new(path, "is in use; stop the server first"));
        }
        Err(TryLockError::Error(e)) => return Err(failed("it can't be locked", &e)),
    }
    let copy = beside(path, "repairing");
    let target = beside(path, "repaired");
    if target.exists() {
        return Err(OpenError::new(
            path,
            format!("was repaired before: move {} away first", target.display()),
        ));
    }
    let tidy = Tidy(&copy);
    fs::copy(path, &copy).map_err(|e| failed("it can't be copied", &e))?;
    let log = with_suffix(path, "-wal");
    if log.exists() {
        fs::copy(&log, with_suffix(&copy, "-wal"))
            .map_err(|e| failed("its log can't be copied", &e))?;
    }
    let done = rebuild(&copy, &target);
    drop(tidy);
    let mut done = done.map_err(|error| {
        remove(&target);
        failed("what can be read of it can't be written again", &error)
    })?;
    if done.is_damaged() {
        done.copy = Some(target);
    } else {
        remove(&target);
    }
    Ok(done)
}

/// Removes a database at the end, in any case.
struct Tidy<'p>(&'p Path);

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        remove(self.0);
    }
}

fn remove(database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(with_suffix(database, suffix)).ok();
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn beside(path: &Path, what: &str) -> PathBuf {
    with_suffix(path, &format!(".{what}"))
}

type Failure = Box<dyn std::error::Error>;

fn rebuild(from: &Path, to: &Path) -> Result<Repaired, Failure> {
    let mut done = Repaired::default();
    let source = Connection::open(from)?;
    // Takes the log in, as far as it is whole.
    source.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").ok();
    let check = source.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    done.structure = match check {
        Ok(verdict) if verdict == "ok" => None,
        Ok(verdict) => Some(verdict),
        Err(error) => Some(error.to_string()),
    };
    drop(source);
    // A file of an earlier version becomes one of this version, if it is whole enough for that.
    let source = match schema::open(from, Durability::Process) {
        Ok(connection) => connection,
        Err(_) => Connection::open(from)?,
    };
    private_file::options().open(to)?;
    let mut target = schema::open(to, Durability::Process)?;
    copy_small(&source, &target, &mut done)?;
    copy_events(&source, &mut target, &mut done)?;
    target.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(done)
}

/// Copies the saved state, and the small tables.
fn copy_small(
    source: &Connection,
    target: &Connection,
    done: &mut Repaired,
) -> Result<(), Failure> {
    // Without these the cursors of clients would be foreign, and their clients would be given a snapshot.
    for (epoch, began) in read_generations(source).unwrap_or_default() {
        generations::write(target, epoch, began)?;
    }
    kept::copy(source, target)?;
    done.decisions_lost = !matches!(decisions::copy(source, target), Ok(true));
    match copy_state(source, target) {
        Ok(true) => {}
        _ => {
            target.execute_batch("DELETE FROM checkpoints; DELETE FROM checkpoint_parts")?;
            done.state_lost = true;
        }
    }
    Ok(())
}

/// Reads all generations, because each one's end is the beginning of the next.
fn read_generations(source: &Connection) -> rusqlite::Result<Vec<(Epoch, Seq)>> {
    // A file of an earlier version that could not be migrated has one epoch.
    let epoch = "SELECT value FROM meta WHERE key = 'epoch'";
    let first = source.query_row(epoch, [], |row| Ok((Epoch(row.get(0)?), 0)));
    match first.optional() {
        Ok(Some(first)) => Ok(vec![first]),
        _ => generations::read(source),
    }
}

/// Copies the saved state part by part, if there is one; returns whether it is whole.
fn copy_state(source: &Connection, target: &Connection) -> rusqlite::Result<bool> {
    let newest = "SELECT seq, state FROM checkpoints ORDER BY seq DESC LIMIT 1";
    let last = source.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((seq, last)): Option<(Seq, String)> = last.optional()? else {
        return Ok(true);
    };
    // A file of an earlier version that could not be migrated has no parts.
    let parts = "SELECT part, state FROM checkpoint_parts WHERE seq = ?1 ORDER BY part";
    if let Ok(mut parts) = source.prepare(parts) {
        let mut rows = parts.query([seq])?;
        let mut part: u32 = 0;
        while let Some(row) = rows.next()? {
            let text: String = row.get(1)?;
            if row.get::<_, u32>(0)? != part || !is_whole(&text) {
                return Ok(false);
            }
            target.execute(
                "INSERT INTO checkpoint_parts VALUES (?1, ?2, ?3)",
                (seq, part, text),
            )?;
            part += 1;
        }
    }
    if !is_whole(&last) {
        return Ok(false);
    }
    target.execute("INSERT INTO checkpoints VALUES (?1, ?2)", (seq, last))?;
    Ok(true)
}

/// Whether each line of a saved state is JSON.
fn is_whole(state: &str) -> bool {
    state
        .lines()
        .all(|line| serde_json::from_str::<IgnoredAny>(line).is_ok())
}

fn columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare("SELECT name FROM pragma_table_info('events')")?;
    let names = query.query_map([], |row| row.get(0))?;
    names.collect()
}

fn copy_events(
    source: &Connection,
    target: &mut Connection,
    done: &mut Repaired,
) -> Result<(), Failure> {
    let ours = columns(target)?;
    let mut shared: Vec<String> = columns(source)?
        .into_iter()
        .filter(|name| ours.contains(name) && !matches!(name.as_str(), "seq" | "event"))
        .collect();
    // These two come first, because they are looked at.
    shared.splice(0..0, ["seq".to_owned(), "event".to_owned()]);
    let names = shared.join(", ");
    let places = vec!["?"; shared.len()].join(", ");
    let read = format!(
        "SELECT {names} FROM events WHERE seq > ?1 ORDER BY seq LIMIT {REPAIR_BATCH_EVENTS}"
    );
    let write = format!("INSERT OR IGNORE INTO events ({names}) VALUES ({places})");
    let last = source.query_row("SELECT max(seq) FROM events", [], |row| row.get(0));
    let last: Seq = last.unwrap_or(Some(MAX_PLACES)).unwrap_or(0);
    let mut at: Seq = 0;
    while at < last {
        let batch = target.transaction()?;
        let begin = at;
        let read = copy_batch(source, &batch, (&read, &write), &mut at, done);
        batch.commit()?;
        match read {
            Ok(()) if at == begin => break,
            Ok(()) => {}
            Err(error) if is_damage(&error) => {
                let good = next_good(source, at, last)?;
                let Some(good) = good else {
                    // The number of events is not known if the file can't tell it.
                    done.passed(at + 1, if last == MAX_PLACES { at + 1 } else { last });
                    break;
                };
                let to = (good - 1).max(at + 1);
                done.passed(at + 1, to);
                at = to;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_batch(
    source: &Connection,
    target: &Connection,
    (read, write): (&str, &str),
    at: &mut Seq,
    done: &mut Repaired,
) -> rusqlite::Result<()> {
    let mut read = source.prepare_cached(read)?;
    let count = read.column_count();
    let mut rows = read.query([*at])?;
    while let Some(row) = rows.next()? {
        let seq: Seq = row.get(0)?;
        let text = row.get_ref(1)?.as_str().ok();
        let mut kept = text.is_some_and(|text| parse(seq, text, Instant::now()).is_some());
        if kept {
            let values = (0..count)
                .map(|column| row.get::<_, Value>(column))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let mut write = target.prepare_cached(write)?;
            // A row whose id is there already, or that lacks a needed value, is damaged as well.
            kept = write.execute(rusqlite::params_from_iter(values))? == 1;
        }
        match kept {
            true => done.kept += 1,
            false => done.passed(seq, seq),
        }
        *at = seq;
    }
    Ok(())
}

impl Repaired {
    fn passed(&mut self, from: Seq, to: Seq) {
        self.lost += to - from + 1;
        let room = self.damaged.len() < MAX_LISTED_PLACES;
        match self.damaged.last_mut() {
            Some((_, end)) if *end + 1 == from => *end = to,
            _ if room => self.damaged.push((from, to)),
            _ => {}
        }
    }
}

/// The first place after `bad` whose row can be read; none when there is none up to `last`.
pub(super) fn next_good(
    connection: &Connection,
    bad: Seq,
    last: Seq,
) -> rusqlite::Result<Option<Seq>> {
    // The place of the first row after `after`, if that can be read; `last + 1` when there is none.
    let good = |after: Seq| -> rusqlite::Result<Option<Seq>> {
        let mut query = connection
            .prepare_cached("SELECT seq, event FROM events WHERE seq > ?1 ORDER BY seq LIMIT 1")?;
        let found = query.query_row([after], |row| {
            row.get_ref(1)?;
            row.get(0)
        });
        match found.optional() {
            Ok(found) => Ok(Some(found.unwrap_or(last + 1))),
            Err(error) if is_damage(&error) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (mut bad, mut step) = (bad, 1);
    // The search goes upwards in doubling steps, then back down to the first good row.
    let (mut at, mut seq) = loop {
        if bad >= last {
            return Ok(None);
        }
        let next = (bad + step).min(last);
        match good(next)? {
            Some(seq) => break (next, seq),
            None => bad = next,
        }
        step *= 2;
    };
    while at - bad > 1 {
        let middle = bad + (at - bad) / 2;
        match good(middle)? {
            Some(first) => (at, seq) = (middle, first),
            None => bad = middle,
        }
    }
    Ok(Some(seq))
}
