//! Keys that verify, and which of them may verify what.
//!
//! Each key knows its algorithms; the token's header only chooses among the keys. So no header can make the server
//! verify with a public key's bytes as an HMAC secret, nor the other way round.

use std::fmt;

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header,
    crypto::verify,
    jwk::{AlgorithmParameters, Jwk, KeyOperations, PublicKeyUse},
};
use thiserror::Error;

use crate::config::LEAST_SECRET;

/// The sizes of RSA moduli, in bytes. Below 2048 bits they can be factored; above 8192, verifying costs so much that it
/// is an attack.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The sizes of RSA exponents, in bytes: all in use have three, and a large one makes each verification slow.
const RSA_EXPONENT: std::ops::RangeInclusive<usize> = 1..=4;

/// The reason why a key can't verify. None of the sentences quotes the key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum KeyError {
    #[error("holds a private key; give the public one (openssl pkey -in private.pem -pubout)")]
    Private,
    #[error("holds a certificate; give its public key (openssl x509 -in cert.pem -pubkey -noout)")]
    Certificate,
    #[error("holds no key in PEM (-----BEGIN PUBLIC KEY-----)")]
    NoPem,
    #[error("holds a key that is not RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519")]
    Unsupported,
    #[error("has fewer than {LEAST_SECRET} bytes; make one with: openssl rand -base64 48")]
    Short,
    #[error("is not for verifying signatures")]
    OtherUse,
    #[error("is a shared secret, and whatever is published is none")]
    Published,
}

#[derive(Clone)]
pub(super) struct Key {
    decoding: DecodingKey,
    /// The algorithms that the key may verify: by its kind, and by its own `alg` if it has one.
    algorithms: Vec<Algorithm>,
    /// The `kid` by which a token names the key. It is only compared, never opened or looked up.
    kid: Option<String>,
}

/// Keys are not printed: they may be secret, and public ones are of no use in a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithms", &self.algorithms)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A secret for HS256, HS384 and HS512: 32 random bytes are as hard to guess with each of them.
    pub(super) fn hmac(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < LEAST_SECRET {
            return Err(KeyError::Short);
        }
        Ok(Self {
            decoding: DecodingKey::from_secret(secret),
            algorithms: AlgorithmFamily::Hmac.algorithms().to_vec(),
            kid: None,
        })
    }

    /// The public keys of a PEM file.
    pub(super) fn from_pem(text: &str) -> Result<Vec<Self>, KeyError> {
        let blocks = pem::parse_many(text).map_err(|_| KeyError::NoPem)?;
        if blocks.is_empty() {
            return Err(KeyError::NoPem);
        }
        blocks.iter().map(Self::from_block).collect()
    }

    fn from_block(block: &pem::Pem) -> Result<Self, KeyError> {
        match block.tag() {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
            "CERTIFICATE" => return Err(KeyError::Certificate),
            tag if tag.contains("PRIVATE") => return Err(KeyError::Private),
            _ => return Err(KeyError::NoPem),
        }
        let text = pem::encode(block);
        // The content decides the kind of key; each parser accepts its own kind only.
        let decoding = if block.tag() == "RSA PUBLIC KEY" {
            DecodingKey::from_rsa_pem(text.as_bytes())
        } else {
            DecodingKey::from_rsa_pem(text.as_bytes())
                .or_else(|_| DecodingKey::from_ec_pem(text.as_bytes()))
                .or_else(|_| DecodingKey::from_ed_pem(text.as_bytes()))
        };
        let decoding = decoding.map_err(|_| KeyError::Unsupported)?;
        Ok(Self {
            algorithms: usable(&decoding)?,
            decoding,
            kid: None,
        })
    }

    /// A key as a provider publishes it.
    pub(super) fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
            return Err(KeyError::Published);
        }
        let common = &jwk.common;
        let signs = |used: &PublicKeyUse| *used == PublicKeyUse::Signature;
        let verifies = |ops: &Vec<KeyOperations>| ops.contains(&KeyOperations::Verify);
        if !common.public_key_use.as_ref().is_none_or(signs)
            || !common.key_operations.as_ref().is_none_or(verifies)
        {
            return Err(KeyError::OtherUse);
        }
        let decoding = DecodingKey::from_jwk(jwk).map_err(|_| KeyError::Unsupported)?;
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => usable_rsa(&rsa.n, &rsa.e)?,
            _ => usable(&decoding)?,
        };
        if let Some(only) = common.key_algorithm {
            let only = Algorithm::try_from(only).map_err(|_| KeyError::OtherUse)?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if algorithms.is_empty() {
            return Err(KeyError::Unsupported);
        }
        Ok(Self {
            decoding,
            algorithms,
            kid: common.key_id.clone(),
        })
    }
}

