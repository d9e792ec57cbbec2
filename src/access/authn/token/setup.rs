//! Reads keys and files of the settings, and says what is wrong with them.

use std::{fs::File, io::Read, path::Path};

use thiserror::Error;

use super::error::TokenError;
use crate::config::{Authentication, short_secret, weak_secret};

/// Bytes of a key's file; the largest keys there are have a tenth of that.
const MAX_FILE: u64 = 64 * 1024;

/// The reason why these settings can't verify or make tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenSetupError {
    /// A key of the settings has a wrong value.
    #[error("[authentication] {key} {reason}")]
    Key {
        /// The key's name.
        key: &'static str,
        /// The fault, and what to do.
        reason: String,
    },
    /// A file that a key of the settings, or an option, names can't be used.
    #[error("{file} ({key}) {reason}")]
    File {
        /// The file, as it was named.
        file: String,
        /// The key of the settings, or the option, that names it.
        key: &'static str,
        /// The fault, and what to do.
        reason: String,
    },
    /// There is no key to sign with.
    #[error(
        "there is no secret to sign with: set STOA_AUTHENTICATION__SECRET (or [authentication] secret or secret_file) to at least 32 random bytes, as from `openssl rand -base64 48`, or give --key-file"
    )]
    NoSecret,
    /// The system's source of randomness failed.
    #[error("the system gives no random bytes")]
    NoRandom,
    /// The server would refuse the token that was asked for.
    #[error("such a token would not be believed: {0}")]
    Grant(TokenError),
    /// The library could not sign.
    #[error("the key can't sign: {0}")]
    Sign(String),
}

/// The key that names the file of a secret.
pub(super) const SECRET_FILE: &str = "[authentication] secret_file";

/// The HMAC secrets of the settings; the first one signs.
pub(super) fn secrets(config: &Authentication) -> Result<Vec<Vec<u8>>, TokenSetupError> {
    let own = secret(config)?;
    let file = &config.secret_file;
    let in_file = match file.as_os_str().is_empty() {
        true => None,
        false => Some(secret_of(file, read(file, SECRET_FILE)?)?),
    };
    Ok(own.into_iter().chain(in_file).collect())
}

/// The secret that stands in the settings themselves.
pub(super) fn secret(config: &Authentication) -> Result<Option<Vec<u8>>, TokenSetupError> {
    let secret = config.secret.as_bytes();
    if let Some(reason) = short_secret(secret) {
        return Err(TokenSetupError::Key {
            key: "secret",
            reason,
        });
    }
    Ok((!secret.is_empty()).then(|| secret.to_vec()))
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The secret that a file holds.
pub(super) fn secret_of(file: &Path, mut secret: Vec<u8>) -> Result<Vec<u8>, TokenSetupError> {
    // Some editors begin a file with a byte order mark; they and `echo` end it with a line end. Neither is part of the
    // secret.
    if secret.starts_with(BYTE_ORDER_MARK) {
        secret.drain(..BYTE_ORDER_MARK.len());
    }
    while secret.last().is_some_and(u8::is_ascii_whitespace) {
        secret.pop();
    }
    if secret.is_empty() {
        let reason = "is empty; write a secret into it";
        return Err(in_file(file, SECRET_FILE, reason));
    }
    match short_secret(&secret) {
        Some(reason) => Err(in_file(file, SECRET_FILE, reason)),
        None => Ok(secret),
    }
}

/// A warning about a file with a short secret, where short secrets are accepted.
pub fn weak_secret_file(config: &Authentication) -> Option<String> {
    let file = &config.secret_file;
    let secret = read(file, SECRET_FILE).and_then(|bytes| secret_of(file, bytes));
    let weak = weak_secret(&secret.ok()?)?;
    Some(format!("{} ({SECRET_FILE}) {weak}", file.display()))
}

/// A key's file, whole.
pub(super) fn read(file: &Path, key: &'static str) -> Result<Vec<u8>, TokenSetupError> {
    let wrong = |error: std::io::Error| in_file(file, key, format!("can't be read: {error}"));
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(wrong)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(wrong)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(in_file(file, key, "is too large for a key"));
    }
    Ok(bytes)
}

pub(super) fn in_file(
    file: &Path,
    key: &'static str,
    reason: impl Into<String>,
) -> TokenSetupError {
    TokenSetupError::File {
        file: file.display().to_string(),
        key,
        reason: reason.into(),
    }
}
