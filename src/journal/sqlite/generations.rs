//! The generations in the file: each start of a server begins one.

use rusqlite::{Connection, TransactionBehavior};

use crate::journal::{
    Epoch, Seq,
    generations::{Generations, KEPT},
};

/// Begins a generation after the newest place. The oldest ones are forgotten when there are too many.
pub(super) fn begin(connection: &mut Connection, last: Seq) -> rusqlite::Result<Generations> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known = read(&transaction)?;
    let present = loop {
        let epoch = Epoch::mint();
        if known.iter().all(|(known, _)| *known != epoch) {
            break epoch;
        }
    };
    write(&transaction, present, last)?;
    transaction.execute(
        "DELETE FROM generations WHERE number <= (SELECT max(number) FROM generations) - ?1",
        [KEPT],
    )?;
    transaction.commit()?;
    Ok(Generations::new(&known, (present, last)))
}

/// The epochs, oldest first, each with the newest place before it.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<(Epoch, Seq)>> {
    let mut read = connection.prepare("SELECT epoch, began FROM generations ORDER BY number")?;
    let rows = read.query_map([], |row| Ok((Epoch(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}

/// Adds a generation.
pub(super) fn write(connection: &Connection, epoch: Epoch, began: Seq) -> rusqlite::Result<()> {
    let write = "INSERT INTO generations (epoch, began) VALUES (?1, ?2)";
    connection.execute(write, (epoch.0, began)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::{options::Durability, schema};

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stoa.db");
        let mut file = schema::open(&path, Durability::Process).unwrap();
        assert_eq!(read(&file), Ok(vec![]), "a new file has none yet");
        let many = file.transaction().unwrap();
        for start in 0..KEPT {
            let place = u64::try_from(start).unwrap() * 10;
            write(&many, Epoch(u32::try_from(start).unwrap()), place).unwrap();
        }
        many.commit().unwrap();
        let last = u64::try_from(KEPT).unwrap() * 10;
        let generations = begin(&mut file, last).unwrap();
        let kept = read(&file).unwrap();
        assert_eq!(kept.len(), usize::try_from(KEPT).unwrap());
        assert_eq!(kept[0], (Epoch(1), 10));
        assert_eq!(kept.last(), Some(&(generations.present(), last)));
        // The next start no longer knows it; its events get the epoch of the oldest known one.
        let generations = begin(&mut file, last).unwrap();
        let newest = |epoch| generations.newest(Epoch(epoch), last);
        assert_eq!([0, 1, 2].map(newest), [None, Some(20), Some(30)]);
        assert_eq!(generations.at(5), Epoch(1));
    }
}
