//! Those who are kept out: banned users and addresses, and tokens that are no longer valid.
//!
//! A decision of an admin holds at once, and over a restart where a keeper is there; a ban for too many messages ends with
//! the server.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

use crate::{
    access::Identity,
    config::Role,
    decision::{Ban, Decision, DecisionKeeper, Decisions, Revocation, Revoked, Who},
    error::Error,
};

/// Bans for too many messages that are kept; the ones that end soonest go first.
const MAX_AUTOMATIC: usize = 100_000;
/// Bans and revocations by an admin: each is there because somebody looked.
const MAX_DECIDED: usize = 100_000;

/// Those who are kept out.
#[derive(Debug)]
pub struct Blocklist {
    /// Keeps decisions over a restart; `None` where nothing outlives the server.
    keeper: Option<Arc<dyn DecisionKeeper>>,
    /// Seconds by which the clock of whoever makes tokens may be ahead: what was made before a revocation may say that it
    /// was made so much after it.
    leeway: u64,
    /// Whether addresses of this machine are never kept out: while nobody is asked for a token, all local programs share
    /// them, the one that could lift the ban too.
    spares_loopback: bool,
    /// Held for a few moves in the maps, and while a change is queued with the keeper: so changes are kept in the order in
    /// which they were made here.
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    /// By an admin.
    bans: BTreeMap<Who, Ban>,
    /// By an admin, with when it was said.
    revocations: BTreeMap<Revoked, u64>,
    /// For too many messages, with when it ends.
    automatic: BTreeMap<Who, SystemTime>,
    /// Changes that the keeper could not take: the next one takes them along.
    unkept: BTreeSet<Key>,
}

/// The one whom a decision is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Ban(Who),
    Revocation(Revoked),
}

impl Lists {
    /// The present decision about somebody.
    fn present(&self, key: &Key) -> Decision {
        match key {
            Key::Ban(who) => match self.bans.get(who) {
                Some(ban) => Decision::Ban(ban.clone()),
                None => Decision::Lift(who.clone()),
            },
            Key::Revocation(what) => match self.revocations.get(what) {
                Some(&at) => Decision::Revoke(Revocation {
                    what: what.clone(),
                    at,
                }),
                None => Decision::Forgive(what.clone()),
            },
        }
    }
}

/// Resolves when a decision, which holds already, is kept.
///
/// # Errors
/// It holds, but not over a restart: it could not be kept.
type Keeping<'b> = BoxFuture<'b, Result<(), Error>>;

/// Whether a ban for too many messages of this name is about somebody of this role, with a believed token or without one.
/// It keeps no admin out, who could lift it; and one of an address keeps out only those of whom nothing else is known.
pub(in crate::access) fn strikes_reach(name: &Who, role: Role, has_token: bool) -> bool {
    role != Role::Admin && !(has_token && matches!(name, Who::Address(_)))
}

impl Blocklist {
    /// A list with these decisions, which the keeper has.
    pub fn new(
        decided: Decisions,
        keeper: Option<Arc<dyn DecisionKeeper>>,
        leeway: Duration,
        spares_loopback: bool,
    ) -> Self {
        let bans = decided.bans.into_iter().map(|ban| (ban.who.clone(), ban));
        let revocations = decided.revocations.into_iter().map(|r| (r.what, r.at));
        Self {
            keeper,
            leeway: leeway.as_secs() + u64::from(leeway.subsec_nanos() > 0),
            spares_loopback,
            lists: Mutex::new(Lists {
                bans: bans.collect(),
                revocations: revocations.collect(),
                ..Lists::default()
            }),
        }
    }

    /// All decisions that hold, whenever another node has made one; none where no other node makes any.
    pub fn made_elsewhere(&self) -> Option<watch::Receiver<Decisions>> {
        self.keeper.as_ref()?.made_elsewhere()
    }

    /// Takes over all decisions that hold, but those made here that could not be kept yet. Returns the bans and
    /// revocations that are new.
    pub fn take_over(&self, decisions: Decisions) -> Vec<Decision> {
        let mut lists = self.lock();
        let own: Vec<Decision> = lists.unkept.iter().map(|key| lists.present(key)).collect();
        let bans = decisions.bans.iter();
        let bans = bans.filter(|ban| lists.bans.get(&ban.who) != Some(ban));
        let revocations = decisions.revocations.iter();
        let revocations =
            revocations.filter(|made| lists.revocations.get(&made.what) != Some(&made.at));
        let new = bans.cloned().map(Decision::Ban);
        let new: Vec<Decision> = new
            .chain(revocations.cloned().map(Decision::Revoke))
            .collect();
        let bans = decisions.bans.into_iter().map(|ban| (ban.who.clone(), ban));
        let revocations = decisions
            .revocations
            .into_iter()
            .map(|made| (made.what, made.at));
        (lists.bans, lists.revocations) = (bans.collect(), revocations.collect());
        for decision in own {
            match decision {
                Decision::Ban(ban) => drop(lists.bans.insert(ban.who.clone(), ban)),
                Decision::Lift(who) => drop(lists.bans.remove(&who)),
                Decision::Revoke(made) => drop(lists.revocations.insert(made.what, made.at)),
                Decision::Forgive(what) => drop(lists.revocations.remove(&what)),
            }
        }
        new
    }

