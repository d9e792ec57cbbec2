//! `[admin_ui]`: the login of Socket.IO's own Admin UI.

use bcrypt::HashParts;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    invalid::Invalid,
    numbers::{Count, Seconds},
    secret::Secret,
};

/// The dearest password hash that is taken: a try of it takes about two seconds of a processor.
const MAX_COST: u32 = 15;

/// `[admin_ui]`: the login of Socket.IO's own Admin UI at `/admin`.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminUi {
    /// The user who may log in; empty for nobody.
    pub username: String,
    /// The bcrypt hash of the password.
    pub password_bcrypt: Secret,
    /// The details that the UI is shown.
    #[default(AdminUiMode::Production)]
    pub mode: AdminUiMode,
    /// Whether the UI can only look.
    pub readonly: bool,
    /// Seconds for which a login lasts.
    pub session_timeout: Seconds<86_400_000, 1_000>,
    /// Logins that are remembered; the oldest one ends first.
    pub max_sessions: Count<64, 1, 65_536>,
    /// Passwords that one address may try in a minute.
    pub attempts_per_minute: Count<10, 1, 1_000>,
    /// Sockets that are shown one by one in development mode.
    pub max_sockets: Count<500, 1, 10_000>,
}

/// The details that the UI is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminUiMode {
    /// Sums of the whole server.
    Production,
    /// Single sockets and rooms, too.
    Development,
}

impl AdminUi {
    /// Whether anybody can log in.
    pub fn is_on(&self) -> bool {
        !self.username.is_empty()
    }

    /// The first key whose value can't be used.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        let wrong = |key, message: String| Some(Invalid::new("admin_ui", key, message));
        match (self.is_on(), self.password_bcrypt.is_empty()) {
            (false, true) => return None,
            (true, true) => {
                return wrong(
                    "password_bcrypt",
                    "is missing: give the bcrypt hash of the password (htpasswd -bnBC 10 '' PASSWORD)".into(),
                );
            }
            (false, false) => {
                return wrong(
                    "username",
                    "is missing: the password is that of a user".into(),
                );
            }
            (true, false) => {}
        }
        match self.password_bcrypt.parse::<HashParts>() {
            Err(_) => wrong(
                "password_bcrypt",
                "is no bcrypt hash: it looks like $2b$10$ and 53 characters (htpasswd -bnBC 10 '' PASSWORD)".into(),
            ),
            Ok(parts) if parts.get_cost() > MAX_COST => wrong(
                "password_bcrypt",
                format!(
                    "has the cost {}: each try would take seconds of a processor; {MAX_COST} is the most",
                    parts.get_cost()
                ),
            ),
            Ok(_) => None,
        }
    }
}
