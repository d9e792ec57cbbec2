//! `[authentication]`: the tokens that are accepted, and for how long.

use std::path::PathBuf;

use data_encoding::HEXLOWER_PERMISSIVE;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    invalid::Invalid,
    numbers::{Count, Seconds},
    secret::Secret,
};
use crate::{config::Role, pattern::Pattern};

/// Bytes that an HMAC secret should have: RFC 7518 §3.2 demands as many as the hash has, and the holder of one token
/// can try out shorter secrets offline. A server that other machines can reach doesn't start with fewer.
const GOOD_SECRET: usize = 32;
/// Bytes that it must have anywhere.
pub const LEAST_SECRET: usize = 8;
/// Characters that the start's secret must have.
const LEAST_START_SECRET: usize = 16;

/// `[authentication]`: tokens and the keys that they are verified with.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authentication {
    /// Whether a client without a valid token is refused.
    pub required: bool,
    /// Whether a token must be valid even where none is required.
    #[default = true]
    pub token_validation: bool,
    /// Seconds that a session may live without a fresh token.
    pub session_timeout: Seconds<3_600_000>,
    /// The secret of tokens signed with HMAC; empty for none.
    pub secret: Secret,
    /// A file with such a secret, for those who keep it out of settings and environment; empty for none.
    pub secret_file: PathBuf,
    /// The file with the public keys of tokens signed with private ones; empty for none.
    pub public_key_file: PathBuf,
    /// The URL at which an identity provider publishes its keys; empty for none.
    pub jwks_url: String,
    /// Seconds after which the provider's keys are fetched again: a withdrawn key is accepted for so long.
    pub jwks_refresh: Seconds<600_000, 1000>,
    /// Seconds between two fetches caused by tokens with unknown keys: forged tokens must not become a flood of
    /// requests.
    pub jwks_cooldown: Seconds<30_000, 100, 86_400_000>,
    /// Seconds that one fetch may take; connections whose token needs it wait that long.
    pub jwks_timeout: Seconds<5_000, 100, 60_000>,
    /// Bytes of the provider's answer: it is kept whole in memory before it is read.
    pub jwks_max_bytes: Count<262_144, 1024>,
    /// The issuer that a token must name; empty for any.
    pub issuer: String,
    /// The audience that a token must name; empty for any.
    pub audience: String,
    /// Seconds by which an issuer's clock may differ from the server's, at verification only.
    pub leeway: Seconds<5_000, 0, 300_000>,
    /// Bytes of a token: longer ones are refused unread.
    pub max_token_size: Count<8192, 256, { 1 << 16 }>,
    /// Seconds between two readings of the files above, so that a changed key is accepted without a restart.
    pub reload_interval: Seconds<10_000, 100>,
    /// The secret that makes its holder an admin while no token is required; empty for a new one at each start.
    pub start_secret: Secret,
    /// Keys of producers that hold no tokens. Only their hashes stand here.
    pub api_keys: Vec<ApiKeyConfig>,
}

/// One of `[[authentication.api_keys]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// The name of its holder in logs and lists, where the key itself must not be shown.
    pub name: String,
    /// `sha256:` and the hash of the key in hex: a reader of the settings can't use the key.
    pub hash: String,
    /// The role of its holder.
    #[serde(default = "producer")]
    pub role: Role,
    /// The projects it is for; empty is as in a token that names none.
    #[serde(default)]
    pub projects: Vec<String>,
    /// The rooms it is for; empty is as in a token that names none.
    #[serde(default)]
    pub rooms: Vec<String>,
    /// The agents whose actions it performs; empty is as in a token that names none.
    #[serde(default)]
    pub agents: Vec<String>,
}

fn producer() -> Role {
    Role::Producer
}

