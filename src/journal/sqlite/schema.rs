//! The tables, their version, and the bounds that a file is opened with.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{
    file::{self, APPLICATION_ID},
    generations,
    open_error::OpenError,
    options::Durability,
};
use crate::{
    config::Rules,
    event::Event,
    journal::{Bounds, Seq, generations::Generations},
    ledger::{Ledger, Speaker},
};

/// Each migration brings a file from one version to the next; their number is the present version.
const MIGRATIONS: &[&str] = &[FIRST, SETTLED, PARTS, GENERATIONS, DECISIONS];

const FIRST: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        accepted INTEGER NOT NULL, -- microseconds since 1970
        event TEXT NOT NULL        -- JSON
    );
    CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, state TEXT NOT NULL);
";

/// Ids belong to their producers, and contents are told apart. The producers of older events are not known.
const SETTLED: &str = "
    CREATE TABLE settled (
        seq INTEGER PRIMARY KEY,
        producer TEXT NOT NULL DEFAULT '', -- the verified identity; empty when nobody was asked
        id TEXT NOT NULL,
        content INTEGER,           -- a hash; not known of events from before version 2
        accepted INTEGER NOT NULL, -- microseconds since 1970
        event TEXT NOT NULL,       -- JSON
        UNIQUE (id, producer)      -- in this order an id alone decides nearly every comparison
    );
    INSERT INTO settled SELECT seq, '', id, NULL, accepted, event FROM events ORDER BY seq;
    DROP TABLE events;
    ALTER TABLE settled RENAME TO events;
";

/// A checkpoint has parts: `checkpoints` has the last one.
const PARTS: &str = "
    CREATE TABLE checkpoint_parts (
        seq INTEGER NOT NULL,
        part INTEGER NOT NULL, -- from 0
        state TEXT NOT NULL,
        PRIMARY KEY (seq, part)
    );
";

/// Each start begins a generation. A file from before that had one epoch, which becomes its first generation's.
const GENERATIONS: &str = "
    CREATE TABLE generations (
        number INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL, -- in its cursors
        began INTEGER NOT NULL  -- the newest place before it
    );
    INSERT INTO generations (epoch, began) SELECT value, 0 FROM meta WHERE key = 'epoch';
    DELETE FROM meta WHERE key = 'epoch';
";

/// An admin's decisions. A row is a decision that holds now; lifting a ban deletes its row.
const DECISIONS: &str = "
    CREATE TABLE bans (
        kind TEXT NOT NULL,    -- user, address or token_id
        name TEXT NOT NULL,
        until INTEGER,         -- seconds since 1970; null until it is lifted
        reason TEXT NOT NULL,
        PRIMARY KEY (kind, name)
    ) WITHOUT ROWID;
    CREATE TABLE revocations (
        kind TEXT NOT NULL,    -- user or token_id
        name TEXT NOT NULL,
        at INTEGER NOT NULL,   -- seconds since 1970: of a user's tokens those made up to then
        PRIMARY KEY (kind, name)
    ) WITHOUT ROWID;
";

/// Files up to this size are checked from end to end when the server did not end in order.
const CHECKED: u64 = 1 << 30;

/// The time that a connection waits for another one of this process.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// Opens the file for writing and brings its tables to the present version.
pub(super) fn open(path: &Path, durability: Durability) -> Result<Connection, OpenError> {
    let unclean = file::has_log(path);
    let len = std::fs::metadata(path).map_or(0, |file| file.len());
    let mut connection = Connection::open(path).map_err(|e| OpenError::sqlite(path, &e))?;
    prepare(&mut connection, path, durability, unclean && len < CHECKED)
        .map_err(|e| describe(path, &e))??;
    Ok(connection)
}

type Checked = Result<(), OpenError>;

