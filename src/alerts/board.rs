//! The alerts that hold now: plain data, bounded, with time as a parameter.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    alert::{Alert, Notice, Status},
    metrics::AlertMetrics,
};
use crate::{access::authz::Audience, event::ThingKind, event::mint_id, timestamp::Timestamp};

/// Projects whose alerts are counted apart within a minute; those beyond are refused, as if they had had theirs.
const MAX_PROJECTS: usize = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

/// The limits of the board.
#[derive(Debug, Clone, Copy)]
pub struct BoardLimits {
    /// The time after which an alert that lasts is told again, and after which a run that failed is forgotten.
    pub repeat_after: Duration,
    /// The time for which a figure must be good before its alert is over.
    pub resolve_after: Duration,
    /// Runs that are remembered.
    pub max_runs: usize,
    /// Alerts about the runs of one project in a minute.
    pub max_per_minute: u32,
}

/// The key of an alert: there is one at a time for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A figure of the server, by code and name.
    Figure(&'static str, Arc<str>),
    /// A run: its kind, the project that it is at home in, and its id.
    Run(ThingKind, Option<Arc<str>>, Arc<str>),
}

#[derive(Debug)]
struct Active {
    alert: Arc<Alert>,
    id: Arc<str>,
    since: Timestamp,
    told: Instant,
    repeated: u32,
    /// The time from which on its figure is good again.
    good_since: Option<Instant>,
    /// Grows: the one with the least is the oldest.
    number: u64,
    /// A fact that is told once, such as a failure: it is forgotten after a while.
    once: bool,
}

/// The alerts that hold now.
#[derive(Debug)]
pub(super) struct Board {
    limits: BoardLimits,
    active: HashMap<Key, Active>,
    next: u64,
    /// The minute that is counted now, and each project's alerts in it.
    minute: (Instant, HashMap<Option<Arc<str>>, u32>),
    metrics: AlertMetrics,
}

impl Board {
    pub(super) fn new(limits: BoardLimits, metrics: AlertMetrics, now: Instant) -> Self {
        Self {
            limits,
            active: HashMap::new(),
            next: 0,
            minute: (now, HashMap::new()),
            metrics,
        }
    }

    /// Notes that an alert holds; what is to be said, if it is new or another one than before. `once` is a fact and no
    /// state: it is never told again.
    pub(super) fn raise(
        &mut self,
        key: Key,
        alert: Alert,
        once: bool,
        now: Instant,
    ) -> Option<Notice> {
        if let Some(active) = self.active.get_mut(&key)
            && active.alert.code == alert.code
        {
            active.alert = Arc::new(alert);
            active.good_since = None;
            return None;
        }
        if let Key::Run(_, project, _) = &key {
            if !self.may_tell(project.as_ref(), now) {
                self.metrics.dropped("too_many");
                return None;
            }
            if !self.active.contains_key(&key) {
                self.make_room();
            }
        }
        self.next += 1;
        let active = Active {
            alert: Arc::new(alert),
            id: mint_id().to_string().into(),
            since: Timestamp::now(),
            told: now,
            repeated: 0,
            good_since: None,
            number: self.next,
            once,
        };
        let notice = active.notice(Status::Firing);
        self.active.insert(key, active);
        self.metrics.hold(self.active.len());
        Some(notice)
    }

    /// Notes that a figure is good; what is to be said, once it has been good for long enough after an alert.
    pub(super) fn calm(&mut self, key: &Key, now: Instant) -> Option<Notice> {
        let active = self.active.get_mut(key)?;
        let since = *active.good_since.get_or_insert(now);
        let is_over = now.duration_since(since) >= self.limits.resolve_after;
        is_over.then(|| self.clear(key, None)).flatten()
    }

    /// Notes that an alert is over; what is to be said, if it held.
    pub(super) fn clear(&mut self, key: &Key, audience: Option<Arc<Audience>>) -> Option<Notice> {
        let active = self.active.remove(key)?;
        self.metrics.hold(self.active.len());
        Some(Notice {
            audience,
            ..active.notice(Status::Resolved)
        })
    }

    /// Moves a run's alert to the project that the run turned out to be of.
    pub(super) fn adopt(&mut self, from: &Key, to: &Key) {
        if let Some(active) = self.active.remove(from) {
            self.active.entry(to.clone()).or_insert(active);
        }
    }