    /// Whether somebody may come in.
    ///
    /// # Errors
    /// `banned`, or `unauthorized` for a token that was revoked.
    pub fn check(&self, who: &Identity, address: IpAddr) -> Result<(), Error> {
        // The one who could lift a ban.
        if who.start_secret {
            return Ok(());
        }
        let now = seconds(SystemTime::now());
        let lists = self.lock();
        let user = who.user.as_deref();
        let names = [
            // A ban of this machine that is kept from before counts for nothing.
            (!self.spares(address)).then_some(Who::Address(address)),
            user.map(|u| Who::User(u.into())),
            who.token
                .as_ref()
                .map(|token| Who::Token(token.to_string())),
        ];
        for name in names.into_iter().flatten() {
            let automatic = lists
                .automatic
                .get(&name)
                .filter(|_| strikes_reach(&name, who.role, who.token.is_some()))
                .map(|until| Some(seconds(*until)));
            let decided = lists.bans.get(&name).map(|ban| ban.until);
            // A decision that is over hides no ban for too many messages.
            let decided = decided.filter(|until| until.is_none_or(|until| until > now));
            let until = decided.or(automatic);
            match until {
                Some(None) => return Err(banned(None)),
                Some(Some(until)) if until > now => return Err(banned(Some(until - now))),
                _ => {}
            }
        }
        let token = who.token.as_ref();
        let token = token.map(|token| Revoked::Token(token.as_str().to_owned()));
        let of_token = token.is_some_and(|token| lists.revocations.contains_key(&token));
        let of_user = user.and_then(|user| lists.revocations.get(&Revoked::User(user.into())));
        let last = |at: u64| at.saturating_add(self.leeway);
        let is_older = |at: &u64| who.issued.is_none_or(|issued| seconds(issued) <= last(*at));
        if of_token || of_user.is_some_and(is_older) {
            return Err(Error::new(
                "unauthorized",
                "this token was revoked; ask for a new one",
            ));
        }
        Ok(())
    }

    /// Whether an address can't be kept out.
    pub fn spares(&self, address: IpAddr) -> bool {
        self.spares_loopback && address.to_canonical().is_loopback()
    }

    /// Whether somebody can be kept out at all.
    ///
    /// # Errors
    /// It is an address of this machine, while nobody is asked for a token.
    pub fn may_ban(&self, who: &Who) -> Result<(), Error> {
        match who {
            Who::Address(address) if self.spares(*address) => Err(Error::bad_request(format!(
                "{address} is this machine itself: it can't be banned while nobody is asked for a token, since every local \
                 program would be kept out; disconnect a client by its client_id instead"
            ))),
            _ => Ok(()),
        }
    }

    /// Keeps somebody out for a while who doesn't heed the limits.
    pub fn ban_for(&self, who: Who, duration: Duration) {
        if self.may_ban(&who).is_err() {
            return;
        }
        let now = SystemTime::now();
        let mut lists = self.lock();
        let automatic = &mut lists.automatic;
        if automatic.len() >= MAX_AUTOMATIC {
            automatic.retain(|_, until| *until > now);
        }
        if automatic.len() >= MAX_AUTOMATIC {
            let soonest = automatic.iter().min_by_key(|(_, until)| **until);
            let soonest = soonest.map(|(who, _)| who.clone());
            soonest.and_then(|who| automatic.remove(&who));
        }
        automatic.insert(who, now + duration);
    }

