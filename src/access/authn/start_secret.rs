//! The secret of a start: its holder is an admin while nobody is asked for a token.
//!
//! Without tokens anybody can call itself anything, a web page too. The log of the start is read by whoever started the
//! server and by no page; so what it says there tells the two apart (as Jupyter does).

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};

use super::{NewApiKey, TokenSetupError};
use crate::config::Authentication;

/// The secret, and whether the settings name it.
#[derive(Clone)]
pub struct StartSecret {
    /// Shown as a token.
    text: String,
    /// The settings don't name it, so nobody knows it unless the log says it.
    minted: bool,
}

/// The secret is shown once, on purpose, and not by whoever prints a struct.
impl fmt::Debug for StartSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartSecret")
            .field("minted", &self.minted)
            .finish_non_exhaustive()
    }
}

impl StartSecret {
    /// The one of the settings, else a new one; none where tokens are required.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn of(config: &Authentication) -> Result<Option<Self>, TokenSetupError> {
        if config.required {
            return Ok(None);
        }
        let named = &config.start_secret;
        Ok(Some(if named.is_empty() {
            // In the form of an API key: it is told from a name, and programs that look for leaked keys find it.
            Self {
                text: NewApiKey::make()?.key,
                minted: true,
            }
        } else {
            Self {
                text: named.clone(),
                minted: false,
            }
        }))
    }

    /// Whether a token is the secret. How long that takes says nothing of either.
    pub fn is(&self, token: &str) -> bool {
        let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
        verify_slices_are_equal(hash(&self.text).as_ref(), hash(token).as_ref()).is_ok()
    }

    /// The secret, for the one who starts the server.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether nobody knows it yet.
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