    #[cfg(test)]
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.active.contains_key(key)
    }

    /// The alerts that have lasted long enough to be told again. Facts of that age are forgotten.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Notice> {
        let after = self.limits.repeat_after;
        let is_due = |active: &Active| now.duration_since(active.told) >= after;
        self.active
            .retain(|_, active| !(active.once && is_due(active)));
        self.metrics.hold(self.active.len());
        let due = self.active.values_mut().filter(|active| is_due(active));
        due.map(|active| {
            active.told = now;
            active.repeated += 1;
            active.notice(Status::Firing)
        })
        .collect()
    }

    /// Whether a project's run may be told of in this minute.
    fn may_tell(&mut self, project: Option<&Arc<str>>, now: Instant) -> bool {
        let (began, told) = &mut self.minute;
        if now.duration_since(*began) >= MINUTE {
            *began = now;
            told.clear();
        }
        if told.len() >= MAX_PROJECTS && !told.contains_key(&project.cloned()) {
            return false;
        }
        let told = told.entry(project.cloned()).or_default();
        *told += 1;
        *told <= self.limits.max_per_minute
    }

    /// Forgets a run if there are too many: the oldest one of the project that has most.
    fn make_room(&mut self) {
        let mut counts: HashMap<&Option<Arc<str>>, usize> = HashMap::new();
        let runs = || {
            self.active.iter().filter_map(|(key, active)| match key {
                Key::Run(_, project, _) => Some((key, project, active.number)),
                Key::Figure(..) => None,
            })
        };
        for (_, project, _) in runs() {
            *counts.entry(project).or_default() += 1;
        }
        if counts.values().sum::<usize>() < self.limits.max_runs {
            return;
        }
        let oldest = runs().max_by_key(|(_, project, number)| {
            (counts.get(project).copied(), std::cmp::Reverse(*number))
        });
        if let Some(key) = oldest.map(|(key, ..)| key.clone()) {
            self.active.remove(&key);
            self.metrics.dropped("forgotten");
        }
    }
}

impl Active {
    fn notice(&self, status: Status) -> Notice {
        Notice {
            alert: self.alert.clone(),
            id: self.id.clone(),
            status,
            since: self.since,
            at: Timestamp::now(),
            repeated: self.repeated,
            audience: None,
        }
    }
}

#[cfg(test)]
mod tests {
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
            max_per_minute,
        };
        Board::new(limits, AlertMetrics::default(), now)
    }

    #[test]
    fn an_alert_begins_repeats_and_ends() {
        let mut now = Instant::now();
        let mut board = board(10, 10, now);
        let key = Key::Figure("high_latency", "".into());
        let begun = board.raise(key.clone(), alert("high_latency"), false, now);
        let begun = begun.expect("told");
        for _ in 0..99 {
            now += Duration::from_secs(1);
            assert!(
                board
                    .raise(key.clone(), alert("high_latency"), false, now)
                    .is_none()
            );
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
                0 => board.raise(key.clone(), alert("near_limit"), false, now),
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
                .raise(key.clone(), alert("run_waiting"), false, now)
                .is_some()
        );
        // Of a run there is one alert: the later one takes the place of the one before.
        assert!(
            board
                .raise(key.clone(), alert("run_failed"), true, now)
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
                .raise(quiet.clone(), alert("run_waiting"), false, now)
                .is_some()
        );
        let mut raise = |n, now| board.raise(run("loud", n), alert("run_failed"), true, now);
        let told = (0..100).filter(|n| raise(*n, now).is_some()).count();
        assert_eq!(told, 20);
        assert!(raise(100, now + MINUTE).is_some(), "the next minute");
        assert!(board.holds(&quiet));
        assert_eq!(board.active.len(), 8);
        assert_eq!(board.metrics.count_dropped("too_many"), 80);
        assert_eq!(board.metrics.count_dropped("forgotten"), 14);
    }

    #[test]
    fn projects_without_end_are_not_counted_without_end() {
        let now = Instant::now();
        let mut board = board(8, 20, now);
        for n in 0..3 * MAX_PROJECTS {
            board.raise(run(&format!("p{n}"), n), alert("run_failed"), true, now);
        }
        assert_eq!(board.minute.1.len(), MAX_PROJECTS);
        assert_eq!(board.active.len(), 8);
    }
}
