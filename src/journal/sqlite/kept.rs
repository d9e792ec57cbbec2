//! Things that are kept beside the events: the checkpoints of the state, and texts under a name.
//!
//! The texts stand among the facts about the file itself, so a file of an earlier version needs no change.

use rusqlite::{Connection, OptionalExtension};

use crate::journal::{KeptText, Seq};

/// Keeps a part of a checkpoint, or its last one, which makes it the newest checkpoint.
pub(super) fn checkpoint(
    connection: &mut Connection,
    seq: Seq,
    part: Option<u32>,
    text: &str,
) -> rusqlite::Result<()> {
    let save = connection.transaction()?;
    match part {
        Some(part) => {
            if part == 0 {
                // Parts of a checkpoint whose last one never came.
                save.execute(
                    "DELETE FROM checkpoint_parts WHERE seq NOT IN (SELECT seq FROM checkpoints)",
                    [],
                )?;
            }
            save.execute(
                "INSERT OR REPLACE INTO checkpoint_parts VALUES (?1, ?2, ?3)",
                (seq, part, text),
            )?;
        }
        None => {
            save.execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2)",
                (seq, text),
            )?;
            save.execute("DELETE FROM checkpoints WHERE seq < ?1", [seq])?;
            save.execute("DELETE FROM checkpoint_parts WHERE seq <> ?1", [seq])?;
        }
    }
    save.commit()
}

/// Keeps a text in place of the one before.
pub(super) fn write(connection: &Connection, name: KeptText, text: &str) -> rusqlite::Result<()> {
    let write = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
    connection.execute(write, (name.name(), text)).map(drop)
}

/// The text of a name.
pub(super) fn read(connection: &Connection, name: KeptText) -> rusqlite::Result<Option<String>> {
    let read = "SELECT value FROM meta WHERE key = ?1 AND typeof(value) = 'text'";
    connection
        .query_row(read, [name.name()], |row| row.get(0))
        .optional()
}

/// Copies all texts that can be read.
pub(super) fn copy(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    for name in KeptText::ALL {
        if let Ok(Some(text)) = read(from, name) {
            write(to, name, &text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
