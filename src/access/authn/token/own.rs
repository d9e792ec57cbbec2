//! Secrets and public keys of the settings, and how a changed file takes the place of what was read before.
//!
//! As with certificates, a good file takes effect at once, and a bad one leaves the last good keys in use. The files
//! are independent: a bad one doesn't hold up a good change of the other.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::{
    keys::{Key, KeyError, Keys},
    setup::{SECRET_FILE, TokenSetupError, in_file, read, secret, secret_of},
};
use crate::config::{Authentication, weak_secret};

/// The key that names the file of public keys.
const PUBLIC_KEY_FILE: &str = "[authentication] public_key_file";

/// A file that keys are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFile {
    /// `secret_file`.
    Secret,
    /// `public_key_file`.
    Public,
}

/// The secrets and public keys of the settings.
pub(super) struct OwnKeys {
    /// The settings, which name the files; they don't change while the server runs.
    config: Authentication,
    /// Other machines can reach the server: a short secret is refused, in the settings or in a file.
    exposed: bool,
    /// Replaced as a whole; readers keep theirs while they verify.
    current: RwLock<Arc<Keys>>,
    /// The keys by their source. Locked while one is changed, not to verify.
    parts: Mutex<Parts>,
}

/// The sources of keys, in the order in which they are tried.
struct Parts {
    /// The keys in the settings themselves.
    settings: Vec<Key>,
    /// The key of `secret_file`.
    secret: Part,
    /// The keys of `public_key_file`.
    public: Part,
}

#[derive(Default)]
struct Part {
    /// The content when it was last good, so that the same content isn't tried twice.
    seen: Vec<u8>,
    /// The last good keys of the file.
    keys: Vec<Key>,
}

/// Keys are not printed: an HMAC key can sign, too.
impl fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnKeys")
            .field("current", &self.keys())
            .finish_non_exhaustive()
    }
}

impl KeyFile {
    const ALL: [Self; 2] = [Self::Secret, Self::Public];

    fn path(self, config: &Authentication) -> Option<&Path> {
        let file = match self {
            Self::Secret => &config.secret_file,
            Self::Public => &config.public_key_file,
        };
        (!file.as_os_str().is_empty()).then_some(file)
    }

    /// The key of the settings that names the file.
    fn key(self) -> &'static str {
        match self {
            Self::Secret => SECRET_FILE,
            Self::Public => PUBLIC_KEY_FILE,
        }
    }

    fn parse(self, file: &Path, bytes: &[u8], exposed: bool) -> Result<Vec<Key>, TokenSetupError> {
        let wrong = |reason: String| in_file(file, self.key(), reason);
        match self {
            Self::Secret => {
                let secret = secret_of(file, bytes.to_vec())?;
                Ok(vec![hmac(&secret, exposed).map_err(wrong)?])
            }
            Self::Public => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| wrong("is no text; a key in PEM is expected".into()))?;
                Key::from_pem(text).map_err(|error| wrong(error.to_string()))
            }
        }
    }
}

impl OwnKeys {
    /// Reads the keys.
    pub(super) fn new(config: &Authentication, exposed: bool) -> Result<Self, TokenSetupError> {
        let wrong = |reason| TokenSetupError::Key {
            key: "secret",
            reason,
        };
        let settings = secret(config)?.map(|secret| hmac(&secret, exposed).map_err(wrong));
        let part = |which: KeyFile| {
            let Some(file) = which.path(config) else {
                return Ok(Part::default());
            };
            let seen = read(file, which.key())?;
            let keys = which.parse(file, &seen, exposed)?;
            Ok(Part { seen, keys })
        };
        let parts = Parts {
            settings: settings.transpose()?.into_iter().collect(),
            secret: part(KeyFile::Secret)?,
            public: part(KeyFile::Public)?,
        };
        Ok(Self {
            config: config.clone(),
            exposed,
            current: RwLock::new(Arc::new(parts.keys())),
            parts: Mutex::new(parts),
        })
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> Arc<Keys> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// The files that the settings name.
    pub(super) fn files(&self) -> impl Iterator<Item = KeyFile> {
        let named = |which: &KeyFile| which.path(&self.config).is_some();
        KeyFile::ALL.into_iter().filter(named)
    }

    /// Reads a file again, and says whether it brought new keys, which are in use from now on.
    pub(super) fn reload(&self, which: KeyFile) -> Result<bool, TokenSetupError> {
        let Some(file) = which.path(&self.config) else {
            return Ok(false);
        };
        let bytes = read(file, which.key())?;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let part = match which {
            KeyFile::Secret => &mut parts.secret,
            KeyFile::Public => &mut parts.public,
        };
        if part.seen == bytes {
            return Ok(false);
        }
        part.keys = which.parse(file, &bytes, self.exposed)?;
        part.seen = bytes;
        let keys = Arc::new(parts.keys());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(true)
    }
}

impl Parts {
    fn keys(&self) -> Keys {
        let parts = [&self.settings, &self.secret.keys, &self.public.keys];
        Keys::new(parts.into_iter().flatten().cloned().collect())
    }
}

/// The key of a secret. A secret that can be guessed is refused where other machines can reach the server.
fn hmac(secret: &[u8], exposed: bool) -> Result<Key, String> {
    match weak_secret(secret).filter(|_| exposed) {
        Some(weak) => Err(weak),
        None => Key::hmac(secret).map_err(|error: KeyError| error.to_string()),
    }
}
