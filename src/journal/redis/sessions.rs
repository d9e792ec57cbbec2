//! Sessions that clients come back to, on any node: each is held by the node that its client was last on.
//!
//! Another node takes a session over when its client comes there; from then on the former one writes it no more. Sessions of
//! nodes that never came back are let go of when they were not written for long: nodes write those of live clients again
//! from time to time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use redis::{Connection, Script};

use super::keys::Keys;
use crate::{engine::Fault, journal::SessionChange, timestamp::Timestamp};

/// Sessions of one look for those that nobody writes any more.
const SWEEP_STEP: usize = 500;
/// The time between two such looks through all of them.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// The scripts of sessions.
#[derive(Debug)]
pub(super) struct SessionScripts {
    keep: Script,
    claim: Script,
}

impl SessionScripts {
    pub(super) fn new() -> Self {
        Self {
            keep: Script::new(include_str!("scripts/sessions.lua")),
            claim: Script::new(include_str!("scripts/claim.lua")),
        }
    }

    /// Keeps sessions, or lets go of them; the names of those that another node holds.
    pub(super) fn keep(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        node: &str,
        changes: &[SessionChange],
    ) -> Result<Vec<String>, Fault> {
        let mut call = self.keep.prepare_invoke();
        call.key(&keys.sessions).arg(node).arg(now_ms());
        for (name, text) in changes {
            call.arg(name).arg(text.as_deref().unwrap_or_default());
        }
        Ok(call.invoke(connection)?)
    }

    /// Takes a session over from another node.
    pub(super) fn claim(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (node, now_ms): (&str, i64),
        name: &str,
    ) -> Result<Option<String>, Fault> {
        let mut call = self.claim.prepare_invoke();
        call.key(&keys.sessions).arg(node).arg(now_ms).arg(name);
        Ok(call.invoke(connection)?)
    }
}

/// A session as the engine keeps it.
struct Held<'a> {
    node: &'a str,
    /// The time at which it was last written, in ms.
    written: i64,
    text: &'a str,
}

impl<'a> Held<'a> {
    /// Reads one; none for a text of another version.
    fn read(kept: &'a str) -> Option<Self> {
        let mut lines = kept.splitn(3, '\n');
        Some(Self {
            node: lines.next()?,
            written: lines.next()?.parse().ok()?,
            text: lines.next()?,
        })
    }
}

/// The sessions that a node holds.
pub(super) fn of_node(
    connection: &mut Connection,
    keys: &Keys,
    node: &str,
) -> Result<Vec<(String, String)>, Fault> {
    let mut own = Vec::new();
    each(connection, keys, |name, kept| {
        if let Some(held) = Held::read(kept).filter(|held| held.node == node) {
            own.push((name.to_owned(), held.text.to_owned()));
        }
    })?;
    Ok(own)
}

/// Shows all sessions, some at a time.
fn each(
    connection: &mut Connection,
    keys: &Keys,
    mut show: impl FnMut(&str, &str),
) -> Result<(), Fault> {
    let mut cursor = 0;
    loop {
        let found;
        (cursor, found) = step(connection, keys, cursor)?;
        found.iter().for_each(|(name, kept)| show(name, kept));
        if cursor == 0 {
            return Ok(());
        }
    }
}

fn step(
    connection: &mut Connection,
    keys: &Keys,
    cursor: u64,
) -> Result<(u64, HashMap<String, String>), Fault> {
    let mut scan = redis::cmd("HSCAN");
    scan.arg(&keys.sessions)
        .arg(cursor)
        .arg("COUNT")
        .arg(SWEEP_STEP);
    Ok(scan.query(connection)?)
}

/// The way of the leading node through all sessions.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The place in the hash; 0 between two looks.
    cursor: u64,
    begun: Option<Instant>,
}

impl Sweep {
    /// Whether there is something to look through.
    pub(super) fn is_due(&self) -> bool {
        self.cursor != 0 || self.begun.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL)
    }

    /// Looks through some more, and lets go of those that nobody has written for so long.
    pub(super) fn go_on(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
        age: Duration,
    ) -> Result<(), Fault> {
        // After a failure the next look begins anew.
        let cursor = std::mem::take(&mut self.cursor);
        if cursor == 0 {
            self.begun = Some(Instant::now());
        }
        let (next, found) = step(connection, keys, cursor)?;
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let oldest = now_ms().saturating_sub(age);
        let is_old = |kept: &str| Held::read(kept).is_none_or(|held| held.written < oldest);
        let old: Vec<&String> = found
            .iter()
            .filter_map(|(name, kept)| is_old(kept).then_some(name))
            .collect();
        if !old.is_empty() {
            let mut delete = redis::cmd("HDEL");
            delete.arg(&keys.sessions).arg(old);
            delete.exec(connection)?;
        }
        self.cursor = next;
        Ok(())
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_micros() / 1_000
}
