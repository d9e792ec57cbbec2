//! Decisions in the file: bounded apart from events, untouched by retention, kept by a repair.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use crate::{
    decision::{Ban, Decision, DecisionKeeper, Who},
    journal::{
        Journal, JournalError,
        sqlite::{
            SqliteJournal, repair,
            tests::{events, file, options},
        },
    },
};

fn ban(user: impl Into<String>) -> Decision {
    Decision::Ban(Ban {
        who: Who::User(user.into()),
        until: Some(u64::MAX),
        reason: "noise".into(),
    })
}

#[tokio::test]
async fn decisions_have_a_bound_of_their_own_and_wait_for_no_room_of_events() {
    let (_folder, path) = file();
    let mut options = options(&path);
    options.held.queue = 20_000;
    let journal = Arc::new(SqliteJournal::open(&options).unwrap());
    // Another program holds the file.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let with_the_writer = journal.append(events(0..1));
    while journal.health().trouble.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (mut appends, mut next) = (Vec::new(), 1);
    let refused = loop {
        let mut append = journal.append(events(next..next + 10));
        if let Some(answer) = (&mut append).now_or_never() {
            break answer;
        }
        appends.push(append);
        next += 10;
        assert!(next < 10_000);
    };
    assert_eq!(refused, Err(JournalError::Overloaded));
    let mut kept = Vec::new();
    let refused = loop {
        let mut keeping = journal.keep(vec![ban(format!("u{}", kept.len()))]);
        if let Some(answer) = (&mut keeping).now_or_never() {
            break answer.unwrap_err();
        }
        kept.push(keeping);
        assert!(kept.len() < 1_000);
    };
    assert_eq!(refused.code, "unavailable");
    assert!(refused.message.contains("queue_bytes"), "{refused}");
    // They fill the whole bound, as if no events were there.
    let held = kept.len() * ban("u10").held();
    assert!(held > 19_000, "{held}");
    // Nobody waits for half of them, and they are kept all the same.
    let all = kept.len();
    kept.truncate(all / 2);
    other.execute_batch("ROLLBACK").unwrap();
    with_the_writer.await.unwrap();
    for keeping in kept {
        keeping.await.unwrap();
    }
    for append in appends {
        append.await.unwrap();
    }
    let decisions = journal.decisions().unwrap();
    assert_eq!(decisions.bans.len(), all);
    // Later than SQLite can say is the last moment that it can.
    assert_eq!(decisions.bans[0].until, u64::try_from(i64::MAX).ok());
    // There is room again.
    journal.keep(vec![ban("later")]).await.unwrap();
}

#[tokio::test]
async fn decisions_stay_when_events_are_let_go_of() {
    let (_folder, path) = file();
    let mut options = options(&path);
    options.retention.max_events = 1;
    let journal = SqliteJournal::open(&options).unwrap();
    journal.keep(vec![ban("ann")]).await.unwrap();
    journal.append(events(0..3_000)).await.unwrap();
    journal.release(3_000);
    let at = (journal.epoch(), 3_000);
    journal.save_checkpoint(at, "{}".into()).await.unwrap();
    let started = Instant::now();
    while journal.bounds().first < 3_000 {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(journal);
    let journal = SqliteJournal::open(&options).unwrap();
    assert_eq!(journal.decisions().unwrap().bans.len(), 1);
}

/// Pages of the tables themselves: what stands before and behind the damage is kept.
#[tokio::test]
async fn decisions_on_damaged_pages_are_lost_and_the_others_are_kept() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    let many = (0..2_000).map(|n| ban(format!("u{n:04}"))).collect();
    journal.keep(many).await.unwrap();
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.windows(5).position(|text| text == b"u1000");
    let page = middle.unwrap() / 4_096;
    bytes[page * 4_096..(page + 1) * 4_096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let refused = SqliteJournal::open(&options(&path)).unwrap().decisions();
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("stoa repair"), "{refused}");
    let done = repair(&path).unwrap();
    assert!(done.decisions_lost && done.lost == 0, "{done:?}");
    let copy = SqliteJournal::open(&options(&done.copy.unwrap())).unwrap();
    let kept = copy.decisions().unwrap().bans;
    assert!((1_700..2_000).contains(&kept.len()), "{}", kept.len());
    let names: Vec<_> = kept.iter().map(|ban| &ban.who).collect();
    for end in ["u0000", "u1999"] {
        assert!(names.contains(&&Who::User(end.into())));
    }
}
