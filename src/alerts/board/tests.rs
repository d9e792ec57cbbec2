//! Tests of the board.

use super::*;
use crate::alerts::alert::{Severity, Subject};

fn alert(code: &'static str) -> Alert {
    Alert {
        code,
        severity: Severity::Warning,
        subject: Subject {
            kind: "run",
            id: "r".into(),
        },
        message: "m".into(),
        action: "a".into(),
        value: None,
        limit: None,
        audience: None,
    }
}

fn run(project: &str, id: usize) -> Key {
    Key::Run(ThingKind::Run, Some(project.into()), id.to_string().into())
}

fn board(max_runs: usize, max_per_minute: u32, now: Instant) -> Board {
    let limits = BoardLimits {
        repeat_after: Duration::from_secs(100),
        resolve_after: Duration::from_secs(10),
        max_runs,
        minute: MinuteLimits {
            of_project: max_per_minute,
            of_producer: 1_000,
        },
    };
    Board::new(limits, AlertMetrics::default(), now)
}

fn figure(key: &Key, code: &'static str) -> Raised {
    Raised {
        key: key.clone(),
        alert: alert(code),
        producer: None,
        once: false,
    }
}

fn of_run(producer: &str, key: Key, code: &'static str) -> Raised {
    Raised {
        key,
        alert: alert(code),
        producer: Some(producer.into()),
        once: code == "run_failed",
    }
}

#[test]
fn an_alert_begins_repeats_and_ends() {
    let mut now = Instant::now();
    let mut board = board(10, 10, now);
    let key = Key::Figure("high_latency", "".into());
    let begun = board.raise(figure(&key, "high_latency"), now);
    let begun = begun.expect("told");
    for _ in 0..99 {
        now += Duration::from_secs(1);
        assert!(board.raise(figure(&key, "high_latency"), now).is_none());
        assert!(board.due(now).is_empty());
    }
    now += Duration::from_secs(1);
    let again = board.due(now);
    assert_eq!((again.len(), again[0].repeated), (1, 1));
    assert_eq!(again[0].id, begun.id);
    assert!(board.due(now).is_empty());
    let over = board.clear(&key, None).expect("told");
    assert_eq!((over.status, &over.id), (Status::Resolved, &begun.id));
    assert!(board.clear(&key, None).is_none());
}

#[test]
fn a_figure_that_is_bad_now_and_then_has_one_alert() {
    let mut now = Instant::now();
    let mut board = board(10, 10, now);
    let key = Key::Figure("near_limit", "hub_lag".into());
    let mut told = 0;
    for second in 0..60 {
        now += Duration::from_secs(1);
        let said = match second % 3 {
            0 => board.raise(figure(&key, "near_limit"), now),
            _ => board.calm(&key, now),
        };
        told += usize::from(said.is_some());
    }
    assert_eq!(told, 1);
    let good = (0..10).find_map(|_| {
        now += Duration::from_secs(1);
        board.calm(&key, now)
    });
    assert_eq!(good.map(|notice| notice.status), Some(Status::Resolved));
}

#[test]
fn a_failure_is_told_once_and_forgotten() {
    let now = Instant::now();
    let mut board = board(10, 10, now);
    let key = run("p", 1);
    assert!(
        board
            .raise(of_run("user:ann", key.clone(), "run_waiting"), now)
            .is_some()
    );
    // Of a run there is one alert: the later one takes the place of the one before.
    assert!(
        board
            .raise(of_run("user:ann", key.clone(), "run_failed"), now)
            .is_some()
    );
    assert!(board.due(now + Duration::from_secs(100)).is_empty());
    assert!(!board.holds(&key));
}

#[test]
fn a_project_that_floods_takes_no_place_of_others() {
    let now = Instant::now();
    let mut board = board(8, 20, now);
    let quiet = run("quiet", 0);
    assert!(
        board
            .raise(of_run("user:ann", quiet.clone(), "run_waiting"), now)
            .is_some()
    );
    let mut raise = |n, now| board.raise(of_run("user:ann", run("loud", n), "run_failed"), now);
    let told = (0..100).filter(|n| raise(*n, now).is_some()).count();
    assert_eq!(told, 20);
    assert!(
        raise(100, now + Duration::from_secs(60)).is_some(),
        "the next minute"
    );
    assert!(board.holds(&quiet));
    assert_eq!(board.active.len(), 8);
    assert_eq!(board.metrics.count_dropped("too_many"), 80);
    assert_eq!(board.metrics.count_dropped("forgotten"), 14);
}

#[test]
fn a_producer_that_invents_projects_takes_no_place_of_others() {
    let now = Instant::now();
    let mut board = board(8, 20, now);
    let quiet = run("shop", 0);
    let waits = of_run("user:ann", quiet.clone(), "run_waiting");
    assert!(board.raise(waits, now).is_some());
    for n in 0..3_000 {
        let invented = run(&format!("p{n}"), n);
        board.raise(of_run("user:eve", invented, "run_failed"), now);
    }
    assert!(board.holds(&quiet));
    assert_eq!(board.active.len(), 8);
    assert_eq!(
        board.metrics.count_dropped("too_many_of_producer"),
        3_000 - 1_000
    );
    let fails = of_run("user:ann", run("shop", 1), "run_failed");
    assert!(board.raise(fails, now).is_some());
}

#[test]
fn a_list_has_the_newest_first_and_only_what_may_be_seen() {
    let now = Instant::now();
    let mut board = board(8, 20, now);
    for n in 0..3 {
        board.raise(of_run("user:ann", run("shop", n), "run_failed"), now);
    }
    let mut hidden = of_run("user:ann", run("bank", 3), "run_failed");
    hidden.alert.audience = Some(Arc::default());
    board.raise(hidden, now);
    let (listed, total) = board.list(2, |_| false);
    assert_eq!((listed.len(), total), (2, 3));
    assert_eq!(board.list(9, |_| true).1, 4);
    let (all, _) = board.list(9, |_| false);
    assert_eq!(listed[0].id, all[0].id, "the newest first");
}