    /// Keeps somebody out by decision, from this call on. It is kept whether or not the answer is waited for.
    ///
    /// # Errors
    /// It doesn't hold: it would be about this machine, or there are too many to have one more.
    pub fn ban(&self, ban: Ban) -> Result<Keeping<'_>, Error> {
        self.may_ban(&ban.who)?;
        self.add(Key::Ban(ban.who.clone()), |lists| {
            lists.bans.insert(ban.who.clone(), ban);
        })
    }

    /// Lets somebody in again, from the first poll on; whether there was a ban.
    ///
    /// # Errors
    /// It holds, but not over a restart: it could not be kept.
    pub async fn unban(&self, who: &Who) -> Result<bool, Error> {
        let (was, keeping) = {
            let mut lists = self.lock();
            let struck = lists.automatic.remove(who).is_some();
            let banned = lists.bans.remove(who).is_some();
            let changed = banned.then(|| Key::Ban(who.clone()));
            (struck | banned, self.keep(&mut lists, changed))
        };
        keeping.await.map(|()| was)
    }

    /// Makes tokens invalid, from this call on. It is kept whether or not the answer is waited for.
    ///
    /// # Errors
    /// It doesn't hold: there are too many to have one more.
    pub fn revoke(&self, what: Revoked) -> Result<Keeping<'_>, Error> {
        let at = seconds(SystemTime::now());
        self.add(Key::Revocation(what.clone()), |lists| {
            lists.revocations.insert(what, at);
        })
    }

    /// Takes a revocation back, from the first poll on; whether there was one. What else was revoked stays so: a token of a
    /// user who is forgiven may have been revoked by its own name.
    ///
    /// # Errors
    /// It holds, but not over a restart: it could not be kept.
    pub async fn unrevoke(&self, what: &Revoked) -> Result<bool, Error> {
        let (was, keeping) = {
            let mut lists = self.lock();
            let was = lists.revocations.remove(what).is_some();
            let changed = was.then(|| Key::Revocation(what.clone()));
            (was, self.keep(&mut lists, changed))
        };
        keeping.await.map(|()| was)
    }

    /// The bans in force.
    pub fn bans(&self) -> Vec<Ban> {
        let now = seconds(SystemTime::now());
        let lists = self.lock();
        let automatic = lists.automatic.iter().map(|(who, until)| Ban {
            who: who.clone(),
            until: Some(seconds(*until)),
            reason: "too many messages".into(),
        });
        let all = lists.bans.values().cloned().chain(automatic);
        all.filter(|ban| ban.until.is_none_or(|until| until > now))
            .collect()
    }

    /// Everything that is revoked.
    pub fn revocations(&self) -> Vec<Revocation> {
        let lists = self.lock();
        let all = lists.revocations.iter();
        all.map(|(what, &at)| Revocation {
            what: what.clone(),
            at,
        })
        .collect()
    }

    /// Lists one more, if there is room for it. To take one off there must not be room.
    fn add(&self, key: Key, change: impl FnOnce(&mut Lists)) -> Result<Keeping<'_>, Error> {
        let mut lists = self.lock();
        let now = seconds(SystemTime::now());
        let over = lists
            .bans
            .extract_if(.., |_, ban| ban.until.is_some_and(|until| until <= now));
        let mut changed: Vec<Key> = over.map(|(who, _)| Key::Ban(who)).collect();
        let decided = lists.bans.len() + lists.revocations.len();
        if decided.max(lists.unkept.len()) >= MAX_DECIDED {
            if self.keeper.is_some() {
                lists.unkept.extend(changed);
            }
            return Err(Error::unavailable(format!(
                "{MAX_DECIDED} bans and revocations are kept already; lift some first"
            )));
        }
        change(&mut lists);
        changed.push(key);
        Ok(self.keep(&mut lists, changed))
    }

    /// Has the keeper take what changed, and what it could not take before.
    fn keep(&self, lists: &mut Lists, changed: impl IntoIterator<Item = Key>) -> Keeping<'_> {
        let Some(keeper) = &self.keeper else {
            return Box::pin(ready(Ok(())));
        };
        let mut keys = mem::take(&mut lists.unkept);
        keys.extend(changed);
        if keys.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        let kept = keeper.keep(keys.iter().map(|key| lists.present(key)).collect());
        Box::pin(async move {
            let Err(error) = kept.await else {
                return Ok(());
            };
            self.lock().unkept.extend(keys);
            tracing::error!(%error, "a decision could not be kept; the next one takes it along");
            Err(Error::unavailable(format!(
                "it holds until the server stops, but could not be kept over a restart: {}; do it again later",
                error.message
            )))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error that a banned client is told.
pub(in crate::access) fn banned(for_seconds: Option<u64>) -> Error {
    match for_seconds.map(|seconds| seconds.max(1)) {
        Some(seconds) => Error::new("banned", format!("you are kept out for {seconds} s more"))
            .after(Duration::from_secs(seconds)),
        None => Error::new("banned", "you are kept out until an admin lifts the ban"),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_is_over_hides_no_ban_for_too_many_messages() {
        let over = Ban {
            who: Who::User("u1".into()),
            until: Some(1),
            reason: String::new(),
        };
        let decided = Decisions {
            bans: vec![over],
            ..Decisions::default()
        };
        let list = Blocklist::new(decided, None, Duration::ZERO, true);
        let who = Identity {
            user: Some("u1".into()),
            ..Identity::default()
        };
        let check = || list.check(&who, IpAddr::from([192, 0, 2, 1]));
        assert!(check().is_ok());
        list.ban_for(Who::User("u1".into()), Duration::from_secs(60));
        assert_eq!(check().map_err(|error| error.code), Err("banned"));
    }
}
