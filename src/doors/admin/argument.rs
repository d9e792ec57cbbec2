//! What an admin's act is about, read from JSON.
//!
//! It is read strictly: a key that nobody knows is most likely one that somebody mistyped, and a ban whose `second` is
//! passed over is a ban for good.

use std::net::IpAddr;

use serde_json::Value;

use crate::{
    access::{
        authn::{Credential, can_be_user},
        authz::{Revoked, Who},
    },
    error::Error,
    event::Object,
};

/// The argument of an act: an object, or nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument<'a>(pub(super) &'a Value);

/// Longest name that is looked for.
const MAX_TEXT: usize = 256;
/// Longest key that is quoted when it is refused.
const MAX_KEY: usize = 32;
/// Says that a ban may be about whoever makes it.
pub(super) const INCLUDE_SELF: &str = "include_self";
/// How tokens are named.
const ONE_OF: &str = "name one of user, token_id (as list_connections shows it) and token";
/// What acts are about, and may be written down.
const SHOWN: [&str; 7] = [
    "client_id",
    "user",
    "address",
    "token_id",
    "seconds",
    "reason",
    INCLUDE_SELF,
];
/// What stands for what isn't.
const HIDDEN: &str = "(hidden)";

impl<'a> Argument<'a> {
    /// Refuses what an act doesn't know.
    ///
    /// # Errors
    /// It is neither an object nor nothing, or has another key than these.
    pub(super) fn only(self, keys: &[&str]) -> Result<(), Error> {
        let allowed = match keys {
            [] => "none are known".to_owned(),
            keys => format!("known are {}", keys.join(", ")),
        };
        let fields = match self.0 {
            Value::Null => return Ok(()),
            Value::Object(fields) => fields,
            _ => {
                return Err(Error::bad_request(format!(
                    "an object with keys is expected; {allowed}"
                )));
            }
        };
        let unknown = fields.keys().find(|key| !keys.contains(&key.as_str()));
        unknown.map_or(Ok(()), |key| {
            Err(Error::bad_request(format!(
                "there is no key {} here; {allowed}",
                quotable(key)
            )))
        })
    }

    /// A yes or no.
    pub(super) fn flag(self, key: &str) -> Result<bool, Error> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::bad_request(format!("{key} must be true or false"))),
        }
    }

    /// A text field.
    pub(super) fn text(self, key: &str) -> Result<Option<&'a str>, Error> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            // It would be kept and listed as a name, and would not even be revoked by that.
            Some(Value::String(text)) if Credential::reads_like_one(text) => {
                Err(Error::bad_request(format!(
                    "{key} holds a token; a token itself is given as `token`, its id (as list_connections shows it) as `token_id`"
                )))
            }
            Some(Value::String(text)) if text.len() <= MAX_TEXT => Ok(Some(text)),
            Some(_) => Err(Error::bad_request(format!(
                "{key} must be a string of at most {MAX_TEXT} characters"
            ))),
        }
    }

    pub(super) fn needed(self, key: &str) -> Result<&'a str, Error> {
        self.text(key)?
            .ok_or_else(|| Error::bad_request(format!("{key} is missing")))
    }

    /// A whole number; over HTTP it may stand in the query, and so be text.
    pub(super) fn number(self, key: &str) -> Result<Option<u64>, Error> {
        let wrong = || Error::bad_request(format!("{key} must be a whole number"));
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong()),
            Some(value) => value.as_u64().map(Some).ok_or_else(wrong),
        }
    }

    pub(super) fn address(self, key: &str) -> Result<Option<IpAddr>, Error> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        // As connections are listed: an IPv4 address written as an IPv6 one would be that of nobody.
        let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
        address
            .map(Some)
            .map_err(|_| Error::bad_request(format!("{key} is not an IP address")))
    }

    /// Whom a ban is about. A token is banned only for too many messages: an admin revokes it.
    pub(super) fn who(self) -> Result<Who, Error> {
        let (user, address) = (self.text("user")?, self.address("address")?);
        match (user, address, self.text("token_id")?) {
            (Some(user), None, None) => Ok(Who::User(user.to_owned())),
            (None, Some(address), None) => Ok(Who::Address(address)),
            (None, None, Some(token)) => Ok(Who::Token(token.to_owned())),
            _ => Err(Error::bad_request(
                "name either a user or an address: {\"user\": \"u1\"}",
            )),
        }
    }

    /// Refuses to keep out a user or a token that can't be: the one that was meant would come in as before.
    pub(super) fn names_somebody(self) -> Result<(), Error> {
        if let Some(user) = self.text("user")?
            && !can_be_user(user)
        {
            return Err(Error::bad_request(
                "no token can name this user, so nobody would be kept out: a user is 1 to 128 of A-Z a-z 0-9 _ . : @ | + = -, \
                 without white space around it; see list_connections",
            ));
        }
        match self.text("token_id")? {
            Some("") => Err(Error::bad_request(
                "token_id is empty: it is as list_connections shows it",
            )),
            _ => Ok(()),
        }
    }

    /// Which tokens are revoked, by name.
    pub(super) fn revoked(self) -> Result<Revoked, Error> {
        match (self.text("user")?, self.text("token_id")?) {
            (Some(user), None) => Ok(Revoked::User(user.to_owned())),
            (None, Some(id)) => Ok(Revoked::Token(id.to_owned())),
            _ => Err(Error::bad_request(ONE_OF)),
        }
    }

    /// The token itself that is to be revoked.
    pub(super) fn token(self) -> Result<Option<Credential>, Error> {
        match self.0.get("token") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(_)) if self.text("user")?.or(self.text("token_id")?).is_some() => {
                Err(Error::bad_request(ONE_OF))
            }
            Some(Value::String(token)) => Ok(Some(Credential::new(token.as_str()))),
            Some(_) => Err(Error::bad_request("token must be a string")),
        }
    }

    /// What of it may be written down: the names and numbers that acts are about. A token is none of them, wherever
    /// somebody put it.
    pub(super) fn for_log(self) -> Value {
        let Value::Object(fields) = self.0 else {
            return if self.0.is_null() {
                Value::Null
            } else {
                HIDDEN.into()
            };
        };
        let mut shown = Object::new();
        for key in SHOWN {
            match fields.get(key) {
                None => {}
                Some(Value::String(text)) if !is_name(text) => {
                    shown.insert(key.into(), HIDDEN.into());
                }
                Some(Value::Array(_) | Value::Object(_)) => {
                    shown.insert(key.into(), HIDDEN.into());
                }
                Some(value) => {
                    shown.insert(key.into(), value.clone());
                }
            }
        }
        if fields.keys().any(|key| !SHOWN.contains(&key.as_str())) {
            shown.insert("…".into(), HIDDEN.into());
        }
        Value::Object(shown)
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_TEXT && !Credential::reads_like_one(text)
}