/// The algorithms that a public key can verify. The key is parsed here once, so that a broken one is found at the start
/// and not with each token.
fn usable(key: &DecodingKey) -> Result<Vec<Algorithm>, KeyError> {
    let parses = |algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]| {
        ParsedPublicKey::new(algorithm, bytes).is_ok()
    };
    let bytes = key.try_get_as_bytes().map_err(|_| KeyError::Unsupported)?;
    match key.family() {
        AlgorithmFamily::Rsa if parses(&RSA_PKCS1_2048_8192_SHA256, bytes) => {
            Ok(AlgorithmFamily::Rsa.algorithms().to_vec())
        }
        AlgorithmFamily::Ec if parses(&ECDSA_P256_SHA256_FIXED, bytes) => {
            Ok(vec![Algorithm::ES256])
        }
        AlgorithmFamily::Ec if parses(&ECDSA_P384_SHA384_FIXED, bytes) => {
            Ok(vec![Algorithm::ES384])
        }
        AlgorithmFamily::Ed
            if bytes.len() == signature::ED25519_PUBLIC_KEY_LEN && parses(&ED25519, bytes) =>
        {
            Ok(vec![Algorithm::EdDSA])
        }
        _ => Err(KeyError::Unsupported),
    }
}

/// The same for an RSA key given as two numbers in base64url.
fn usable_rsa(modulus: &str, exponent: &str) -> Result<Vec<Algorithm>, KeyError> {
    let bytes = |number: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(number).unwrap_or_default();
        let leading = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.len() - leading
    };
    if RSA_BYTES.contains(&bytes(modulus)) && RSA_EXPONENT.contains(&bytes(exponent)) {
        Ok(AlgorithmFamily::Rsa.algorithms().to_vec())
    } else {
        Err(KeyError::Unsupported)
    }
}

/// The outcome of verifying a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One of the keys made the signature.
    Right,
    /// Some keys could have made the signature, and none did.
    Wrong,
    /// No key fits such a token.
    NoKey,
    /// The key may be one that is not fetched yet.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a key has this `kid`.
    pub(super) fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Tries a signature with the keys that fit. A `kid` chooses the keys of that name, else those without a name.
    /// Without a `kid` all keys are tried. `signed` is header and claims as they came.
    pub(super) fn verify(&self, header: &Header, signed: &str, signature: &str) -> Verdict {
        let kid = header.kid.as_deref();
        let named = kid.is_some_and(|kid| self.has(kid));
        let mut verdict = Verdict::NoKey;
        for key in &self.0 {
            let meant = match (kid, key.kid.as_deref()) {
                (None, _) => true,
                (Some(_), None) => !named,
                (Some(kid), Some(own)) => kid == own,
            };
            if !meant || !key.algorithms.contains(&header.alg) {
                continue;
            }
            match verify(signature, signed.as_bytes(), &key.decoding, header.alg) {
                Ok(true) => return Verdict::Right,
                _ => verdict = Verdict::Wrong,
            }
        }
        verdict
    }
}
