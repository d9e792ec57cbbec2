use serde_json::Value;

use super::*;

fn session(owner: &str, ended: Option<u64>) -> Session {
    Session {
        client: "01a219d0-7c1f-7b3a-9d5e-0f1a2b3c4d5e".into(),
        owner: owner.into(),
        address: None,
        namespace: "/".into(),
        rooms: vec!["general".into(), "project:p1".into()],
        placed: Vec::new(),
        data: None,
        word: None,
        filter: Value::Null,
        asked: 7,
        at: Some("1jhgbk3.4".into()),
        bar: None,
        is_kept: true,
        ended,
    }
}

fn table(max_bytes: usize) -> Arc<Sessions> {
    let limits = SessionLimits {
        max_age: Duration::from_secs(10),
        max_bytes,
        max_holder: max_bytes,
        max_session: 4_096,
    };
    Sessions::new(limits, RecoveryMetrics::default())
}

fn pids(number: usize) -> Vec<Pid> {
    (0..number).map(|_| Pid::mint().unwrap()).collect()
}

#[test]
fn a_session_is_taken_once_and_is_over_in_time() {
    let table = table(1 << 20);
    let pids = pids(3);
    let now = now();
    for (pid, age) in pids.iter().zip([0, 11_000, 21_000]) {
        table.put(*pid, session("user:u1", Some(now - age)));
    }
    assert!(!table.get(pids[0]).unwrap().1);
    assert!(table.get(pids[1]).unwrap().1, "it is over, and still known");
    table.put(Pid::mint().unwrap(), session("", None));
    assert!(table.get(pids[2]).is_none(), "it is long over");
    assert_eq!(&*table.take(pids[0]).unwrap().owner, "user:u1");
    assert!(table.take(pids[0]).is_none());
}

#[test]
fn the_table_is_bounded_and_lets_go_of_the_oldest_end() {
    let held = session("", None).held();
    let table = table(3 * held);
    let pids = pids(5);
    let now = now();
    table.put(pids[0], session("", None));
    for (at, pid) in pids[1..4].iter().enumerate() {
        table.put(*pid, session("", Some(now - 1_000 + at as u64)));
    }
    assert!(table.get(pids[0]).is_some(), "it lives");
    assert!(table.get(pids[1]).is_none());
    assert!(table.get(pids[2]).is_some() && table.get(pids[3]).is_some());
    let mut long = session("", None);
    long.rooms = vec!["r".repeat(100).into(); 100];
    table.put(pids[4], long);
    assert!(table.get(pids[4]).is_none());
    let mut long = session("", None);
    long.data = Some("d".repeat(5_000).into());
    table.put(pids[4], long);
    assert!(table.get(pids[4]).is_none(), "its data count, too");
    for pid in pids {
        table.take(pid);
    }
    assert_eq!(table.lock().bytes, 0);
    assert!(table.lock().ends.is_empty());
    assert!(table.lock().holders.is_empty());
}

#[test]
fn nobody_has_more_than_a_share() {
    let now = now();
    let from = |address: &str, ended| Session {
        address: Some(address.parse().unwrap()),
        ..session("", ended)
    };
    let held = from("192.0.2.1", None).held();
    let limits = SessionLimits {
        max_age: Duration::from_secs(10),
        max_bytes: 10 * held,
        max_holder: 3 * held,
        max_session: 4_096,
    };
    let table = Sessions::new(limits, RecoveryMetrics::default());
    let pids = pids(12);
    table.put(pids[0], from("192.0.2.1", Some(now - 5_000)));
    for (at, pid) in pids[1..6].iter().enumerate() {
        table.put(*pid, from("192.0.2.2", Some(now - 1_000 + at as u64)));
    }
    assert!(table.get(pids[0]).is_some(), "it is the oldest, of another");
    let left = |pids: &[Pid]| pids.iter().filter(|pid| table.get(**pid).is_some()).count();
    assert_eq!(left(&pids[1..6]), 3);
    assert!(table.get(pids[5]).is_some());
    // Sessions of live connections stay: there is no room for one more.
    for pid in &pids[6..10] {
        table.put(*pid, from("192.0.2.3", None));
    }
    assert_eq!(left(&pids[6..10]), 3);
    // A verified identity has a share of its own, from wherever it comes.
    let user = Session {
        owner: "user:ann".into(),
        ..from("192.0.2.3", None)
    };
    table.put(pids[10], user);
    assert!(table.get(pids[10]).is_some());
}

#[test]
fn changes_are_given_to_the_keeper_and_read_again() {
    let before = table(1 << 20);
    let pids = pids(3);
    before.put(pids[0], session("user:u1", None));
    before.put(pids[1], session("user:u2", Some(now())));
    let mut aside = session("user:u3", Some(now()));
    aside.is_kept = false;
    before.put(pids[2], aside);
    let (changes, last) = before.take_changes(1 << 20);
    assert_eq!((changes.len(), last), (2, Some(2)));
    let kept = changes.into_iter().map(|(pid, text)| (pid, text.unwrap()));
    let after = table(1 << 20);
    after.fill(kept.chain([("x".into(), "x".into())]).collect());
    let (lived, is_over) = after.get(pids[0]).unwrap();
    assert!(lived.ended.is_some() && !is_over, "its end is the restart");
    assert_eq!(&*after.get(pids[1]).unwrap().0.owner, "user:u2");
    assert!(after.get(pids[2]).is_none());
    before.take(pids[0]);
    assert_eq!(
        before.take_changes(1 << 20).0,
        [(pids[0].key().text(), None)]
    );
}
