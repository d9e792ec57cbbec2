//! Tests of the sessions: lengths, users, peaks, and clients that come back.

use std::net::Ipv4Addr;

use super::{super::activity::Seconds, *};

fn at(second: u32) -> Now {
    Now {
        millis: u64::from(second) * 1_000,
        second,
        hour: 480_000 + second / 3_600,
        micros: i64::from(second) * 1_000_000,
    }
}

struct Door(SessionTable, Seconds);

impl Door {
    fn new() -> Self {
        Self(SessionTable::new(1_000), Seconds::default())
    }

    fn begin(&mut self, second: u32, id: &str, user: Option<&str>, name: Option<&str>) {
        self.1.set(second);
        let opening = Opening {
            id: &id.into(),
            address: Ipv4Addr::LOCALHOST.into(),
            user,
            name,
        };
        let fresh = Activity::new(self.1.clone());
        self.0.begin(at(second), opening, fresh);
    }

    fn activity(&mut self, id: &str) -> Arc<Activity> {
        let fresh = Activity::new(self.1.clone());
        self.0.activity(&id.into(), fresh)
    }

    fn end(&mut self, second: u32, id: &str, lost: bool) {
        self.1.set(second);
        if !lost {
            self.activity(id).goodbye();
        }
        self.0.end(at(second), &id.into());
    }
}

#[test]
fn durations_users_and_peaks_are_exact() {
    let mut door = Door::new();
    for (n, user) in [(0, Some("ann")), (1, Some("ann")), (2, None), (3, None)] {
        door.begin(n, &format!("s{n}"), user, None);
    }
    let counts = door.0.look(at(4), 0);
    assert_eq!((counts.sessions, counts.users), (4, 3));
    door.end(10, "s0", false);
    door.end(100, "s1", false);
    door.end(100, "s1", false);
    door.end(4_000, "s2", false);
    let totals = door.0.totals().clone();
    assert_eq!((totals.opened, totals.ended, totals.peak_users), (4, 3, 3));
    assert_eq!(totals.millis, 10_000 + 99_000 + 3_998_000);
    assert_eq!(totals.by_length, [1, 0, 1, 0, 0, 1]);
    assert_eq!((totals.peak_sessions, totals.peak_at), (4, Some(3_000_000)));
    door.0.end_all(at(4_001));
    assert_eq!(door.0.totals().ended, 4);
    assert_eq!(door.0.look(at(4_001), 0).users, 0);
    let time = door.0.hours().sum(480_001, 24).millis;
    assert_eq!(time, 10_000 + 99_000 + 3_998_000 + 3_998_000);
}

#[test]
fn a_client_comes_back_by_user_or_by_address_and_name() {
    let mut door = Door::new();
    door.begin(0, "a", Some("ann"), Some("board"));
    door.begin(0, "b", None, Some("wall"));
    door.begin(0, "c", None, None);
    for (id, lost) in [("a", true), ("b", true), ("c", false)] {
        door.end(5, id, lost);
    }
    door.begin(6, "a2", Some("ann"), Some("another name"));
    door.begin(6, "b2", None, Some("wall"));
    door.begin(6, "c2", None, None);
    door.begin(6, "d", None, Some("other"));
    let came = door.0.hours().sum(480_000, 24);
    assert_eq!((came.opened, came.returned), (7, 2));
}

#[test]
fn sessions_are_active_stable_and_degraded() {
    let mut door = Door::new();
    for id in ["quiet", "busy", "slow", "young"] {
        door.begin(if id == "young" { 290 } else { 0 }, id, None, Some(id));
    }
    door.1.set(300);
    door.activity("busy").touch();
    door.activity("slow").parked();
    let counts = door.0.look(at(300), 240);
    assert_eq!((counts.active, counts.degraded, counts.stable), (2, 1, 2));
    door.activity("slow").live();
    assert_eq!(door.0.look(at(301), 241).degraded, 1, "it was a second ago");
    assert_eq!(door.0.look(at(361), 301).degraded, 0);
}

#[test]
fn an_activity_may_come_before_its_session() {
    let mut door = Door::new();
    let early = door.activity("a");
    door.begin(0, "a", None, None);
    assert!(Arc::ptr_eq(&early, &door.activity("a")));
    assert!(door.0.early.is_empty());
    for n in 0..10_000 {
        door.activity(&n.to_string());
    }
    assert!(door.0.early.len() <= MIN_EARLY, "nobody holds them");
}

#[test]
fn a_session_becomes_a_users() {
    let mut door = Door::new();
    door.begin(0, "a", None, None);
    door.begin(0, "b", Some("ann"), None);
    door.0.renew(at(1), &"a".into(), Some("ann"));
    assert_eq!(door.0.look(at(1), 0).users, 1);
    door.end(2, "a", true);
    door.end(2, "b", true);
    assert_eq!(door.0.look(at(2), 0).users, 0);
    door.begin(3, "a2", Some("ann"), None);
    assert_eq!(door.0.hours().sum(480_000, 1).returned, 1);
}
