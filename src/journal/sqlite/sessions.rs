//! Sessions that clients come back to, beside the events: each under its secret, among the facts about the file itself.

use rusqlite::{Connection, TransactionBehavior};

/// The beginning of their keys.
const KEY: &str = "session:";

/// Keeps these in place of those before, or lets go of them: all or none.
pub(super) fn write(
    connection: &mut Connection,
    changes: &[(String, Option<String>)],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (name, text) in changes {
        let key = format!("{KEY}{name}");
        match text {
            Some(text) => transaction
                .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?
                .execute((key, text))?,
            None => transaction
                .prepare_cached("DELETE FROM meta WHERE key = ?1")?
                .execute([key])?,
        };
    }
    transaction.commit()
}

/// All of them.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut read = connection.prepare(
        "SELECT substr(key, 9), value FROM meta WHERE key >= 'session:' AND key < 'session;' AND typeof(value) = 'text'",
    )?;
    let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_kept_replaced_and_let_go_of() {
        let mut file = Connection::open_in_memory().unwrap();
        file.execute_batch(
            "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
             INSERT INTO meta VALUES ('opened', 1), ('analytics', '{}');",
        )
        .unwrap();
        let all = [
            ("a", Some("1")),
            ("b", Some("2")),
            ("a", Some("3")),
            ("b", None),
        ];
        let all = all.map(|(name, text)| (name.to_owned(), text.map(str::to_owned)));
        write(&mut file, &all[..2]).unwrap();
        assert_eq!(read(&file).unwrap().len(), 2);
        write(&mut file, &all[2..]).unwrap();
        assert_eq!(read(&file).unwrap(), [("a".into(), "3".into())]);
    }
}
