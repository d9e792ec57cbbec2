//! The live sessions, and what is counted of those that ended.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    ops::AddAssign,
    sync::{Arc, Weak},
};

use serde::{Deserialize, Serialize};

use super::{activity::Activity, ends::Ends, hours::Hours, now::Now};

/// The seconds up to which a session counts in each class of its distribution; longer ones are in a last class.
pub const LENGTHS: [u64; 5] = [10, 60, 300, 1_800, 3_600];
/// The milliseconds from which on a session is stable.
const STABLE_MILLIS: u64 = 60_000;

/// Activities without a session are not looked through before there are so many.
const MIN_EARLY: usize = 1_024;

/// A session that begins.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The public id.
    pub id: &'a Arc<str>,
    /// The address that the client comes from.
    pub address: IpAddr,
    /// The user, if a token names one.
    pub user: Option<&'a str>,
    /// The name that the client gives itself.
    pub name: Option<&'a str>,
}

/// The sessions of one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Came {
    /// Sessions that began.
    pub opened: u64,
    /// Those among them whose clients had lost a connection within the minute before.
    pub returned: u64,
    /// The most sessions at one time.
    pub peak: u64,
    /// The time of all sessions together, in milliseconds.
    pub millis: u64,
}

impl AddAssign for Came {
    fn add_assign(&mut self, more: Self) {
        self.opened += more.opened;
        self.returned += more.returned;
        self.peak = self.peak.max(more.peak);
        self.millis += more.millis;
    }
}

/// Everything that is added up of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionTotals {
    /// Sessions that began.
    pub opened: u64,
    /// Sessions that ended.
    pub ended: u64,
    /// The time of those that ended together, in milliseconds.
    pub millis: u64,
    /// Those that ended, by [`LENGTHS`].
    pub by_length: [u64; LENGTHS.len() + 1],
    /// The most users at one time; each session without a user counts as one.
    pub peak_users: u64,
    /// The time of that, in microseconds since 1970.
    pub peak_at: Option<i64>,
    /// The most sessions at one time.
    pub peak_sessions: u64,
}

#[derive(Debug)]
struct Live {
    /// Milliseconds of the server's own clock.
    began: u64,
    /// The client, by which it is found again when it comes back.
    client: u64,
    user: Option<u64>,
    activity: Arc<Activity>,
}

/// The sessions.
#[derive(Debug)]
pub(super) struct SessionTable {
    live: HashMap<Arc<str>, Live>,
    /// Activities that the hub asked for before the door listed the session.
    early: HashMap<Arc<str>, Weak<Activity>>,
    /// The number of those at which those without an owner are dropped.
    max_early: usize,
    /// Sessions of each user; those without a user are counted apart.
    users: HashMap<u64, u32>,
    without_user: u64,
    ends: Ends,
    hours: Hours<Came>,
    totals: SessionTotals,
    /// The time up to which the sessions' time is added up.
    counted_to: u64,
    /// Hashes names in a way that only this process can repeat.
    hasher: RandomState,
}

/// Figures about the live sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LiveCounts {
    pub(super) sessions: u64,
    pub(super) users: u64,
    pub(super) active: u64,
    pub(super) stable: u64,
    pub(super) degraded: u64,
    pub(super) flapping: u64,
}

impl SessionTable {
    pub(super) fn new(max_ends: usize) -> Self {
        Self {
            live: HashMap::new(),
            early: HashMap::new(),
            max_early: MIN_EARLY,
            users: HashMap::new(),
            without_user: 0,
            ends: Ends::new(max_ends),
            hours: Hours::default(),
            totals: SessionTotals::default(),
            counted_to: 0,
            hasher: RandomState::new(),
        }
    }

    pub(super) fn ends_mut(&mut self) -> &mut Ends {
        &mut self.ends
    }

    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Begins a session, and returns its activity: `fresh`, unless the hub has one already.
    pub(super) fn begin(
        &mut self,
        now: Now,
        opening: Opening<'_>,
        fresh: Arc<Activity>,
    ) -> Arc<Activity> {
        self.count_time(now);
        let early = self.early.remove(opening.id);
        let activity = early.and_then(|early| early.upgrade()).unwrap_or(fresh);
        let user = opening.user.map(|user| self.hasher.hash_one(user));
        let client = match user {
            Some(user) => user,
            None => self.hasher.hash_one((opening.address, opening.name)),
        };
        let returned = self.ends.returns(now.second, client);
        let live = Live {
            began: now.millis,
            client,
            user,
            activity: activity.clone(),
        };
        if let Some(before) = self.live.insert(opening.id.clone(), live) {
            self.lose_user(before.user);
        }
        self.gain_user(now, user);
        self.totals.opened += 1;
        let sessions = self.live.len() as u64;
        self.totals.peak_sessions = self.totals.peak_sessions.max(sessions);
        let hour = self.hours.at(now.hour);
        hour.opened += 1;
        hour.returned += u64::from(returned);
        hour.peak = hour.peak.max(sessions);
        activity
    }

