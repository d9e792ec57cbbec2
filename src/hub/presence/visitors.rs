//! Visitors: agents and watchers that come by HTTP, and are present for as long as they say.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::error::Error;

/// The part of all visits that one owner may have.
const SHARE: usize = 8;
/// The part of those that are still free that one owner may have, so that a few owners never fill everything.
const FREE_SHARE: usize = 4;

/// Everybody who is present by HTTP.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    rooms: HashMap<Arc<str>, HashMap<Arc<str>, Visiting>>,
    /// The ends of visits, soonest first; a number tells those of one moment apart.
    ends: BTreeMap<End, (Arc<str>, Arc<str>)>,
    /// The number of visits of each owner.
    owners: HashMap<Arc<str>, usize>,
    serial: u64,
}

type End = (Instant, u64);

/// One visit.
#[derive(Debug)]
struct Visiting {
    end: End,
    /// The one who said so, by whom the limits count.
    owner: Arc<str>,
    user: Option<Arc<str>>,
}

/// A visit as it is told.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: Arc<str>,
    pub(super) user: Option<Arc<str>>,
    pub(super) left: Duration,
}

/// A visit that is over: its room, its id and its user.
type Ended = (Arc<str>, Arc<str>, Option<Arc<str>>);

impl Visitors {
    /// Begins a visit, or renews it; returns whether it is new.
    ///
    /// # Errors
    /// `forbidden` for somebody else's visit, `room_full`, `overloaded`.
    pub(super) fn come(
        &mut self,
        (room, id): (&Arc<str>, &Arc<str>),
        (owner, user): (&Arc<str>, Option<&Arc<str>>),
        ttl: Duration,
        (most, most_in_room): (usize, usize),
    ) -> Result<bool, Error> {
        let known = self.rooms.get(room);
        let visiting = known.and_then(|visits| visits.get(id));
        if visiting.is_some_and(|visiting| visiting.owner != *owner) {
            return Err(Error::forbidden(
                "somebody else is present there by this id: choose another",
            ));
        }
        let is_new = visiting.is_none();
        if is_new && known.is_some_and(|visits| visits.len() >= most_in_room) {
            let why = format!("{most_in_room} visitors are in the room ([rooms] max_room_size)");
            return Err(Error::new("room_full", why));
        }
        let own = self.owners.get(owner).copied().unwrap_or_default();
        let free = most.saturating_sub(self.ends.len());
        let share = (most / SHARE).min(free / FREE_SHARE).max(1);
        if is_new && (free == 0 || own >= share) {
            let why = format!(
                "{most} visits are the most ([rooms] max_visitors), and {share} those of one caller now: an eighth, less as they fill up; let some end"
            );
            return Err(Error::new("overloaded", why).elsewhere());
        }
        self.serial += 1;
        let end = (Instant::now() + ttl, self.serial);
        let visits = self.rooms.entry(room.clone()).or_default();
        let before = visits.insert(
            id.clone(),
            Visiting {
                end,
                owner: owner.clone(),
                user: user.cloned(),
            },
        );
        match before {
            Some(before) => {
                self.ends.remove(&before.end);
            }
            None => *self.owners.entry(owner.clone()).or_default() += 1,
        }
        self.ends.insert(end, (room.clone(), id.clone()));
        Ok(is_new)
    }

    /// Ends a visit of this owner. Returns whether there was one.
    pub(super) fn go(&mut self, room: &str, id: &str, owner: &str) -> bool {
        let visits = self.rooms.get(room);
        let visiting = visits.and_then(|visits| visits.get(id));
        let is_own = visiting.is_some_and(|visiting| *visiting.owner == *owner);
        is_own && self.remove(room, id).is_some()
    }

