//! The list of banned users and addresses, and of revoked tokens.
//!
//! Decisions of admins are written to a file and hold over a restart; bans for too many messages are not.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::decided_file::DecidedFile;
use crate::{access::Identity, config::Role, error::Error};

/// The most bans for too many messages that are kept; the ones that end soonest go first.
const MAX_AUTOMATIC: usize = 100_000;
/// The most bans and revocations by admins. They are few, since a person makes each.
const MAX_DECIDED: usize = 100_000;

/// The list can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the list of bans {path} {reason}", path = path.display())]
pub struct BlocklistError {
    path: PathBuf,
    reason: String,
}

/// The bans and revocations in force.
#[derive(Debug)]
pub struct Blocklist {
    /// The file of decisions; `None` keeps them in memory only.
    file: Option<DecidedFile>,
    /// Seconds by which the clock of an identity provider may be ahead: a token made before a revocation may claim to
    /// be that much younger.
    leeway: u64,
    /// Whether addresses of this machine are never banned. While no token is required, all local programs share them,
    /// also the one that could lift the ban.
    spares_loopback: bool,
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    /// Bans by admins.
    bans: BTreeMap<Who, Ban>,
    /// Revocations by admins, with their time.
    revocations: BTreeMap<Revoked, u64>,
    /// Bans for too many messages, with their end.
    automatic: BTreeMap<Who, SystemTime>,
}

/// The content of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Decided {
    bans: Vec<Ban>,
    revocations: Vec<Revocation>,
}

/// The subject of a ban.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// All connections of a user.
    User(String),
    /// All connections from an address.
    Address(IpAddr),
    /// All connections with a token that names no user.
    #[serde(rename = "token_id")]
    Token(String),
}

impl Who {
    /// Whether a ban for too many messages applies to a client of this role, with a valid token or without one. An
    /// admin is exempt, who could lift it; and the ban of an address applies only to clients of whom nothing else is
    /// known.
    pub fn is_reached_by_strikes(&self, role: Role, has_token: bool) -> bool {
        role != Role::Admin && !(has_token && matches!(self, Self::Address(_)))
    }
}

/// A ban.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ban {
    /// The subject of the ban.
    #[serde(flatten)]
    pub who: Who,
    /// The end, in seconds since 1970; `None` until the ban is lifted.
    pub until: Option<u64>,
    /// The reason, for people.
    pub reason: String,
}

/// A revocation of tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Revocation {
    /// The tokens revoked.
    #[serde(flatten)]
    pub what: Revoked,
    /// The time of the revocation, in seconds since 1970.
    pub at: u64,
}

/// The tokens that a revocation names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoked {
    /// All tokens of a user that were made up to then, or that don't say when they were made.
    User(String),
    /// One token.
    Token(String),
}

impl Blocklist {
    /// Reads the list; an absent file is an empty list.
    ///
    /// # Errors
    /// The file is there but can't be read, it can't be written, or another server has it.
    pub fn open(
        file: Option<PathBuf>,
        leeway: Duration,
        spares_loopback: bool,
    ) -> Result<Self, BlocklistError> {
        let open = |path: PathBuf| {
            DecidedFile::open(&path).map_err(|reason| BlocklistError { path, reason })
        };
        let (file, decided) = match file.map(open).transpose()? {
            Some((file, decided)) => (Some(file), decided),
            None => (None, Decided::default()),
        };
        let bans = decided.bans.into_iter().map(|ban| (ban.who.clone(), ban));
        let revocations = decided.revocations.into_iter().map(|r| (r.what, r.at));
        Ok(Self {
            file,
            leeway: leeway.as_secs() + u64::from(leeway.subsec_nanos() > 0),
            spares_loopback,
            lists: Mutex::new(Lists {
                bans: bans.collect(),
                revocations: revocations.collect(),
                automatic: BTreeMap::new(),
            }),
        })
    }

    /// Whether a server could use the list that is kept there.
    ///
    /// # Errors
    /// As [`Blocklist::open`], but for another server.
    pub fn check_file(path: &Path) -> Result<(), BlocklistError> {
        DecidedFile::check::<Decided>(path).map_err(|reason| BlocklistError {
            path: path.to_owned(),
            reason,
        })
    }

    /// Releases the file: later decisions are not written.
    pub fn close(&self) {
        if let Some(file) = &self.file {
            file.close();
        }
    }

