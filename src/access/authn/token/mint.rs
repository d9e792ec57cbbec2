//! Makes tokens: for a first try, for scripts, and for people without an identity provider.

use std::{
    fmt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto::sign, encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    claims::{Claims, Demands},
    setup::{TokenSetupError, in_file, read, secrets},
};
use crate::config::{Authentication, Role};

/// The option that names a private key.
const KEY_FILE: &str = "--key-file";

/// The claims of a token to be made.
#[derive(Debug, Clone)]
pub struct Grant {
    /// `sub`.
    pub user: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `role`.
    pub role: Role,
    /// `rooms`; `None` leaves the claim out.
    pub rooms: Option<Vec<String>>,
    /// `projects`; `None` leaves the claim out.
    pub projects: Option<Vec<String>>,
    /// `agents`; `None` leaves the claim out.
    pub agents: Option<Vec<String>>,
    /// The time for which the token is valid from now.
    pub ttl: Duration,
}

/// A key that signs, with the issuer and audience that its tokens name.
pub struct Signer {
    key: EncodingKey,
    /// The algorithm of the key's kind; for secrets the usual one.
    algorithm: Algorithm,
    /// The settings' own demands, so that the tokens pass them.
    demands: Demands,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs with the secret of the settings.
    ///
    /// # Errors
    /// There is none, or it can't be used.
    pub fn with_secret(config: &Authentication) -> Result<Self, TokenSetupError> {
        let secrets = secrets(config)?;
        let secret = secrets.first().ok_or(TokenSetupError::NoSecret)?;
        Ok(Self {
            key: EncodingKey::from_secret(secret),
            algorithm: Algorithm::HS256,
            demands: Demands::new(config),
        })
    }

    /// Signs with a private key in PEM, for servers that know the public one.
    ///
    /// # Errors
    /// The file can't be read, or holds no such key.
    pub fn with_key_file(file: &Path, config: &Authentication) -> Result<Self, TokenSetupError> {
        let wrong = |reason: &str| in_file(file, KEY_FILE, reason);
        let pem = read(file, KEY_FILE)?;
        let blocks = pem::parse_many(&pem).unwrap_or_default();
        let block = match blocks.iter().find(|block| block.tag().contains("PRIVATE")) {
            Some(block) => match block.tag() {
                "PRIVATE KEY" | "RSA PRIVATE KEY" => block,
                "EC PRIVATE KEY" => {
                    return Err(wrong(
                        "holds an old form of EC key; write it anew with: openssl pkcs8 -topk8 -nocrypt -in old.pem -out new.pem",
                    ));
                }
                _ => {
                    return Err(wrong(
                        "holds a key that is encrypted; decrypt it with: openssl pkcs8 -in old.pem -out new.pem",
                    ));
                }
            },
            None => {
                return Err(wrong(
                    "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
                ));
            }
        };
        let text = pem::encode(block);
        let text = text.as_bytes();
        let kinds = [
            (EncodingKey::from_rsa_pem(text), Algorithm::RS256),
            (EncodingKey::from_ec_pem(text), Algorithm::ES256),
            (EncodingKey::from_ec_pem(text), Algorithm::ES384),
            (EncodingKey::from_ed_pem(text), Algorithm::EdDSA),
        ];
        // Each parser accepts its own kind of key only, which tells the curves apart, and a broken key from a good one.
        let fits = kinds.into_iter().find_map(|(key, algorithm)| {
            let key = key.ok()?;
            sign(b"", &key, algorithm).ok().map(|_| (key, algorithm))
        });
        let (key, algorithm) = fits.ok_or_else(|| {
            wrong("holds a key that is not RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519")
        })?;
        Ok(Self {
            key,
            algorithm,
            demands: Demands::new(config),
        })
    }

    /// Makes a token.
    ///
    /// # Errors
    /// A server with these settings would not believe it, or the key does not sign.
    pub fn sign(&self, grant: &Grant) -> Result<String, TokenSetupError> {
        let now = SystemTime::now();
        let claims = self.claims(grant, now);
        // A token that the server would refuse later is better refused here, where the user reads the reason.
        Claims::read(
            Value::Object(claims.clone()).to_string().as_bytes(),
            b"",
            &self.demands,
            now,
        )
        .map_err(TokenSetupError::Grant)?;
        encode(&Header::new(self.algorithm), &claims, &self.key)
            .map_err(|error| TokenSetupError::Sign(error.to_string()))
    }

    fn claims(&self, grant: &Grant, now: SystemTime) -> Map<String, Value> {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut claims = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(key.to_owned(), value);
            }
        };
        let given = |text: &str| (!text.is_empty()).then(|| json!(text));
        set("sub", grant.user.as_ref().map(|user| json!(user)));
        set("name", grant.name.as_ref().map(|name| json!(name)));
        set("role", Some(json!(grant.role.as_str())));
        set("rooms", grant.rooms.as_ref().map(|rooms| json!(rooms)));
        set("projects", grant.projects.as_ref().map(|ids| json!(ids)));
        set("agents", grant.agents.as_ref().map(|ids| json!(ids)));
        set("iss", given(&self.demands.issuer));
        set("aud", given(&self.demands.audience));
        set("iat", Some(json!(since.as_secs())));
        let until = since.saturating_add(grant.ttl).as_secs();
        set("exp", Some(json!(until)));
        // `jti` lets a token be revoked by a name that is not the token.
        set("jti", Some(json!(Uuid::new_v4().to_string())));
        claims
    }
}
