//! Keys made anew for each run, and tokens signed with them in every right and wrong way.

mod any;
mod claims;
mod forged;
mod good;
mod provider;
mod published;
mod setup;

use std::{
    io::Write,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair,
    },
};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use pem::Pem;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::*;
use crate::config::Role;

/// 32 bytes, as few as a secret should have.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A pair of keys, in the forms that files have.
struct Pair {
    /// The key that signs.
    private_pem: String,
    /// The key that a server is given.
    public_pem: String,
    /// SubjectPublicKeyInfo, which a careless verifier might take for an HMAC secret.
    public_der: Vec<u8>,
}

impl Pair {
    fn new(private: &[u8], public: &[u8]) -> Self {
        Self {
            private_pem: pem::encode(&Pem::new("PRIVATE KEY", private)),
            public_pem: pem::encode(&Pem::new("PUBLIC KEY", public)),
            public_der: public.to_vec(),
        }
    }

    fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("makes a key");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("private");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("public");
        Self::new(private.as_ref(), public.as_ref())
    }

    fn ec(curve: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(curve).expect("makes a key");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("public");
        let private = pair.to_pkcs8v1().expect("private");
        Self::new(private.as_ref(), public.as_ref())
    }

    fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    fn ed() -> Self {
        let pair = Ed25519KeyPair::generate().expect("makes a key");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("public");
        let private = pair.to_pkcs8v1().expect("private");
        Self::new(private.as_ref(), public.as_ref())
    }

    fn signing(&self) -> EncodingKey {
        let text = self.private_pem.as_bytes();
        EncodingKey::from_rsa_pem(text)
            .or_else(|_| EncodingKey::from_ec_pem(text))
            .or_else(|_| EncodingKey::from_ed_pem(text))
            .expect("a private key")
    }
}

static RSA: LazyLock<Pair> = LazyLock::new(Pair::rsa);
static P256: LazyLock<Pair> = LazyLock::new(Pair::p256);
static P384: LazyLock<Pair> = LazyLock::new(|| Pair::ec(&ECDSA_P384_SHA384_FIXED_SIGNING));
static ED: LazyLock<Pair> = LazyLock::new(Pair::ed);

fn secret() -> EncodingKey {
    EncodingKey::from_secret(SECRET.as_bytes())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// Claims that are fine as they are, with changes; `null` takes one out.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "sub": "ann", "exp": now() + 600 });
    let object = claims.as_object_mut().expect("object");
    if let Value::Object(changes) = changes {
        object.extend(changes);
    }
    object.retain(|_, value| !value.is_null());
    claims
}

fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with exactly this header and these claims, signed by `key` as `algorithm` does, whatever the header says.
fn made(header: &Value, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signed = format!(
        "{}.{}",
        part(header.to_string().as_bytes()),
        part(claims.as_bytes())
    );
    let signature = sign(signed.as_bytes(), key, algorithm).expect("signs");
    format!("{signed}.{signature}")
}

/// The same with a header that says how it was signed.
fn signed(claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let header = json!({ "alg": format!("{algorithm:?}"), "typ": "JWT" });
    made(&header, &claims.to_string(), key, algorithm)
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("file");
    file.write_all(text.as_bytes()).expect("writes");
    file
}

/// A server's keys: the secret and all four public keys.
fn tokens() -> Tokens {
    let keys = [&*RSA, &*P256, &*P384, &*ED].map(|pair| pair.public_pem.as_str());
    let file = file(&keys.concat());
    let config = Authentication {
        secret: SECRET.into(),
        public_key_file: file.path().into(),
        ..Authentication::default()
    };
    Tokens::new(&config).expect("keys")
}

/// The outcome for a token when nothing need be fetched.
fn examine(tokens: &Tokens, token: &str) -> Result<Claims, TokenError> {
    tokens
        .examine(token)
        .now_or_never()
        .expect("nothing to wait for")
}
