//! Logins of Socket.IO's Admin UI: a user with a password, and then the id of a session instead.

use std::{
    collections::VecDeque,
    fmt,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::ui_queue::TryQueue;
use crate::{config::AdminUi, error::Error, network::network};
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use data_encoding::HEXLOWER;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// The code of a refused login. The UI shows its form again only for a message of exactly this text.
pub const INVALID_CREDENTIALS: &str = "invalid credentials";

/// Bytes of a password: bcrypt reads no more, and two that differ later would be one.
const MAX_PASSWORD: usize = 72;
/// Bytes of the id of a session.
const SESSION_BYTES: usize = 16;

/// A login that holds.
#[derive(Clone, PartialEq, Eq)]
pub struct UiSession {
    /// The id by which the UI comes back; a credential.
    pub id: String,
    /// The end.
    pub expires: SystemTime,
    /// Whether it began with a password just now: the UI keeps the id then.
    pub is_new: bool,
}

/// The id is a credential, and never printed.
impl fmt::Debug for UiSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UiSession")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The one user of the settings, and the sessions that its password opened.
pub struct UiLogins {
    config: AdminUi,
    attempts: DefaultKeyedRateLimiter<IpAddr>,
    /// One password is tried at a time: a try is meant to be dear.
    tries: TryQueue,
    /// Hashes of the ids with their ends, oldest first.
    sessions: Mutex<VecDeque<([u8; 32], SystemTime)>>,
}

impl fmt::Debug for UiLogins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UiLogins")
    }
}

impl UiLogins {
    /// No sessions yet; none where nobody can log in.
    pub fn new(config: &AdminUi) -> Option<Self> {
        let per_minute: usize = config.attempts_per_minute.into();
        let per_minute = u32::try_from(per_minute).ok().and_then(NonZeroU32::new);
        config.is_on().then(|| Self {
            attempts: RateLimiter::keyed(Quota::per_minute(per_minute.unwrap_or(NonZeroU32::MIN))),
            tries: TryQueue::new(),
            sessions: Mutex::default(),
            config: config.clone(),
        })
    }

    /// Opens a session with a password.
    ///
    /// # Errors
    /// `invalid credentials`; `rate_limited` for a network that tries too many; `overloaded` when too many others try.
    pub async fn open(
        &self,
        user: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<UiSession, Error> {
        let network = network(address);
        self.attempts.retain_recent();
        self.attempts.check_key(&network).map_err(|_| {
            Error::new(
                "rate_limited",
                "too many passwords were tried from here; wait a minute ([admin_ui] attempts_per_minute)",
            )
        })?;
        // The hash is computed for a wrong user, too: the time tells nobody whether there is one.
        let is_user = equal(user, &self.config.username);
        if !(self.is_password(password, network).await? && is_user) {
            return Err(invalid());
        }
        self.tries.succeeded(network);
        let mut id = [0; SESSION_BYTES];
        aws_lc_rs::rand::fill(&mut id)
            .map_err(|_| Error::unavailable("the system gives no random bytes; try again"))?;
        let id = HEXLOWER.encode(&id);
        let expires = SystemTime::now() + self.config.session_timeout.get();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let most: usize = self.config.max_sessions.into();
        while sessions.len() >= most {
            sessions.pop_front();
        }
        sessions.push_back((hash(&id), expires));
        Ok(UiSession {
            id,
            expires,
            is_new: true,
        })
    }

    /// Finds a session by its id.
    ///
    /// # Errors
    /// `invalid credentials`: there is none, or its time is over.
    pub fn resume(&self, id: &str) -> Result<UiSession, Error> {
        let wanted = hash(id);
        let now = SystemTime::now();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(_, expires)| *expires > now);
        let found = sessions.iter().find(|(hash, _)| *hash == wanted);
        let expires = found.map(|(_, expires)| *expires).ok_or_else(invalid)?;
        Ok(UiSession {
            id: id.to_owned(),
            expires,
            is_new: false,
        })
    }

    /// Whether the UI can only look.
    pub fn is_readonly(&self) -> bool {
        self.config.readonly
    }