    fn remove(&mut self, room: &str, id: &str) -> Option<Visiting> {
        let visits = self.rooms.get_mut(room)?;
        let visiting = visits.remove(id)?;
        if visits.is_empty() {
            self.rooms.remove(room);
        }
        self.ends.remove(&visiting.end);
        if let Some(own) = self.owners.get_mut(&visiting.owner) {
            *own -= 1;
            if *own == 0 {
                self.owners.remove(&visiting.owner);
            }
        }
        Some(visiting)
    }

    /// The next end of a visit.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first_key_value().map(|((end, _), _)| *end)
    }

    /// Takes a visit that is over.
    pub(super) fn pop_ended(&mut self, now: Instant) -> Option<Ended> {
        let (_, (room, id)) = self
            .ends
            .first_key_value()
            .filter(|((end, _), _)| *end <= now)?;
        let (room, id) = (room.clone(), id.clone());
        let visiting = self.remove(&room, &id)?;
        Some((room, id, visiting.user))
    }

    /// The number of visitors of a room.
    pub(super) fn count(&self, room: &str) -> usize {
        self.rooms.get(room).map_or(0, HashMap::len)
    }

    /// Some visitors of a room.
    pub(super) fn some(&self, room: &str, most: usize) -> Vec<Seen> {
        let now = Instant::now();
        let visits = self.rooms.get(room).into_iter().flatten().take(most);
        visits
            .map(|(id, visiting)| Seen {
                id: id.clone(),
                user: visiting.user.clone(),
                left: visiting.end.0.saturating_duration_since(now),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    #[test]
    fn a_few_owners_do_not_fill_everything() {
        let mut visitors = Visitors::default();
        for owner in 0..16 {
            let owner: Arc<str> = owner.to_string().into();
            for visit in 0..1_250 {
                let room: Arc<str> = format!("room {}", visit % 8).into();
                let id = format!("{owner}/{visit}").into();
                visitors
                    .come((&room, &id), (&owner, None), TTL, (10_000, 10_000))
                    .ok();
            }
        }
        assert!(visitors.ends.len() > 5_000, "an eighth each at first");
        let (room, owner): (Arc<str>, Arc<str>) = ("lobby".into(), "a real one".into());
        for visit in 0..20 {
            let id = visit.to_string().into();
            let come = visitors.come((&room, &id), (&owner, None), TTL, (10_000, 10_000));
            assert_eq!(come.ok(), Some(true), "visit {visit}");
        }
    }

    #[test]
    fn a_visit_is_renewed_by_its_owner_and_ends_in_time() {
        let mut visitors = Visitors::default();
        let [room, id, ann, bob]: [Arc<str>; 4] =
            ["lobby", "agent-1", "ann", "bob"].map(Into::into);
        let mut come = |id: &Arc<str>, owner: &Arc<str>, ttl| {
            let come = visitors.come((&room, id), (owner, None), ttl, (16, 3));
            come.map_err(|refusal| refusal.code)
        };
        assert_eq!(come(&id, &ann, Duration::ZERO), Ok(true));
        assert_eq!(come(&id, &ann, TTL), Ok(false), "renewed");
        assert_eq!(come(&id, &bob, TTL), Err("forbidden"));
        assert_eq!(come(&"2".into(), &ann, Duration::ZERO), Ok(true));
        assert_eq!(
            come(&"3".into(), &ann, TTL),
            Err("overloaded"),
            "an eighth of 16"
        );
        assert_eq!(come(&"3".into(), &bob, TTL), Ok(true));
        assert_eq!(come(&"4".into(), &bob, TTL), Err("room_full"));
        let ended = visitors.pop_ended(Instant::now()).expect("one is over");
        assert_eq!(&*ended.1, "2");
        assert!(visitors.pop_ended(Instant::now()).is_none());
        assert!(!visitors.go(&room, &id, &bob), "another's");
        assert!(visitors.go(&room, &id, &ann) && visitors.count(&room) == 1);
        assert!(visitors.go(&room, "3", &bob));
        assert!(
            visitors.rooms.is_empty() && visitors.owners.is_empty() && visitors.ends.is_empty()
        );
    }
}