impl Authentication {
    /// The first key whose value can't be used.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        let wrong = |key, message: String| Some(Invalid::new("authentication", key, message));
        if let Some(message) = short_secret(self.secret.as_bytes()) {
            return wrong("secret", message);
        }
        if let Some(message) = self.bad_start_secret() {
            return wrong("start_secret", message);
        }
        if let Some(message) = bad_url(&self.jwks_url) {
            return wrong("jwks_url", message);
        }
        self.bad_api_key()
    }

    /// A warning about settings that are allowed but risky.
    pub(super) fn warning(&self) -> Option<String> {
        let url = Url::parse(&self.jwks_url).ok()?;
        let host = url.host_str().unwrap_or_default();
        let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        (url.scheme() == "http" && !here).then(|| {
            format!(
                "the keys of {host} come unencrypted: whoever is on the way can make tokens ([authentication] jwks_url; use https)"
            )
        })
    }

    /// The fault of the start secret. It must fit into an address, and nothing slows down guessing.
    fn bad_start_secret(&self) -> Option<String> {
        let secret = &self.start_secret;
        let fits = secret.len() >= LEAST_START_SECRET
            && secret.len() <= usize::from(self.max_token_size)
            && secret
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'));
        (!secret.is_empty() && !fits).then(|| {
            format!(
                "must be at least {LEAST_START_SECRET} characters of A-Z a-z 0-9 - _ . ~, as from: openssl rand -hex 32"
            )
        })
    }

    fn bad_api_key(&self) -> Option<Invalid> {
        for (index, key) in self.api_keys.iter().enumerate() {
            let message = key.wrong().or_else(|| {
                let before = &self.api_keys[..index];
                before
                    .iter()
                    .any(|other| other.name == key.name || other.hash_bytes() == key.hash_bytes())
                    .then(|| "has the name or the hash of one before it".to_owned())
            });
            if let Some(message) = message {
                let message = format!("{:?} {message}", key.name);
                return Some(Invalid::new("authentication", "api_keys", message).entry(index));
            }
        }
        None
    }
}

impl ApiKeyConfig {
    /// The hash as bytes, if it is one.
    pub fn hash_bytes(&self) -> Option<[u8; 32]> {
        let hex = self.hash.strip_prefix("sha256:")?.as_bytes();
        HEXLOWER_PERMISSIVE.decode(hex).ok()?.try_into().ok()
    }

    /// The fault of this key, if there is one.
    pub fn wrong(&self) -> Option<String> {
        let plain = |c: char| !c.is_control();
        if self.name.is_empty() || self.name.len() > 128 || !self.name.chars().all(plain) {
            return Some("is no name: 1 to 128 bytes without control characters".into());
        }
        if self.hash_bytes().is_none() {
            return Some(
                "has no hash \"sha256:\" with 64 hex digits; `stoa token --api-key` makes one"
                    .into(),
            );
        }
        let lists = self.projects.iter().chain(&self.rooms);
        lists
            .into_iter()
            .find_map(|text| Some((text, Pattern::written(text).err()?)))
            .map(|(text, bad)| format!("has {text:?}, which is not a pattern: it {bad}"))
    }
}

/// The fault of a secret that is too short.
pub(crate) fn short_secret(secret: &[u8]) -> Option<String> {
    let short = !secret.is_empty() && secret.len() < LEAST_SECRET;
    short.then(|| {
        format!(
            "has {} bytes, which is hardly a secret; give {GOOD_SECRET} random ones (openssl rand -base64 48)",
            secret.len()
        )
    })
}

/// The fault of a secret that is good enough only on a machine that nobody else can reach.
pub(crate) fn weak_secret(secret: &[u8]) -> Option<String> {
    let length = secret.len();
    (length > 0 && length < GOOD_SECRET).then(|| {
        format!(
            "has {length} bytes: whoever sees a token could guess it; give at least {GOOD_SECRET} random ones (openssl rand -base64 48)"
        )
    })
}

fn bad_url(url: &str) -> Option<String> {
    if url.is_empty() {
        return None;
    }
    let Ok(url) = Url::parse(url) else {
        return Some("is no URL: write it like \"https://login.example/keys.json\"".into());
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Some("must begin with https:// (or http://) and name a host".into());
    }
    // The URL is logged when it can't be fetched, and shown by `stoa check`.
    (!url.username().is_empty() || url.password().is_some())
        .then(|| "must hold no user name or password: it is shown in logs".into())
}
