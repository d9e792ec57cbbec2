//! The alerts that hold now: plain data, bounded, with time as a parameter.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    alert::{Alert, Notice, Status},
    metrics::AlertMetrics,
    minute::{Minute, MinuteLimits},
};
use crate::{access::authz::Audience, event::ThingKind, event::mint_id, timestamp::Timestamp};

/// The limits of the board.
#[derive(Debug, Clone, Copy)]
pub struct BoardLimits {
    /// The time after which an alert that lasts is told again, and after which a run that failed is forgotten.
    pub repeat_after: Duration,
    /// The time for which a figure must be good before its alert is over.
    pub resolve_after: Duration,
    /// Runs that are remembered.
    pub max_runs: usize,
    /// Alerts about runs in a minute.
    pub minute: MinuteLimits,
}

/// The key of an alert: there is one at a time for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A figure of the server, by code and name.
    Figure(&'static str, Arc<str>),
    /// A run: its kind, the project that it is at home in, and its id.
    Run(ThingKind, Option<Arc<str>>, Arc<str>),
}

/// An alert that begins to hold.
#[derive(Debug)]
pub(super) struct Raised {
    /// Its key.
    pub(super) key: Key,
    /// The alert.
    pub(super) alert: Alert,
    /// The producer whose event says so; none for a figure.
    pub(super) producer: Option<Arc<str>>,
    /// A fact that is told once, such as a failure, and no state that lasts.
    pub(super) once: bool,
}

#[derive(Debug)]
struct Active {
    alert: Arc<Alert>,
    producer: Option<Arc<str>>,
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
    /// The alerts about runs that were told in this minute.
    minute: Minute,
    metrics: AlertMetrics,
}

impl Board {
    pub(super) fn new(limits: BoardLimits, metrics: AlertMetrics, now: Instant) -> Self {
        Self {
            limits,
            active: HashMap::new(),
            next: 0,
            minute: Minute::new(limits.minute, now),
            metrics,
        }
    }

    /// Notes that an alert holds; what is to be said, if it is new or another one than before.
    pub(super) fn raise(&mut self, raised: Raised, now: Instant) -> Option<Notice> {
        let Raised {
            key,
            alert,
            producer,
            once,
        } = raised;
        if let Some(active) = self.active.get_mut(&key)
            && active.alert.code == alert.code
        {
            active.alert = Arc::new(alert);
            active.good_since = None;
            return None;
        }
        if let Key::Run(_, project, _) = &key {
            let producer = producer.clone().unwrap_or_default();
            if let Err(reason) = self.minute.take(producer, project.as_ref(), now) {
                self.metrics.dropped(reason);
                return None;
            }
            if !self.active.contains_key(&key) {
                self.make_room();
            }
        }
        self.next += 1;
        let active = Active {
            alert: Arc::new(alert),
            producer,
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

    /// The alerts that hold now and that `may_see` lets through, the newest first: at most so many, and the number of all.
    pub(super) fn list(
        &self,
        max: usize,
        may_see: impl Fn(&Audience) -> bool,
    ) -> (Vec<Notice>, usize) {
        let mut seen: Vec<&Active> = self.active.values().collect();
        seen.retain(|active| active.alert.audience.as_deref().is_none_or(&may_see));
        let total = seen.len();
        seen.sort_unstable_by_key(|active| Reverse(active.number));
        let listed = seen.into_iter().take(max);
        let notices = listed.map(|active| active.notice(Status::Firing));
        (notices.collect(), total)
    }

    /// Forgets a run if there are too many: of the producer that has most, and of the project that has most of these, the
    /// oldest one.
    fn make_room(&mut self) {
        let runs = || {
            self.active.iter().filter_map(|(key, active)| match key {
                Key::Run(_, project, _) => Some((key, (&active.producer, project), active.number)),
                Key::Figure(..) => None,
            })
        };
        let mut of_producer: HashMap<_, usize> = HashMap::new();
        let mut of_project: HashMap<_, usize> = HashMap::new();
        for (_, share, _) in runs() {
            *of_producer.entry(share.0).or_default() += 1;
            *of_project.entry(share).or_default() += 1;
        }
        if of_producer.values().sum::<usize>() < self.limits.max_runs {
            return;
        }
        let oldest = runs().max_by_key(|(_, share, number)| {
            let counts = (
                of_producer.get(share.0).copied(),
                of_project.get(share).copied(),
            );
            (counts, Reverse(*number))
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
            producer: self.producer.clone(),
            id: self.id.clone(),
            status,
            since: self.since,
            at: Timestamp::now(),
            repeated: self.repeated,
            audience: None,
        }
    }
}
