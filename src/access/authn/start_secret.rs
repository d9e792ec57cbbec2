//! The secret of a start: its holder is an admin while nobody is asked for a token.
//!
//! Without tokens any client, a web page too, can call itself anything. Only the person who started the server can read
//! its log, so a secret printed there tells that person from a page (as Jupyter does).

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};

use super::{NewApiKey, TokenSetupError};
use crate::config::Authentication;

/// The secret that one start of the server accepts as an admin's token.
#[derive(Clone)]
pub struct StartSecret {
    text: String,
    /// The settings don't name the secret, so the log must print it.
    minted: bool,
}

/// The secret is printed once, on purpose, and never by `{:?}`.
impl fmt::Debug for StartSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartSecret")
            .field("minted", &self.minted)
            .finish_non_exhaustive()
    }
}

impl StartSecret {
    /// The secret of the settings, else a new one; none where tokens are required.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn of(config: &Authentication) -> Result<Option<Self>, TokenSetupError> {
        if config.required {
            return Ok(None);
        }
        let named = &config.start_secret;
        Ok(Some(if named.is_empty() {
            // The form of an API key: it can't be mistaken for a name, and programs that look for leaked keys find it.
            Self {
                text: NewApiKey::make()?.key,
                minted: true,
            }
        } else {
            Self {
                text: named.to_string(),
                minted: false,
            }
        }))
    }

    /// Whether a token is the secret, compared in constant time.
    pub fn is(&self, token: &str) -> bool {
        let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
        verify_slices_are_equal(hash(&self.text).as_ref(), hash(token).as_ref()).is_ok()
    }

    /// The secret, for the one who starts the server.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether the server made the secret up, so that it must be printed.
    pub fn is_minted(&self) -> bool {
        self.minted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_has_its_own_unless_one_is_named_and_none_where_tokens_are_required() {
        let mut config = Authentication::default();
        let made = || {
            StartSecret::of(&Authentication::default())
                .unwrap()
                .unwrap()
        };
        let (one, other) = (made(), made());
        assert!(one.is(one.reveal()) && !one.is(other.reveal()) && !one.is(""));
        assert!(one.is_minted() && one.reveal().len() > 40);
        assert!(!format!("{one:?}").contains(one.reveal()));
        config.start_secret = "0123456789abcdef".into();
        let named = StartSecret::of(&config).unwrap().unwrap();
        assert!(named.is("0123456789abcdef") && !named.is_minted());
        config.required = true;
        assert!(StartSecret::of(&config).unwrap().is_none());
    }
}
