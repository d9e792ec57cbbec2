//! API keys: `stoa_` and 256 random bits. The settings hold their hashes only.
//!
//! A presented key is hashed, and the hash looked up. The time of that look-up depends on hashes only, and nobody can
//! choose a key by its hash, so no comparison in constant time is needed. A plain SHA-256 is enough where a password
//! would need more: nobody tries out 256 bits.

use std::{collections::HashMap, fmt};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use data_encoding::HEXLOWER;

use super::{Claims, TokenId, TokenSetupError};
use crate::config::{ApiKeyConfig, Authentication};

/// The beginning of every API key, by which people and programs that look for leaked keys recognise it. No JWT begins
/// so.
pub(super) const PREFIX: &str = "stoa_";

/// The keys that are known, by their hashes.
#[derive(Default)]
pub(super) struct ApiKeys(HashMap<[u8; 32], Claims>);

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} API keys", self.0.len())
    }
}

impl ApiKeys {
    /// The keys of the settings.
    pub(super) fn new(config: &Authentication) -> Result<Self, TokenSetupError> {
        let mut keys = HashMap::new();
        for key in &config.api_keys {
            let hash = key.hash_bytes().ok_or_else(|| TokenSetupError::Key {
                key: "api_keys",
                reason: format!("{:?} has no hash \"sha256:\" with 64 hex digits", key.name),
            })?;
            keys.insert(hash, claims(key, &hash));
        }
        Ok(Self(keys))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claims of the holder of a key.
    pub(super) fn find(&self, key: &str) -> Option<Claims> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
        self.0.get(&hash).cloned()
    }
}

fn claims(key: &ApiKeyConfig, hash: &[u8; 32]) -> Claims {
    let list = |of: &Vec<String>| (!of.is_empty()).then(|| of.clone());
    Claims {
        user: None,
        role: key.role,
        rooms: list(&key.rooms),
        projects: list(&key.projects),
        agents: list(&key.agents),
        name: Some(key.name.as_str().into()),
        expires: None,
        issued: None,
        id: TokenId::from_hash(hash),
        api_key: true,
    }
}

/// A new key.
pub struct NewApiKey {
    /// The key for its future holder; the server keeps no copy.
    pub key: String,
    /// The hash for the settings.
    pub hash: String,
}

/// The key is printed once, on purpose, and never by `{:?}`.
impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Characters of 32 bytes in base64 without padding.
const RANDOM_LEN: usize = 43;

impl NewApiKey {
    /// Whether a text has the form of a key: by its length, since a user may well be called `stoa_ann`.
    pub fn reads_like_one(text: &str) -> bool {
        text.strip_prefix(PREFIX)
            .is_some_and(|random| random.len() == RANDOM_LEN)
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn make() -> Result<Self, TokenSetupError> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| TokenSetupError::NoRandom)?;
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let hash = digest::digest(&digest::SHA256, key.as_bytes());
        Ok(Self {
            hash: format!("sha256:{}", HEXLOWER.encode(hash.as_ref())),
            key,
        })
    }
}