fn prepare(
    connection: &mut Connection,
    path: &Path,
    durability: Durability,
    check: bool,
) -> rusqlite::Result<Checked> {
    connection.busy_timeout(BUSY)?;
    if check {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict != "ok" {
            let reason = format!(
                "is damaged ({verdict}); `stoa repair` takes what can be read of it into a copy. Or restore it from a copy, or move it away to begin anew, with nobody banned and nothing revoked"
            );
            return Ok(Err(OpenError::new(path, reason)));
        }
    }
    let version: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let known = MIGRATIONS.len();
    let Some(missing) = usize::try_from(version)
        .ok()
        .and_then(|v| MIGRATIONS.get(v..))
    else {
        let reason = format!(
            "was written by a newer version (its schema is {version}, this server knows {known}); use that version"
        );
        return Ok(Err(OpenError::new(path, reason)));
    };
    if !missing.is_empty() {
        let migration = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        for step in missing {
            migration.execute_batch(step)?;
        }
        if version == 1 {
            tracing::info!("the journal is brought to a new version; this is done once");
            settle(&migration)?;
        }
        migration.pragma_update(None, "application_id", APPLICATION_ID)?;
        migration.pragma_update(
            None,
            "user_version",
            i64::try_from(known).unwrap_or(i64::MAX),
        )?;
        migration.commit()?;
    }
    // After the checks, so that a new file is ours from its first page on.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "synchronous", durability.synchronous())?;
    // The first write is made here, so that the start finds a file that can't be written, and not the first producer.
    connection.execute(
        "INSERT OR REPLACE INTO meta VALUES ('opened', unixepoch())",
        [],
    )?;
    Ok(Ok(()))
}

/// Settles events of an earlier version, which were not settled when they were accepted: in their order, as events of
/// producers without limits.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let ledger = Ledger::new(Rules::default().max_known.into());
    let first: Option<u64> =
        connection.query_row("SELECT min(seq) FROM events", [], |row| row.get(0))?;
    if first.is_some_and(|first| first > 1) {
        ledger.lack_the_past();
    }
    let nobody = "".into();
    let speaker = Speaker {
        producer: &nobody,
        projects: None,
    };
    let mut read = connection.prepare("SELECT event FROM events WHERE seq = ?1")?;
    let mut next = connection.prepare("SELECT min(seq) FROM events WHERE seq > ?1")?;
    let mut write = connection.prepare("UPDATE events SET event = ?2 WHERE seq = ?1")?;
    let mut at: Seq = 0;
    while let Some(seq) = next.query_row([at], |row| row.get::<_, Option<Seq>>(0))? {
        at = seq;
        let text: Option<String> = read.query_row([seq], |row| row.get(0)).ok();
        // The reader reports a row that can't be read.
        let Some(Ok(mut event)) = text.map(|text| Event::from_stored(&text)) else {
            continue;
        };
        if event.project_id.is_none() {
            event.project_id = event.ids.project().map(Into::into);
        }
        if ledger.settle(&mut event, speaker).is_ok() {
            write.execute((seq, event.to_stored()))?;
        }
    }
    Ok(())
}

fn describe(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly};
    let reason = match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            format!(
                "is damaged ({error}); `stoa repair` takes what can be read of it into a copy. Or restore it from a copy, or move it away to begin anew, with nobody banned and nothing revoked"
            )
        }
        // SQLite gives one of these codes, depending on whether the files beside the journal exist or can be made.
        Some(ReadOnly | CannotOpen) => {
            format!("can't be written ({error}); its file and folder must be writable")
        }
        Some(DiskFull) => "can't be written: the disk is full".into(),
        _ => format!("can't be opened: {error}"),
    };
    OpenError::new(path, reason)
}

/// Reads the bounds of the journal and the place of the newest checkpoint, and begins the next generation.
pub(super) fn read(
    path: &Path,
    connection: &mut Connection,
) -> Result<(Generations, Bounds, Seq), OpenError> {
    let mut read = || -> rusqlite::Result<_> {
        let (first, last): (Option<u64>, Option<u64>) = connection.query_row(
            "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )?;
        let checkpoint: Option<u64> = connection
            .query_row("SELECT max(seq) FROM checkpoints", [], |r| r.get(0))
            .optional()?
            .flatten();
        let last = last.unwrap_or(0);
        let bounds = Bounds {
            first: first.unwrap_or(last + 1),
            last,
        };
        let generations = generations::begin(connection, last)?;
        Ok((generations, bounds, checkpoint.unwrap_or(0)))
    };
    read().map_err(|e| describe(path, &e))
}