/// A key as it was written, unless it may be anything but one: refusals are shown and written down.
fn quotable(key: &str) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let is_key = (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(plain) && is_name(key);
    if is_key { key } else { HIDDEN }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln";

    #[test]
    fn a_token_in_a_names_place_is_refused_and_not_written_down() {
        for key in ["user", "token_id", "client_id", "reason"] {
            let argument = json!({ key: TOKEN });
            let refusal = Argument(&argument).text(key).expect_err("no name");
            assert!(refusal.message.starts_with(key), "{refusal}");
            assert!(!refusal.message.contains(TOKEN), "{refusal}");
        }
        for argument in [
            json!({ "user": TOKEN }),
            json!({ "jwt": TOKEN }),
            json!({ TOKEN: 1 }),
            json!({ "token": TOKEN }),
            json!({ "user": [TOKEN] }),
            json!([TOKEN]),
            json!(TOKEN),
        ] {
            let shown = Argument(&argument).for_log().to_string();
            assert!(!shown.contains(TOKEN) && shown.contains(HIDDEN), "{shown}");
        }
    }

    #[test]
    fn a_key_that_nobody_knows_is_named_with_those_that_are_known() {
        let keys = ["user", "seconds"];
        for argument in [
            Value::Null,
            json!({}),
            json!({ "user": "ann", "seconds": 1 }),
        ] {
            assert_eq!(Argument(&argument).only(&keys), Ok(()), "{argument}");
        }
        let refused = |argument: Value| {
            let refusal = Argument(&argument).only(&keys).expect_err("refused");
            assert_eq!(refusal.code, "bad_request");
            assert!(refusal.message.contains("user, seconds"), "{refusal}");
            refusal.message
        };
        assert!(refused(json!({ "user": "ann", "second": 1 })).contains("key second "));
        for odd in [TOKEN, "with space", "", &"k".repeat(33), "é", "a\nb"] {
            let message = refused(json!({ odd: 1 }));
            assert!(message.contains(HIDDEN), "{message}");
            assert!(odd.is_empty() || !message.contains(odd), "{message}");
        }
        for shape in [json!([]), json!("ann"), json!(true)] {
            refused(shape);
        }
    }

    #[test]
    fn an_address_is_the_one_that_connections_are_listed_by() {
        let argument = json!({ "address": "::ffff:10.0.0.7" });
        let address = Argument(&argument).address("address").expect("an address");
        assert_eq!(address, "10.0.0.7".parse().ok());
    }

    #[test]
    fn names_are_written_down() {
        let argument = json!({ "user": "ann", "seconds": 60, "reason": "noise" });
        assert_eq!(Argument(&argument).for_log(), argument);
        assert_eq!(Argument(&Value::Null).for_log(), Value::Null);
    }
}
