//! The alerts about runs that were told within a minute: so many of each producer, and so many of each project.
//!
//! A producer that invents projects uses up its own share. One that floods a project leaves the project's other producers a
//! tenth of the project's number, each.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);
/// Producers whose alerts are counted at a time. One more than these makes the one that was told of least be counted anew.
const MAX_PRODUCERS: usize = 100;
/// Projects whose alerts are counted at a time; those beyond are counted by their producers alone.
const MAX_PROJECTS: usize = 10_000;
/// The part of a project's number that each of its producers has to itself.
const OWN_PART: u32 = 10;

/// The alerts about runs that may be told in a minute.
#[derive(Debug, Clone, Copy)]
pub struct MinuteLimits {
    /// Of the runs of one project.
    pub of_project: u32,
    /// Of all runs that one producer tells of.
    pub of_producer: u32,
}

/// The alerts of one minute.
#[derive(Debug)]
pub(super) struct Minute {
    limits: MinuteLimits,
    began: Instant,
    producers: HashMap<Arc<str>, Share>,
    /// The alerts of each project, whoever told of them.
    projects: HashMap<Option<Arc<str>>, u32>,
}

/// The alerts of one producer.
#[derive(Debug, Default)]
struct Share {
    told: u32,
    /// By project; there are never more of them than alerts were told.
    projects: HashMap<Option<Arc<str>>, u32>,
}

impl Minute {
    /// A minute that begins now.
    pub(super) fn new(limits: MinuteLimits, now: Instant) -> Self {
        Self {
            limits,
            began: now,
            producers: HashMap::new(),
            projects: HashMap::new(),
        }
    }

    /// Counts an alert about a run of a project as a producer tells it. The error says why it may not be told.
    pub(super) fn take(
        &mut self,
        producer: Arc<str>,
        project: Option<&Arc<str>>,
        now: Instant,
    ) -> Result<(), &'static str> {
        if now.duration_since(self.began) >= MINUTE {
            self.began = now;
            self.producers.clear();
            self.projects.clear();
        }
        if self.producers.len() >= MAX_PRODUCERS && !self.producers.contains_key(&producer) {
            self.forget_one();
        }
        let share = self.producers.entry(producer).or_default();
        if share.told >= self.limits.of_producer {
            return Err("too_many_of_producer");
        }
        let project = project.cloned();
        let own = share.projects.get(&project).copied().unwrap_or_default();
        let all = self.projects.get(&project).copied().unwrap_or(own);
        let most = self.limits.of_project;
        if all >= most && own >= most.div_ceil(OWN_PART) {
            return Err("too_many");
        }
        if self.projects.len() < MAX_PROJECTS || self.projects.contains_key(&project) {
            self.projects.insert(project.clone(), all + 1);
        }
        share.projects.insert(project, own + 1);
        share.told += 1;
        Ok(())
    }

    /// Forgets the producer that was told of least: one that floods stays counted.
    fn forget_one(&mut self) {
        let least = self.producers.iter().min_by_key(|(_, share)| share.told);
        if let Some(name) = least.map(|(name, _)| name.clone()) {
            self.producers.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(now: Instant) -> Minute {
        let limits = MinuteLimits {
            of_project: 3,
            of_producer: 10,
        };
        Minute::new(limits, now)
    }

    #[test]
    fn a_producer_that_invents_projects_uses_up_its_own_share() {
        let now = Instant::now();
        let mut minute = minute(now);
        let mut flood = |n: u32| {
            let project: Arc<str> = format!("p{n}").into();
            minute.take("user:eve".into(), Some(&project), now).is_ok()
        };
        assert_eq!((0..5_000).filter(|n| flood(*n)).count(), 10);
        let shop: Arc<str> = "shop".into();
        let told = (0..5).map(|_| minute.take("user:ann".into(), Some(&shop), now));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [Ok(()), Ok(()), Ok(()), Err("too_many"), Err("too_many")]
        );
        // Of a project that one floods, another has a part to itself.
        assert_eq!(minute.take("user:bob".into(), Some(&shop), now), Ok(()));
        assert!(minute.take("user:bob".into(), Some(&shop), now).is_err());
        let next = now + MINUTE;
        assert_eq!(minute.take("user:eve".into(), Some(&shop), next), Ok(()));
    }

    #[test]
    fn producers_without_end_are_not_counted_without_end_and_a_flood_stays_counted() {
        let now = Instant::now();
        let mut minute = minute(now);
        for n in 0..20 {
            let project: Arc<str> = n.to_string().into();
            minute.take("user:eve".into(), Some(&project), now).ok();
        }
        for n in 0..3 * MAX_PRODUCERS {
            assert!(minute.take(format!("user:{n}").into(), None, now).is_ok());
        }
        assert_eq!(minute.producers.len(), MAX_PRODUCERS);
        assert!(minute.take("user:eve".into(), None, now).is_err());
    }
}
