//! The generations of a journal: each start of a server begins one, with an epoch of its own.
//!
//! A place alone does not name an event. When a backup is restored, or a power cut takes the newest events, other
//! events are written to places that cursors name already. These have another epoch, and the file knows the last place
//! of each earlier epoch: a cursor of a lost event is beyond that, or of an epoch that the file doesn't know.

use std::collections::HashMap;

use rusqlite::{Connection, TransactionBehavior};

use crate::journal::{Epoch, Seq};

/// Generations that are remembered: a server that is started once a minute fills them in a week.
const KEPT: i64 = 10_000;

/// The generations that a file knows.
#[derive(Debug)]
pub(super) struct Generations {
    /// The epoch of the cursors that are made now.
    present: Epoch,
    /// The earlier epochs, oldest first, with the newest place of each.
    earlier: Vec<(Epoch, Seq)>,
    /// The earlier epochs and their newest places, for look-ups.
    newest: HashMap<Epoch, Seq>,
}

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

impl Generations {
    fn new(known: &[(Epoch, Seq)], (present, mut began): (Epoch, Seq)) -> Self {
        let mut earlier: Vec<(Epoch, Seq)> = Vec::with_capacity(known.len());
        // A generation ends where the next one begins; one that lost its end, where that was noticed.
        for &(epoch, from) in known.iter().rev() {
            earlier.push((epoch, began));
            began = began.min(from);
        }
        earlier.reverse();
        Self {
            present,
            newest: earlier.iter().copied().collect(),
            earlier,
        }
    }

    /// The epoch of the cursors that are made now.
    pub(super) fn present(&self) -> Epoch {
        self.present
    }

    /// The generation that kept the event at this place, or the oldest one that is known.
    pub(super) fn at(&self, seq: Seq) -> Epoch {
        let at = self.earlier.partition_point(|(_, newest)| *newest < seq);
        self.earlier
            .get(at)
            .map_or(self.present, |(epoch, _)| *epoch)
    }

    /// The newest place of an epoch, where `last` is that of the present one.
    pub(super) fn newest(&self, epoch: Epoch, last: Seq) -> Option<Seq> {
        if epoch == self.present {
            return Some(last);
        }
        self.newest.get(&epoch).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::{options::Durability, schema};

    fn known(rows: &[(u32, Seq)], present: (u32, Seq)) -> Generations {
        let rows: Vec<_> = rows.iter().map(|&(e, began)| (Epoch(e), began)).collect();
        Generations::new(&rows, (Epoch(present.0), present.1))
    }

    #[test]
    fn each_goes_as_far_as_the_next_one_begins() {
        // The third generation kept no event.
        let generations = known(&[(1, 0), (2, 10), (3, 30)], (4, 30));
        let newest = |epoch| generations.newest(Epoch(epoch), 99);
        assert_eq!(
            [1, 2, 3, 4, 5].map(newest),
            [Some(10), Some(30), Some(30), Some(99), None]
        );
        let at = |seq| generations.at(seq).0;
        assert_eq!([0, 1, 10, 11, 30, 31, 99].map(at), [1, 1, 1, 2, 2, 4, 4]);
    }

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

    #[test]
    fn a_place_that_was_lost_is_of_none_before_the_loss() {
        // The file had 30 events when the third one began, and 20 at the start after that.
        let generations = known(&[(1, 0), (2, 10), (3, 30)], (4, 20));
        let newest = |epoch| generations.newest(Epoch(epoch), 99);
        assert_eq!([1, 2, 3].map(newest), [Some(10), Some(20), Some(20)]);
        assert_eq!([20, 21].map(|seq| generations.at(seq).0), [2, 4]);
        let emptied = known(&[(1, 0), (2, 10)], (3, 0));
        assert_eq!([1, 2].map(|e| emptied.newest(Epoch(e), 9)), [Some(0); 2]);
        assert_eq!(known(&[], (7, 0)).at(0), Epoch(7));
    }
}