    /// The settings.
    pub fn config(&self) -> &AdminUi {
        &self.config
    }

    /// Notes a login that was refused. Returns how many there were from the network since they were last told, if they are to
    /// be told now.
    pub fn failed(&self, address: IpAddr) -> Option<u64> {
        self.tries.failed(network(address))
    }

    async fn is_password(&self, password: &str, network: IpAddr) -> Result<bool, Error> {
        let busy = || Error::unavailable("the password could not be checked; try again");
        let _turn = self.tries.turn(network).await?;
        let is_long = password.len() > MAX_PASSWORD;
        let password = if is_long { "" } else { password }.to_owned();
        let hash = self.config.password_bcrypt.to_string();
        let tried = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash));
        let is_right = tried.await.map_err(|_| busy())?.unwrap_or(false);
        Ok(is_right && !is_long)
    }
}

fn invalid() -> Error {
    Error::new(INVALID_CREDENTIALS, "")
}

fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// Whether two texts are equal, in constant time.
fn equal(a: &str, b: &str) -> bool {
    verify_slices_are_equal(&hash(a), &hash(b)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn logins(config: &AdminUi) -> UiLogins {
        let hash = bcrypt::hash("changeit", 4).unwrap();
        UiLogins::new(&AdminUi {
            username: "admin".into(),
            password_bcrypt: hash.as_str().into(),
            ..config.clone()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_password_opens_a_session_and_the_session_opens_itself() {
        let logins = logins(&AdminUi::default());
        let opened = logins.open("admin", "changeit", HERE).await.unwrap();
        assert!(opened.is_new && opened.id.len() == 2 * SESSION_BYTES);
        let again = logins.resume(&opened.id).unwrap();
        assert!(!again.is_new && again.expires == opened.expires);
        assert!(!format!("{opened:?}").contains(&opened.id));
        for (user, password) in [
            ("admin", "wrong"),
            ("root", "changeit"),
            ("admin", ""),
            ("", "changeit"),
        ] {
            let refused = logins.open(user, password, HERE).await.unwrap_err();
            assert_eq!(refused.code, INVALID_CREDENTIALS, "{user} {password}");
        }
        assert_eq!(logins.resume("0000").unwrap_err().code, INVALID_CREDENTIALS);
    }

    #[tokio::test]
    async fn a_password_that_bcrypt_would_cut_off_is_none() {
        let logins = logins(&AdminUi::default());
        let long = format!("changeit{}", "x".repeat(MAX_PASSWORD));
        assert!(logins.open("admin", &long, HERE).await.is_err());
    }

    #[tokio::test]
    async fn an_address_may_not_guess_without_end() {
        let logins = logins(&AdminUi {
            attempts_per_minute: 3.try_into().unwrap(),
            ..AdminUi::default()
        });
        for _ in 0..3 {
            logins.open("admin", "wrong", HERE).await.unwrap_err();
        }
        let refused = logins.open("admin", "changeit", HERE).await.unwrap_err();
        assert_eq!(refused.code, "rate_limited");
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        logins.open("admin", "changeit", elsewhere).await.unwrap();
        // A machine has 2^64 addresses of the sixth version, and they count as one.
        let sixth = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, n, 0, 0, 1]);
        for n in 0..3 {
            let refused = logins.open("admin", "wrong", sixth(n)).await.unwrap_err();
            assert_eq!(refused.code, INVALID_CREDENTIALS);
        }
        let refused = logins.open("admin", "wrong", sixth(3)).await.unwrap_err();
        assert_eq!(refused.code, "rate_limited");
    }

    #[tokio::test]
    async fn the_oldest_session_makes_room() {
        let logins = logins(&AdminUi {
            max_sessions: 2.try_into().unwrap(),
            ..AdminUi::default()
        });
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(logins.open("admin", "changeit", HERE).await.unwrap().id);
        }
        assert!(logins.resume(&ids[0]).is_err());
        assert!(logins.resume(&ids[1]).is_ok() && logins.resume(&ids[2]).is_ok());
    }
}
