//! The place where all parts of the server count.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    activity::{Activity, Seconds},
    counts::{Counts, LastSeconds},
    ends::RECENT,
    features::Features,
    hours::Hours,
    now::Now,
    picture::Picture,
    saved::Saved,
    sessions::{Opening, SessionTable},
    watched::Watched,
};
use crate::{config, timestamp::Timestamp};

/// The time for which a picture is good: a look at all sessions is not made more often.
const PICTURE_LIFETIME: Duration = Duration::from_millis(500);

/// The bounds of what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageLimits {
    /// Types of events that are counted by name.
    pub max_types: usize,
    /// Rooms that are counted by name.
    pub max_rooms: usize,
    /// Bytes that the names may hold.
    pub max_bytes: usize,
    /// Ends of sessions in the last minute that are remembered.
    pub max_ends: usize,
}

impl Default for UsageLimits {
    fn default() -> Self {
        (&config::Analytics::default()).into()
    }
}

impl From<&config::Analytics> for UsageLimits {
    fn from(config: &config::Analytics) -> Self {
        Self {
            max_types: config.max_event_types.into(),
            max_rooms: config.max_rooms.into(),
            max_bytes: config.max_bytes.into(),
            max_ends: config.max_ends.into(),
        }
    }
}

/// The raw counts of one server.
#[derive(Debug)]
pub struct Usage {
    began: Instant,
    clock: Seconds,
    features: Features,
    messages: AtomicU64,
    failures: AtomicU64,
    turned_away: AtomicU64,
    sessions: Mutex<SessionTable>,
    watched: Mutex<Watched>,
    flow: Mutex<Flow>,
    picture: Mutex<Option<(Instant, Arc<Picture>)>>,
}

/// The counts by time.
#[derive(Debug)]
struct Flow {
    seconds: LastSeconds,
    hours: Hours<Counts>,
    sum: Counts,
    /// The counters as they were last seen: only what was added since is new.
    seen: Counts,
    kept_since: Timestamp,
}

impl Default for Usage {
    fn default() -> Self {
        let limits = UsageLimits::default();
        Self {
            began: Instant::now(),
            clock: Seconds::default(),
            features: Features::default(),
            messages: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            sessions: Mutex::new(SessionTable::new(limits.max_ends)),
            watched: Mutex::new(Watched::new(
                limits.max_types,
                limits.max_rooms,
                limits.max_bytes,
            )),
            flow: Mutex::new(Flow {
                seconds: LastSeconds::default(),
                hours: Hours::default(),
                sum: Counts::default(),
                seen: Counts::default(),
                kept_since: Timestamp::now(),
            }),
            picture: Mutex::new(None),
        }
    }
}

impl Usage {
    /// Sets the bounds.
    pub fn bound(&self, limits: UsageLimits) {
        self.watched()
            .bound(limits.max_types, limits.max_rooms, limits.max_bytes);
        lock(&self.sessions).ends_mut().bound(limits.max_ends);
    }

    /// A session began.
    pub fn begin(&self, opening: Opening<'_>) -> Arc<Activity> {
        let fresh = Activity::new(self.clock.clone());
        lock(&self.sessions).begin(self.now(), opening, fresh)
    }

    /// A session has become another user's.
    pub fn renew(&self, id: &Arc<str>, user: Option<&str>) {
        lock(&self.sessions).renew(self.now(), id, user);
    }

    /// A session ended.
    pub fn end(&self, id: &Arc<str>) {
        lock(&self.sessions).end(self.now(), id);
    }

    /// All sessions end with the server.
    pub fn end_all(&self) {
        lock(&self.sessions).end_all(self.now());
    }

    /// The activity of a session, which its door may list a moment later.
    pub fn activity(&self, id: &Arc<str>) -> Arc<Activity> {
        let fresh = Activity::new(self.clock.clone());
        lock(&self.sessions).activity(id, fresh)
    }

    /// The second of the coarse clock in which sessions' activity is kept.
    pub fn second(&self) -> u32 {
        self.clock.now()
    }

    /// A client came by a door.
    pub fn came_by(&self, door: &str) {
        self.features.count_door(door);
    }

