//! The three parts of a JWT, before anything is believed.

use jsonwebtoken::{Header, decode_header};

use super::error::TokenError;

/// A JWT taken apart. Nothing in it is believed yet.
pub(super) struct Jwt<'t> {
    /// Chooses the key, and only among keys that fit.
    pub(super) header: Header,
    /// Header and claims as they came: the signed bytes.
    pub(super) signed: &'t str,
    /// The claims, still in base64url: they are decoded after verification only.
    pub(super) payload: &'t str,
    /// The signature, in base64url.
    pub(super) signature: &'t str,
}

impl<'t> Jwt<'t> {
    /// Takes a token apart.
    pub(super) fn read(token: &'t str) -> Result<Self, TokenError> {
        let mut parts = token.split('.');
        let (Some(first), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        if [first, payload, signature].contains(&"") && !is_unsigned(first, signature) {
            return Err(TokenError::Malformed);
        }
        // Keys that a header carries (jwk, jku, x5c, x5u) are never used.
        let header = decode_header(token).map_err(|_| TokenError::Header)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let signed = &token[..first.len() + 1 + payload.len()];
        Ok(Self {
            header,
            signed,
            payload,
            signature,
        })
    }
}

/// Whether the header says `alg: none`. Such a token is refused for its header, so that whoever forgot to sign it
/// learns why.
fn is_unsigned(header: &str, signature: &str) -> bool {
    !header.is_empty() && signature.is_empty()
}
