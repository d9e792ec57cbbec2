use std::fs;

use crate::journal::{
    Journal, KeptText, SqliteJournal, repair,
    sqlite::tests::{events, file, options},
};

async fn text(journal: &SqliteJournal) -> Option<String> {
    journal.load_text(KeptText::Analytics).await.unwrap()
}

#[tokio::test]
async fn a_text_is_replaced_and_outlives_the_process() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    assert_eq!(text(&journal).await, None);
    for new in ["first", "second"] {
        let save = journal.save_text(KeptText::Analytics, new.into());
        save.await.unwrap();
        assert_eq!(text(&journal).await.as_deref(), Some(new));
    }
    drop(journal);
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    assert_eq!(text(&journal).await.as_deref(), Some("second"));
}

#[tokio::test]
async fn a_repaired_copy_has_the_text() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..2_000)).await.unwrap();
    let save = journal.save_text(KeptText::Analytics, "figures".into());
    save.await.unwrap();
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    let page = bytes.len() / 4_096 / 2;
    bytes[page * 4_096..(page + 1) * 4_096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let done = repair(&path).unwrap();
    let copy = SqliteJournal::open(&options(&done.copy.unwrap())).unwrap();
    assert_eq!(text(&copy).await.as_deref(), Some("figures"));
}
