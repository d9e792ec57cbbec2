//! What an admin's act is about, read from JSON.

use std::net::IpAddr;

use serde_json::Value;

use crate::{
    access::{Credential, Revoked, Who},
    refusal::Refusal,
};

/// The argument of an act: an object, or nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument<'a>(pub(super) &'a Value);

/// Longest name that is looked for.
const MAX_TEXT: usize = 256;

impl<'a> Argument<'a> {
    /// A text field.
    pub(super) fn text(self, key: &str) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_TEXT => Ok(Some(text)),
            Some(_) => Err(Refusal::bad_request(format!(
                "{key} must be a string of at most {MAX_TEXT} characters"
            ))),
        }
    }

    pub(super) fn needed(self, key: &str) -> Result<&'a str, Refusal> {
        self.text(key)?
            .ok_or_else(|| Refusal::bad_request(format!("{key} is missing")))
    }

    /// A whole number; over HTTP it may stand in the query, and so be text.
    pub(super) fn number(self, key: &str) -> Result<Option<u64>, Refusal> {
        let wrong = || Refusal::bad_request(format!("{key} must be a whole number"));
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong()),
            Some(value) => value.as_u64().map(Some).ok_or_else(wrong),
        }
    }

    pub(super) fn address(self, key: &str) -> Result<Option<IpAddr>, Refusal> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let address = text.parse();
        address
            .map(Some)
            .map_err(|_| Refusal::bad_request(format!("{key} is not an IP address")))
    }

    /// Whom a ban is about.
    pub(super) fn who(self) -> Result<Who, Refusal> {
        match (self.text("user")?, self.address("address")?) {
            (Some(user), None) => Ok(Who::User(user.to_owned())),
            (None, Some(address)) => Ok(Who::Address(address)),
            _ => Err(Refusal::bad_request(
                "name either a user or an address: {\"user\": \"u1\"}",
            )),
        }
    }

    /// Which tokens are revoked, by name.
    pub(super) fn revoked(self) -> Result<Revoked, Refusal> {
        match (self.text("user")?, self.text("token_id")?) {
            (Some(user), None) => Ok(Revoked::User(user.to_owned())),
            (None, Some(id)) => Ok(Revoked::Token(id.to_owned())),
            _ => Err(Refusal::bad_request(
                "name one of user, token_id (as list_connections shows it) and token",
            )),
        }
    }

    /// The token itself that is to be revoked.
    pub(super) fn token(self) -> Result<Option<Credential>, Refusal> {
        match self.0.get("token") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(token)) => Ok(Some(Credential::new(token.as_str()))),
            Some(_) => Err(Refusal::bad_request("token must be a string")),
        }
    }

    /// Without the token itself.
    pub(super) fn for_log(self) -> Value {
        let mut shown = self.0.clone();
        if let Some(token) = shown.get_mut("token") {
            *token = "(hidden)".into();
        }
        shown
    }
}