    /// A session has become another user's.
    pub(super) fn renew(&mut self, now: Now, id: &Arc<str>, user: Option<&str>) {
        let user = user.map(|user| self.hasher.hash_one(user));
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut live.user, user);
        live.client = user.unwrap_or(live.client);
        if before != user {
            self.lose_user(before);
            self.gain_user(now, user);
        }
    }

    /// A session ended.
    pub(super) fn end(&mut self, now: Now, id: &Arc<str>) {
        self.count_time(now);
        let Some(live) = self.live.remove(id) else {
            return;
        };
        self.lose_user(live.user);
        self.ends
            .push(now.second, live.client, live.activity.is_lost());
        self.count_end(now, live.began);
    }

    /// All sessions end with the server: their clients lost nothing.
    pub(super) fn end_all(&mut self, now: Now) {
        self.count_time(now);
        for live in std::mem::take(&mut self.live).into_values() {
            self.count_end(now, live.began);
        }
        self.users.clear();
        self.without_user = 0;
    }

    fn count_end(&mut self, now: Now, began: u64) {
        let millis = now.millis.saturating_sub(began);
        let class = LENGTHS.iter().position(|length| millis <= length * 1_000);
        self.totals.ended += 1;
        self.totals.millis += millis;
        self.totals.by_length[class.unwrap_or(LENGTHS.len())] += 1;
    }

    /// Adds up the time of the live sessions.
    pub(super) fn count_time(&mut self, now: Now) {
        let passed = now.millis.saturating_sub(self.counted_to);
        self.counted_to = self.counted_to.max(now.millis);
        let sessions = self.live.len() as u64;
        if sessions > 0 {
            let hour = self.hours.at(now.hour);
            hour.millis += passed * sessions;
            hour.peak = hour.peak.max(sessions);
        }
        self.ends.expire(now.second);
    }

    fn gain_user(&mut self, now: Now, user: Option<u64>) {
        match user {
            Some(user) => *self.users.entry(user).or_default() += 1,
            None => self.without_user += 1,
        }
        let users = self.users();
        if users > self.totals.peak_users {
            self.totals.peak_users = users;
            self.totals.peak_at = Some(now.micros);
        }
    }

    fn lose_user(&mut self, user: Option<u64>) {
        let Some(user) = user else {
            self.without_user = self.without_user.saturating_sub(1);
            return;
        };
        if let Some(sessions) = self.users.get_mut(&user) {
            *sessions -= 1;
            if *sessions == 0 {
                self.users.remove(&user);
            }
        }
    }

    fn users(&self) -> u64 {
        self.users.len() as u64 + self.without_user
    }

    /// The activity of a session, which may not be listed yet: then it begins with `fresh`.
    pub(super) fn activity(&mut self, id: &Arc<str>, fresh: Arc<Activity>) -> Arc<Activity> {
        if let Some(live) = self.live.get(id) {
            return live.activity.clone();
        }
        if self.early.len() >= self.max_early {
            self.early.retain(|_, early| early.strong_count() > 0);
            self.max_early = MIN_EARLY.max(2 * self.early.len());
        }
        self.early.insert(id.clone(), Arc::downgrade(&fresh));
        fresh
    }

    /// Looks at every live session. `since` is the second from which on it counts as active.
    pub(super) fn look(&self, now: Now, since: u32) -> LiveCounts {
        let mut counts = LiveCounts {
            sessions: self.live.len() as u64,
            users: self.users(),
            flapping: self.ends.flapping() as u64,
            ..LiveCounts::default()
        };
        for live in self.live.values() {
            let is_degraded = live.activity.is_degraded_since(since);
            let is_old = now.millis.saturating_sub(live.began) >= STABLE_MILLIS;
            let is_stable = is_old && !is_degraded && !self.ends.is_flapping(live.client);
            counts.active += u64::from(live.activity.is_active_since(since));
            counts.degraded += u64::from(is_degraded);
            counts.stable += u64::from(is_stable);
        }
        counts
    }

    pub(super) fn hours(&self) -> &Hours<Came> {
        &self.hours
    }

    pub(super) fn totals(&self) -> &SessionTotals {
        &self.totals
    }

    /// Adds the counts of an earlier run.
    pub(super) fn add(&mut self, hours: &Hours<Came>, totals: &SessionTotals) {
        self.hours.add(hours);
        let own = &mut self.totals;
        own.opened += totals.opened;
        own.ended += totals.ended;
        own.millis += totals.millis;
        for (own, more) in own.by_length.iter_mut().zip(totals.by_length) {
            *own += more;
        }
        own.peak_sessions = own.peak_sessions.max(totals.peak_sessions);
        if totals.peak_users > own.peak_users {
            (own.peak_users, own.peak_at) = (totals.peak_users, totals.peak_at);
        }
    }
}
