//! Identity: credentials, tokens and what they claim.

mod credential;
mod page;
mod start_secret;
mod token;
mod ui_login;
mod ui_queue;
pub use credential::Credential;
pub use page::PageOrigin;
pub use start_secret::StartSecret;
pub use token::{
    Claims, Grant, JwksState, KeyFile, NewApiKey, Signer, TokenError, TokenId, TokenSetupError,
    Tokens, can_be_user, weak_secret_file,
};
pub use ui_login::{INVALID_CREDENTIALS, UiLogins, UiSession};
