//! The claims of a verified token, read strictly: a claim that is misread is a right that nobody gave.
//!
//! The library's `Validation` is not asked. `Validation` grants `exp` the leeway of `nbf`, rounds to seconds, accepts a
//! list of issuers, takes `null` for an absent claim, and gives an expired token without an issuer another code, so
//! that no client fetches a new one.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::TokenError;
use crate::{config::Role, observe::is_unfit_for_lines, pattern::Pattern};

/// Characters of a user, as of any id that names a room.
const MAX_USER: usize = 128;
/// Characters of a name for people; more is cut off.
const MAX_NAME: usize = 128;
/// Entries of `rooms` and of `projects`, and the bytes of one: they are compared with every room that is asked for.
const MAX_ENTRIES: usize = 100;
const MAX_ENTRY: usize = 256;
/// The last second of the year 9999: larger numbers are milliseconds that somebody took for seconds.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The holder of a token, and the rights that it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the user, who has the room `user:{id}`.
    pub user: Option<Arc<str>>,
    /// `role`; an observer if it is absent.
    pub role: Role,
    /// `rooms`: globs of rooms that the holder may be in; `None` if the claim is absent.
    pub rooms: Option<Vec<String>>,
    /// `projects`: ids or globs of projects that the holder may see; `None` if the claim is absent.
    pub projects: Option<Vec<String>>,
    /// `agents`: ids of the agents whose actions the holder may perform; `None` if the claim is absent.
    pub agents: Option<Vec<String>>,
    /// `name`: shown to people in logs and lists.
    pub name: Option<Arc<str>>,
    /// `exp`: when sessions of this token end. Only API keys have none.
    pub expires: Option<SystemTime>,
    /// `iat`: all tokens issued before some moment can be revoked together.
    pub issued: Option<SystemTime>,
    /// The name of the token in logs, lists and revocations.
    pub id: TokenId,
    /// Whether the token is an API key: a key doesn't expire, but is taken out of the settings.
    pub api_key: bool,
}

/// Names a token without being one: `jti`, or a hash. Safe to log and to show.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(Arc<str>);

impl TokenId {
    /// The id of a token with these bytes: the first half of their SHA-256, in hex.
    ///
    /// For a JWT, `bytes` are its signed bytes, header and claims, without the signature: anybody can turn an ECDSA
    /// signature into a second valid one, and a revoked token must not come back under another name.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, bytes);
        Self::from_hash(hash.as_ref())
    }

    /// The id of a token with this hash. Half of the hash is enough to tell any two apart, and short enough to read
    /// out.
    pub(super) fn from_hash(hash: &[u8]) -> Self {
        Self(HEXLOWER.encode(hash.get(..16).unwrap_or(hash)).into())
    }

    /// The id given by a `jti`, if that can be shown as it stands.
    fn from_jti(jti: &str) -> Option<Self> {
        let plain =
            !jti.is_empty() && jti.len() <= 128 && jti.bytes().all(|b| b.is_ascii_graphic());
        plain.then(|| Self(jti.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TokenId {
    /// An id that an administrator read in a list.
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The demands on a token beside its signature.
#[derive(Debug, Clone)]
pub(super) struct Demands {
    /// `iss` must be this; empty for any.
    pub(super) issuer: String,
    /// `aud` must be or hold this; empty for any.
    pub(super) audience: String,
    /// The most by which clocks may differ.
    pub(super) leeway: Duration,
}

/// The claims as they stand in the JSON, see [`Claims`]; `nbf`, `iss` and `aud` are checked and not kept. A claim that is there twice is an error: readers differ in which one counts.
#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    role: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    rooms: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    projects: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    agents: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    name: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<Value>,
}

/// A field that is there, even if `null`: `"projects": null` must not pass for a token without that claim.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Claims {
    /// Reads the payload of a token whose signature is right. `signed` are the bytes that were signed.
    pub(super) fn read(
        payload: &[u8],
        signed: &[u8],
        demands: &Demands,
        now: SystemTime,
    ) -> Result<Self, TokenError> {
        // A struct can also be read from a list of its fields; claims must be an object.
        if !payload.trim_ascii_start().starts_with(b"{") {
            return Err(TokenError::Malformed);
        }
        let raw: Raw = serde_json::from_slice(payload).map_err(|_| TokenError::Malformed)?;
        let wrong = |claim, wrong| TokenError::Claim { claim, wrong };
        let expires = time("exp", raw.exp.as_ref())?
            .ok_or_else(|| wrong("exp", "is missing: a token must say how long it is valid"))?;
        // `exp` has no leeway: the session would have to end as it begins.
        if expires <= now {
            return Err(TokenError::Expired);
        }
        let later = now.checked_add(demands.leeway).unwrap_or(now);
        if time("nbf", raw.nbf.as_ref())?.is_some_and(|from| from > later) {
            return Err(TokenError::NotYet);
        }
        let issued = time("iat", raw.iat.as_ref())?;
        if issued.is_some_and(|made| made > later) {
            return Err(TokenError::MadeLater);
        }
        if !demands.issuer.is_empty() && text(raw.iss.as_ref()) != Some(&demands.issuer) {
            return Err(TokenError::Issuer);
        }
        if !demands.audience.is_empty() && !names(raw.aud.as_ref(), &demands.audience) {
            return Err(TokenError::Audience);
        }
        let id = match raw.jti.as_ref() {
            None => None,
            Some(Value::String(jti)) => TokenId::from_jti(jti),
            Some(_) => return Err(wrong("jti", "must be a string")),
        };
        Ok(Self {
            user: user(raw.sub.as_ref())?,
            role: role(raw.role.as_ref())?,
            rooms: globs("rooms", raw.rooms.as_ref())?,
            projects: globs("projects", raw.projects.as_ref())?,
            agents: ids("agents", raw.agents.as_ref())?,
            name: name(raw.name.as_ref())?,
            expires: Some(expires),
            issued,
            id: id.unwrap_or_else(|| TokenId::of(signed)),
            api_key: false,
        })
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

/// Whether an audience, one or several, includes `ours`.
fn names(value: Option<&Value>, ours: &str) -> bool {
    match value {
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(ours)),
        one => text(one) == Some(ours),
    }
}

fn time(claim: &'static str, value: Option<&Value>) -> Result<Option<SystemTime>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value.as_f64().filter(|s| (0.0..=LAST_SECOND).contains(s));
    seconds
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .and_then(|since| UNIX_EPOCH.checked_add(since))
        .map(Some)
        .ok_or(TokenError::Claim {
            claim,
            wrong: "must be a number of seconds (not milliseconds) since 1970",
        })
}

fn user(value: Option<&Value>) -> Result<Option<Arc<str>>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    value
        .as_str()
        .filter(|sub| can_be_user(sub))
        .map(|sub| Some(sub.into()))
        .ok_or(TokenError::Claim {
            claim: "sub",
            wrong: "must be a string of 1 to 128 of A-Z a-z 0-9 _ . : @ | + = -",
        })
}

/// Whether a token can name this user.
pub fn can_be_user(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_USER && name.bytes().all(is_user_byte)
}

/// Identity providers put more into subjects than ids of rooms may hold: `auth0|5f7c`, `ann+ci@example.org`, base64.
fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'.' | b':' | b'@' | b'|' | b'+' | b'=' | b'-')
}