    /// A feature was used.
    pub fn count(&self, feature: &str) {
        self.features.count(feature, 1);
    }

    /// A client sent a message that uses a feature.
    pub fn message(&self, feature: &str) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.count(feature);
    }

    /// The messages of clients since the start.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// A client was not let in.
    pub fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused, or a delivery failed.
    pub(in crate::observe) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The types and the rooms, to add to them.
    pub fn watched(&self) -> MutexGuard<'_, Watched> {
        lock(&self.watched)
    }

    /// Moves the clock on, and adds what was counted since. `counted` has the counters that are kept elsewhere.
    pub(in crate::observe) fn tick(&self, counted: Counts) {
        let now = self.now();
        self.clock.set(now.second);
        let counted = Counts {
            messages: self.messages.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            turned_away: self.turned_away.load(Ordering::Relaxed),
            ..counted
        };
        lock(&self.sessions).count_time(now);
        let mut flow = lock(&self.flow);
        let new = counted - flow.seen;
        flow.seen = counted;
        flow.sum += new;
        *flow.hours.at(now.hour) += new;
        flow.seconds.push(now.second, new);
    }

    /// All counts, as they were at the last tick, and the live sessions; at most half a second old.
    pub(in crate::observe) fn picture(&self) -> Arc<Picture> {
        let mut kept = lock(&self.picture);
        let fresh = |(made, picture): &(Instant, Arc<Picture>)| {
            (made.elapsed() < PICTURE_LIFETIME).then(|| picture.clone())
        };
        if let Some(picture) = kept.as_ref().and_then(fresh) {
            return picture;
        }
        let picture = Arc::new(self.look());
        *kept = Some((Instant::now(), picture.clone()));
        picture
    }

    /// All counts now.
    pub(in crate::observe) fn look(&self) -> Picture {
        let now = self.now();
        let (live, came, totals) = {
            let sessions = lock(&self.sessions);
            let live = sessions.look(now, now.second.saturating_sub(RECENT));
            (live, sessions.hours().clone(), sessions.totals().clone())
        };
        let (types, rooms) = {
            let watched = self.watched();
            (watched.types(), watched.rooms())
        };
        let flow = lock(&self.flow);
        Picture {
            at: Timestamp::from_micros(now.micros),
            hour: now.hour,
            kept_since: flow.kept_since,
            sessions: live.sessions,
            users: live.users,
            active: live.active,
            stable: live.stable,
            degraded: live.degraded,
            flapping: live.flapping,
            came,
            totals,
            seconds: flow.seconds.clone(),
            counted: flow.hours.clone(),
            sum: flow.sum,
            features: self.features.list(),
            types,
            rooms,
        }
    }

    /// Adds the counts of an earlier run.
    pub fn restore(&self, saved: &Saved) {
        lock(&self.sessions).add(&saved.came, &saved.totals);
        let mut watched = self.watched();
        // The best first, so that nothing better is dropped for them.
        for (name, watch) in &saved.types {
            watched.add_type(name, *watch);
        }
        for (name, watch) in &saved.rooms {
            watched.add_room(name, *watch);
        }
        drop(watched);
        for (name, times) in &saved.features {
            self.features.count(name, *times);
        }
        let mut flow = lock(&self.flow);
        flow.hours.add(&saved.counted);
        flow.sum += saved.sum;
        flow.kept_since = flow
            .kept_since
            .min(Timestamp::from_micros(saved.kept_since));
    }

    /// Names of types and of rooms that were dropped, and ends that were forgotten, since there were too many.
    pub(in crate::observe) fn dropped(&self) -> [(&'static str, u64); 3] {
        let (types, rooms) = self.watched().dropped();
        let ends = lock(&self.sessions).ends().forgotten();
        [("types", types), ("rooms", rooms), ("ends", ends)]
    }

    fn now(&self) -> Now {
        let since = self.began.elapsed();
        let at = Timestamp::now().as_micros();
        let hour = at / 3_600_000_000;
        Now {
            millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            second: u32::try_from(since.as_secs()).unwrap_or(u32::MAX),
            hour: u32::try_from(hour).unwrap_or_default(),
            micros: at,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
