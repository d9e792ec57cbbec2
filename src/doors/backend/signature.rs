//! The signature of a call, which both sides can make.
//!
//! The signature is the HMAC-SHA256 of `{Stoa-Timestamp}.{body}` with the shared secret. The timestamp is that of the try, so that an
//! old call can be refused.

use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;

use crate::timestamp::Timestamp;

/// The header with the time of a call, in seconds since 1970.
pub(crate) const TIMESTAMP: &str = "stoa-timestamp";
/// The header with the signature.
pub(crate) const SIGNATURE: &str = "stoa-signature";
/// The version of signatures that Stoa makes and reads.
const VERSION: &str = "v1=";
/// The most that the clocks of the two sides may differ, and the longest time for which a signed request counts.
const MAX_AGE: Duration = Duration::from_secs(300);

/// The shared secret, ready for use.
#[derive(Clone)]
pub(crate) struct SigningKey(hmac::Key);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The values of both headers for a body that is sent now.
    pub(super) fn sign(&self, body: &[u8]) -> (String, String) {
        let now = seconds().to_string();
        let mut context = self.begin(&now);
        context.update(body);
        let signed = context.sign();
        (
            now,
            format!("{VERSION}{}", HEXLOWER.encode(signed.as_ref())),
        )
    }

    /// Checks the signature of a request.
    ///
    /// # Errors
    /// A sentence about the fault.
    pub(crate) fn check(
        &self,
        timestamp: &str,
        signature: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let time: i64 = timestamp
            .parse()
            .map_err(|_| "Stoa-Timestamp must be the seconds since 1970".to_owned())?;
        let age = seconds().abs_diff(time);
        if age > MAX_AGE.as_secs() {
            return Err(format!(
                "Stoa-Timestamp is {age} s from this server's time, and at most {} s are allowed: set the clocks, and sign each \
                 request anew",
                MAX_AGE.as_secs()
            ));
        }
        let wrong = || {
            "Stoa-Signature must be v1= and the HMAC-SHA256 in hexadecimal of Stoa-Timestamp, a dot and the body, with [backend] \
             secret"
                .to_owned()
        };
        let hex = signature.strip_prefix(VERSION).ok_or_else(wrong)?;
        let tag = HEXLOWER.decode(hex.as_bytes()).map_err(|_| wrong())?;
        let mut signed = Vec::with_capacity(timestamp.len() + 1 + body.len());
        signed.extend_from_slice(timestamp.as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(body);
        hmac::verify(&self.0, &signed, &tag).map_err(|_| wrong())
    }

    fn begin(&self, timestamp: &str) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(timestamp.as_bytes());
        context.update(b".");
        context
    }
}

fn seconds() -> i64 {
    Timestamp::now().as_micros() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_body_its_time_and_its_secret() {
        let key = SigningKey::new(b"a secret that both sides know, of 32+");
        let (time, signature) = key.sign(b"{}");
        assert_eq!(key.check(&time, &signature, b"{}"), Ok(()));
        assert!(key.check(&time, &signature, b"{ }").is_err());
        assert!(key.check(&time, &signature[3..], b"{}").is_err());
        let later = (seconds() + 1).to_string();
        assert!(key.check(&later, &signature, b"{}").is_err());
        let old = (seconds() - 301).to_string();
        assert!(key.check(&old, &signature, b"{}").is_err());
        assert!(
            SigningKey::new(b"another secret")
                .check(&time, &signature, b"{}")
                .is_err()
        );
    }
}