    /// Whether a client may connect.
    ///
    /// # Errors
    /// `banned`, or `unauthorized` for a token that was revoked.
    pub fn check(&self, who: &Identity, address: IpAddr) -> Result<(), Error> {
        // The holder of the start secret could lift a ban.
        if who.start_secret {
            return Ok(());
        }
        let now = seconds(SystemTime::now());
        let lists = self.lock();
        let user = who.user.as_deref();
        let names = [
            // The file may hold a ban of this machine from an earlier start; it doesn't count.
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
                .filter(|_| name.is_reached_by_strikes(who.role, who.token.is_some()))
                .map(|until| Some(seconds(*until)));
            let until = lists.bans.get(&name).map(|ban| ban.until).or(automatic);
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

    /// Whether an address can't be banned.
    pub fn spares(&self, address: IpAddr) -> bool {
        self.spares_loopback && address.to_canonical().is_loopback()
    }

    /// Whether a subject can be banned at all.
    ///
    /// # Errors
    /// It is an address of this machine, while no token is required.
    pub fn may_ban(&self, who: &Who) -> Result<(), Error> {
        match who {
            Who::Address(address) if self.spares(*address) => Err(Error::bad_request(format!(
                "{address} is this machine itself: it can't be banned while nobody is asked for a token, since every local \
                 program would be kept out; disconnect a client by its client_id instead"
            ))),
            _ => Ok(()),
        }
    }

    /// Bans a client for a while that exceeds its limits again and again.
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

    /// Bans somebody by an admin's decision.
    ///
    /// # Errors
    /// The ban is in force but could not be written, so it ends at a restart; or there are too many bans.
    pub fn ban(&self, ban: Ban) -> Result<(), Error> {
        self.may_ban(&ban.who)?;
        self.add(|lists| {
            lists.bans.insert(ban.who.clone(), ban);
        })
    }

    /// Lifts a ban, and says whether there was one.
    ///
    /// # Errors
    /// As [`Blocklist::ban`].
    pub fn unban(&self, who: &Who) -> Result<bool, Error> {
        let mut lists = self.lock();
        let was = lists.automatic.remove(who).is_some() | lists.bans.remove(who).is_some();
        drop(lists);
        self.keep().map(|()| was)
    }

    /// Revokes tokens.
    ///
    /// # Errors
    /// As [`Blocklist::ban`].
    pub fn revoke(&self, what: Revoked) -> Result<(), Error> {
        let at = seconds(SystemTime::now());
        self.add(|lists| {
            lists.revocations.insert(what, at);
        })
    }

    /// Takes a revocation back, and says whether there was one. Other revocations stay: a token of this user may have
    /// been revoked by its own id.
    ///
    /// # Errors
    /// As [`Blocklist::ban`].
    pub fn unrevoke(&self, what: &Revoked) -> Result<bool, Error> {
        let was = self.lock().revocations.remove(what).is_some();
        self.keep().map(|()| was)
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

    /// The revocations in force.
    pub fn revocations(&self) -> Vec<Revocation> {
        let lists = self.lock();
        let all = lists.revocations.iter();
        all.map(|(what, &at)| Revocation {
            what: what.clone(),
            at,
        })
        .collect()
    }

    /// Adds an entry, if there is room for it. Removing one is allowed even when the list is full.
    fn add(&self, change: impl FnOnce(&mut Lists)) -> Result<(), Error> {
        {
            let mut lists = self.lock();
            let now = seconds(SystemTime::now());
            lists
                .bans
                .retain(|_, ban| ban.until.is_none_or(|u| u > now));
            if lists.bans.len() + lists.revocations.len() >= MAX_DECIDED {
                return Err(Error::unavailable(format!(
                    "{MAX_DECIDED} bans and revocations are kept already; lift some first"
                )));
            }
            change(&mut lists);
        }
        self.keep()
    }

    /// Writes the decisions to the file.
    fn keep(&self) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let decided = || {
            // The lock is released before it is taken again.
            let bans = self.lock().bans.values().cloned().collect();
            let revocations = self.revocations();
            Decided { bans, revocations }
        };
        file.write(decided).map_err(|error| {
            let path = file.path().display();
            tracing::error!(%error, file = %path, "what was decided could not be written");
            Error::unavailable(format!(
                "it holds until the server stops, but could not be written to {path}: {error}"
            ))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal of a banned client.
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
