//! Damaged files: refused, passed over, or repaired.

use super::*;

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..5_000)).await.unwrap();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = SqliteJournal::open(&options(&path))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is damaged") && error.contains("bytes are missing"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap().len(), whole.len() / 2);
    // The version is newer than this server.
    fs::write(&path, &whole).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = SqliteJournal::open(&options(&path))
        .unwrap_err()
        .to_string();
    assert!(error.contains("newer version"), "{error}");
}

/// Makes the texts of these events unreadable, behind the server's back.
fn break_texts(path: &Path, places: &[u64]) {
    let connection = rusqlite::Connection::open(path).unwrap();
    for place in places {
        let changed = connection.execute(
            "UPDATE events SET event = '{broken' WHERE seq = ?1",
            [place],
        );
        assert_eq!(changed, Ok(1));
    }
}

/// Overwrites some pages of the file in the middle of the events.
fn break_pages(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let pages = bytes.len() / 4_096;
    for page in [pages / 3, pages / 2] {
        bytes[page * 4_096..(page + 1) * 4_096].fill(0xa5);
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_event_is_passed_over_and_counted_once() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..2_000)).await.unwrap();
    drop(journal);
    // The first and the last event of a read are damaged as well.
    break_texts(&path, &[1, 700, 701, 2_000]);
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    for _ in 0..2 {
        let found: Vec<Seq> = all(&journal, 0).await.iter().map(|r| r.seq).collect();
        let expected = (2..2_000).filter(|seq| ![700, 701].contains(seq));
        assert!(found.into_iter().eq(expected));
        assert_eq!(journal.health().damaged, 4);
    }
    let batch = journal.read(699, 2).await.unwrap();
    assert_eq!((batch.records.len(), batch.to), (0, 701));
    let counted = crate::journal::tests::counters(&journal);
    assert!(
        counted.contains("stoa_journal_damaged_total 4"),
        "{counted}"
    );
    assert_eq!(
        journal.append(events(5_000..5_001)).await,
        Ok(vec![Outcome::Stored(2_001)])
    );
}

#[tokio::test]
async fn damaged_pages_are_passed_over_and_repaired() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..5_000)).await.unwrap();
    let epoch = journal.epoch();
    drop(journal);
    break_pages(&path);
    let before = fs::read(&path).unwrap();
    let done = repair(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before, "it is only read");
    assert!(done.is_damaged() && done.structure.is_some(), "{done:?}");
    assert!((1..200).contains(&done.lost), "{done:?}");
    assert_eq!(done.kept + done.lost, 5_000, "{done:?}");
    let again = repair(&path).unwrap_err().to_string();
    assert!(again.contains("repaired before"), "{again}");
    let copy = done.copy.unwrap();
    let repaired = SqliteJournal::open(&options(&copy)).unwrap();
    assert_eq!(repaired.newest_of(epoch), Some(5_000), "cursors hold on");
    let kept = all(&repaired, 0).await;
    assert_eq!(
        (kept.len() as u64, repaired.health().damaged),
        (done.kept, 0)
    );
    drop(repaired);
    // The file is opened as it is, and its readable events are read.
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    let found = all(&journal, 0).await;
    assert_eq!(found.len() as u64, done.kept);
    assert_eq!(journal.health().damaged, done.lost);
}

#[tokio::test]
async fn a_whole_file_needs_no_repair_and_one_in_use_gets_none() {
    let (folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..100)).await.unwrap();
    let used = repair(&path).unwrap_err().to_string();
    assert!(used.contains("stop the server"), "{used}");
    drop(journal);
    let done = repair(&path).unwrap();
    assert_eq!(
        (done.kept, done.is_damaged(), done.copy),
        (100, false, None)
    );
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["stoa.db"], "nothing is left behind");
    break_texts(&path, &[50]);
    let done = repair(&path).unwrap();
    assert_eq!((done.kept, done.damaged), (99, vec![(50, 50)]));
}
