//! The tables of an admin's decisions: bans and revocations, beside the events and untouched by their retention.

use std::fmt;

use rusqlite::{Connection, Row, TransactionBehavior};

use super::{damage::is_damage, options::Durability};
use crate::{
    decision::{Ban, Decision, Decisions, Revocation, Revoked, Who},
    journal::queue::Decide,
};

/// The reason why the tables can't be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// SQLite can't read them.
    Sqlite(rusqlite::Error),
    /// One row makes no sense.
    Row(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Row(row) => f.write_str(row),
        }
    }
}

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Keeps all of these or none, and waits for the disk, also where events don't.
pub(super) fn keep(
    connection: &mut Connection,
    durability: Durability,
    waiting: &[Decide],
) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", Durability::Disk.synchronous())?;
    let kept = write(connection, waiting);
    // SQLite refuses this only within a transaction, and none is open.
    let as_before = connection.pragma_update(None, "synchronous", durability.synchronous());
    kept.and(as_before)
}

fn write(connection: &mut Connection, waiting: &[Decide]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for decision in waiting.iter().flat_map(|decide| &decide.decisions) {
        write_one(&transaction, decision)?;
    }
    transaction.commit()
}

fn write_one(connection: &Connection, decision: &Decision) -> rusqlite::Result<()> {
    match decision {
        Decision::Ban(ban) => {
            let (kind, name) = of_who(&ban.who);
            let until = ban.until.map(in_range);
            connection
                .prepare_cached("INSERT OR REPLACE INTO bans VALUES (?1, ?2, ?3, ?4)")?
                .execute((kind, name, until, &ban.reason))
        }
        Decision::Lift(who) => connection
            .prepare_cached("DELETE FROM bans WHERE kind = ?1 AND name = ?2")?
            .execute(of_who(who)),
        Decision::Revoke(revocation) => {
            let (kind, name) = of_revoked(&revocation.what);
            connection
                .prepare_cached("INSERT OR REPLACE INTO revocations VALUES (?1, ?2, ?3)")?
                .execute((kind, name, in_range(revocation.at)))
        }
        Decision::Forgive(what) => connection
            .prepare_cached("DELETE FROM revocations WHERE kind = ?1 AND name = ?2")?
            .execute(of_revoked(what)),
    }
    .map(drop)
}

const ALL_BANS: &str = "SELECT kind, name, until, reason FROM bans ORDER BY kind, name";
const ALL_REVOCATIONS: &str = "SELECT kind, name, at FROM revocations ORDER BY kind, name";

/// Reads all decisions. One that makes no sense is no reason to believe the others: somebody would come in who is kept out.
pub(super) fn read(connection: &Connection) -> Result<Decisions, Unreadable> {
    let mut all = Decisions::default();
    let mut query = connection.prepare(ALL_BANS)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        all.bans.push(ban(row)?.ok_or_else(|| senseless(row))?);
    }
    let mut query = connection.prepare(ALL_REVOCATIONS)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let revocation = revocation(row)?.ok_or_else(|| senseless(row))?;
        all.revocations.push(revocation);
    }
    Ok(all)
}

/// Copies what can be read; whether that is all.
pub(super) fn copy(source: &Connection, target: &Connection) -> rusqlite::Result<bool> {
    let ban = |row: &Row<'_>| Ok(ban(row)?.map(Decision::Ban));
    let revocation = |row: &Row<'_>| Ok(revocation(row)?.map(Decision::Revoke));
    let target = target.unchecked_transaction()?;
    let bans = copy_table((source, "bans", ALL_BANS), &target, ban)?;
    let revocations = copy_table(
        (source, "revocations", ALL_REVOCATIONS),
        &target,
        revocation,
    )?;
    target.commit()?;
    Ok(bans && revocations)
}

fn copy_table(
    (source, name, query): (&Connection, &str, &str),
    target: &Connection,
    decision: impl Fn(&Row<'_>) -> rusqlite::Result<Option<Decision>>,
) -> rusqlite::Result<bool> {
    // A file of an earlier version that could not be brought to this one has no such table.
    let is_there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
    match source.query_row(is_there, [name], |row| row.get::<_, u32>(0)) {
        Ok(0) => return Ok(true),
        Ok(_) => {}
        Err(error) if is_damage(&error) => return Ok(false),
        Err(error) => return Err(error),
    }
    let walk = |query: &str| -> rusqlite::Result<bool> {
        let mut all = true;
        let mut query = source.prepare(query)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            match decision(row) {
                Ok(Some(decision)) => write_one(target, &decision)?,
                Ok(None) => all = false,
                Err(error) if is_damage(&error) => all = false,
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    };
    match walk(query) {
        Err(error) if is_damage(&error) => {}
        whole => return whole,
    }
    // From the other end on, up to the damage.
    match walk(&query.replace("BY kind, name", "BY kind DESC, name DESC")) {
        Err(error) if !is_damage(&error) => Err(error),
        _ => Ok(false),
    }
}

fn ban(row: &Row<'_>) -> rusqlite::Result<Option<Ban>> {
    let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
    let who = match kind.as_str() {
        "user" => Some(Who::User(name)),
        "address" => name.parse().ok().map(Who::Address),
        "token_id" => Some(Who::Token(name)),
        _ => None,
    };
    let (until, reason) = (row.get(2)?, row.get(3)?);
    Ok(who.map(|who| Ban { who, until, reason }))
}

fn revocation(row: &Row<'_>) -> rusqlite::Result<Option<Revocation>> {
    let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
    let what = match kind.as_str() {
        "user" => Some(Revoked::User(name)),
        "token_id" => Some(Revoked::Token(name)),
        _ => None,
    };
    let at = row.get(2)?;
    Ok(what.map(|what| Revocation { what, at }))
}

fn senseless(row: &Row<'_>) -> Unreadable {
    let text = |column: usize| row.get::<_, String>(column).unwrap_or_default();
    Unreadable::Row(format!("{:?} {:?} is nobody", text(0), text(1)))
}

fn of_who(who: &Who) -> (&'static str, String) {
    match who {
        Who::User(name) => ("user", name.clone()),
        Who::Address(address) => ("address", address.to_string()),
        Who::Token(id) => ("token_id", id.clone()),
    }
}

fn of_revoked(what: &Revoked) -> (&'static str, &str) {
    match what {
        Revoked::User(name) => ("user", name),
        Revoked::Token(id) => ("token_id", id),
    }
}

/// SQLite's numbers have a sign: a time beyond them is the last one, which nobody lives to see.
fn in_range(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
