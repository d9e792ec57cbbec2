//! Tokens: a statement about a client, signed with a key that this server trusts.
//!
//! A token is a JWT, verified with a secret, a public key or a provider's published keys, or an API key, found by its
//! hash. Either gives [`Claims`]; `authz` decides what they allow.

mod api_key;
mod claims;
mod error;
mod jwks;
mod jwt;
mod keys;
mod mint;
mod own;
mod setup;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::AlgorithmFamily;

pub use api_key::NewApiKey;
pub use claims::{Claims, TokenId, can_be_user};
pub use error::TokenError;
pub use jwks::JwksState;
pub use mint::{Grant, Signer};
pub use own::KeyFile;
pub use setup::{TokenSetupError, weak_secret_file};

use crate::{breaker::Breakers, config::Authentication, error::Error};
use api_key::ApiKeys;
use claims::Demands;
use jwks::Jwks;
use jwt::Jwt;
use keys::{Keys, Verdict};
use own::OwnKeys;

/// Everything that tokens are verified with.
#[derive(Debug)]
pub struct Tokens {
    /// Secrets and public keys of the settings; the key files may change.
    own: OwnKeys,
    /// A provider's published keys, which rotate.
    jwks: Option<Arc<Jwks>>,
    /// The keys of clients that hold no JWT.
    api_keys: ApiKeys,
    /// The demands on a token, whatever key signed it.
    demands: Demands,
    /// Longer tokens are refused unread.
    max_size: usize,
}

impl Tokens {
    /// Reads keys and files; nothing is fetched yet.
    ///
    /// # Errors
    /// A key or file can't be used; the sentence names it and says what to do.
    pub fn new(config: &Authentication) -> Result<Self, TokenSetupError> {
        Self::of(config, false)
    }

    /// The same for a server that other machines can reach: a secret that can be guessed is refused.
    ///
    /// # Errors
    /// As [`Tokens::new`].
    pub fn exposed(config: &Authentication) -> Result<Self, TokenSetupError> {
        Self::of(config, true)
    }

    fn of(config: &Authentication, exposed: bool) -> Result<Self, TokenSetupError> {
        let jwks = if config.jwks_url.is_empty() {
            None
        } else {
            let jwks = Jwks::new(config).map_err(|reason| TokenSetupError::Key {
                key: "jwks_url",
                reason,
            })?;
            Some(Arc::new(jwks))
        };
        Ok(Self {
            own: OwnKeys::new(config, exposed)?,
            jwks,
            api_keys: ApiKeys::new(config)?,
            demands: Demands::new(config),
            max_size: config.max_token_size.into(),
        })
    }

    /// Puts the fetches of a provider's keys, if there is one, behind a breaker of the server's.
    #[must_use]
    pub fn guarded_by(mut self, breakers: &Breakers) -> Self {
        if let Some(jwks) = self.jwks.as_mut().and_then(Arc::get_mut) {
            jwks.guarded_by(breakers);
        }
        self
    }

    /// Whether there is no way to verify anything.
    pub fn is_empty(&self) -> bool {
        self.own.keys().is_empty() && self.jwks.is_none() && self.api_keys.is_empty()
    }

    /// The claims of a token, once it is verified.
    ///
    /// # Errors
    /// `token_expired`, `unavailable`, or `unauthorized` for everything else. The message holds nothing of the token.
    pub async fn verify(&self, token: &str) -> Result<Claims, Error> {
        Ok(self.examine(token).await?)
    }

    /// The same, with the reason as something to count: see [`TokenError::reason`].
    ///
    /// # Errors
    /// The reason why the token is refused.
    pub async fn examine(&self, token: &str) -> Result<Claims, TokenError> {
        if self.is_empty() {
            return Err(TokenError::NoKeys);
        }
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        // The size is checked before anything is parsed, decoded or hashed.
        if token.len() > self.max_size {
            return Err(TokenError::TooLong { max: self.max_size });
        }
        if token.starts_with(api_key::PREFIX) {
            return self.api_keys.find(token).ok_or(TokenError::ApiKey);
        }
        let jwt = Jwt::read(token)?;
        match self.signature(&jwt).await {
            Verdict::Right => {}
            Verdict::Wrong => return Err(TokenError::Signature),
            Verdict::NoKey => return Err(TokenError::UnknownKey),
            Verdict::Unknown => return Err(TokenError::NoKeysYet),
        }
        let payload = URL_SAFE_NO_PAD
            .decode(jwt.payload)
            .map_err(|_| TokenError::Malformed)?;
        let signed = jwt.signed.as_bytes();
        Claims::read(&payload, signed, &self.demands, SystemTime::now())
    }

    async fn signature(&self, jwt: &Jwt<'_>) -> Verdict {
        let try_with = |keys: &Keys| keys.verify(&jwt.header, jwt.signed, jwt.signature);
        let own = try_with(&self.own.keys());
        // Published keys never verify HMAC, so nothing is fetched for such a token.
        let asymmetric = jwt.header.alg.family() != AlgorithmFamily::Hmac;
        let Some(jwks) = self.jwks.as_ref().filter(|_| asymmetric) else {
            return own;
        };
        if own == Verdict::Right {
            return own;
        }
        let keys = jwks.keys();
        let theirs = try_with(&keys);
        if theirs == Verdict::Right {
            return theirs;
        }
        let kid = jwt.header.kid.as_deref();
        let may_be_new = keys.is_empty() || kid.is_some_and(|kid| !keys.has(kid));
        let theirs = if may_be_new && jwks.newer().await {
            try_with(&jwks.keys())
        } else {
            theirs
        };
        match (own, theirs) {
            (_, Verdict::Right) => Verdict::Right,
            // The provider has never answered. After its first answer, a failed fetch leaves the last good keys in use.
            _ if jwks.keys().is_empty() => Verdict::Unknown,
            (Verdict::NoKey, Verdict::NoKey) => Verdict::NoKey,
            _ => Verdict::Wrong,
        }
    }

    /// The key files, which may change.
    pub fn files(&self) -> impl Iterator<Item = KeyFile> {
        self.own.files()
    }

    /// Reads a key file again, and says whether it brought new keys, which are in use from now on. Sessions that exist
    /// go on to their end.
    ///
    /// # Errors
    /// The new content can't be used; the sentence says why. The last good keys stay.
    pub fn reload(&self, file: KeyFile) -> Result<bool, TokenSetupError> {
        self.own.reload(file)
    }

    /// A task that keeps the provider's keys fresh for as long as it runs; `None` without `jwks_url`. Without this task
    /// keys are still fetched when a token needs them, but withdrawn keys stay.
    pub fn keep_fresh(
        self: &Arc<Self>,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        self.jwks.clone().map(Jwks::keep_fresh)
    }

    /// The state of the provider's keys; `None` without `jwks_url`.
    pub fn jwks_state(&self) -> Option<JwksState> {
        self.jwks.as_ref().map(|jwks| jwks.state())
    }
}

impl Demands {
    fn new(config: &Authentication) -> Self {
        Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            leeway: config.leeway.get(),
        }
    }
}