fn role(value: Option<&Value>) -> Result<Role, TokenError> {
    let Some(value) = value else {
        return Ok(Role::default());
    };
    value
        .as_str()
        .and_then(Role::from_name)
        .ok_or(TokenError::Claim {
            claim: "role",
            wrong: "must be observer, producer, operator or admin",
        })
}

fn globs(claim: &'static str, value: Option<&Value>) -> Result<Option<Vec<String>>, TokenError> {
    let wrong = TokenError::Claim {
        claim,
        wrong: "must be a pattern or a list of at most 100 patterns, each of 1 to 256 bytes, with at most 8 wildcards (* and ?) and no brackets",
    };
    list(value, wrong, |glob| Pattern::written(glob).is_ok())
}

/// A claim with ids. They are compared as they stand: no character is a wildcard.
fn ids(claim: &'static str, value: Option<&Value>) -> Result<Option<Vec<String>>, TokenError> {
    let wrong = TokenError::Claim {
        claim,
        wrong: "must be an id or a list of at most 100 ids, each of 1 to 256 bytes; * is all of them",
    };
    list(value, wrong, |_| true)
}

fn list(
    value: Option<&Value>,
    wrong: TokenError,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<Vec<String>>, TokenError> {
    let list: Vec<String> = match value {
        None => return Ok(None),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|v| v.as_str().map(str::to_owned));
            match texts.collect::<Option<_>>() {
                Some(list) => list,
                None => return Err(wrong),
            }
        }
        Some(_) => return Err(wrong),
    };
    let fits = |text: &String| (1..=MAX_ENTRY).contains(&text.len()) && fits(text);
    if list.len() > MAX_ENTRIES || !list.iter().all(fits) {
        return Err(wrong);
    }
    Ok(Some(list))
}

/// Names come from people's profiles: control characters are taken out, rather than the token refused.
fn name(value: Option<&Value>) -> Result<Option<Arc<str>>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    let name = value.as_str().ok_or(TokenError::Claim {
        claim: "name",
        wrong: "must be a string",
    })?;
    let plain: String = name
        .chars()
        .filter(|c| !is_unfit_for_lines(*c))
        .take(MAX_NAME)
        .collect();
    Ok((!plain.is_empty()).then(|| plain.into()))
}
