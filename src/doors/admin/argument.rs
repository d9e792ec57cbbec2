//! The argument of an admin's act, read from JSON.
//!
//! It is read strictly: an unknown key is most likely a typing error, and a ban whose `second` is ignored would last
//! for ever.

use std::{net::IpAddr, time::Duration};

use serde_json::Value;

use crate::{
    access::authn::{Credential, can_be_user},
    decision::{Revoked, Who},
    error::Error,
    event::Object,
};

/// The argument of an act: an object, or absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument<'a>(pub(super) &'a Value);

/// The longest time over which clients are sent elsewhere.
const MAX_SECONDS: u64 = 86_400;
/// The longest name that is searched for.
const MAX_TEXT: usize = 256;
/// The longest key that a refusal quotes.
const MAX_KEY: usize = 32;
/// The key that allows a ban which hits its own maker.
pub(super) const INCLUDE_SELF: &str = "include_self";
/// The refusal of an argument that names no token.
const ONE_OF: &str = "name one of user, token_id (as list_connections shows it) and token";
/// The keys that the audit log may show.
const SHOWN: [&str; 11] = [
    "client_id",
    "namespace",
    "room",
    "user",
    "address",
    "token_id",
    "seconds",
    "reason",
    "part",
    "stop",
    INCLUDE_SELF,
];
/// The text in place of a value that the log must not show.
const HIDDEN: &str = "(hidden)";

impl<'a> Argument<'a> {
    /// Refuses unknown keys.
    ///
    /// # Errors
    /// The argument is not an object, or has a key that isn't in `keys`.
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
            // A token in this place would be kept and listed as a name, and would not even be revoked by it.
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

    /// A whole number. It may be text, since over HTTP it may stand in the query.
    pub(super) fn number(self, key: &str) -> Result<Option<u64>, Error> {
        let wrong = || Error::bad_request(format!("{key} must be a whole number"));
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong()),
            Some(value) => value.as_u64().map(Some).ok_or_else(wrong),
        }
    }

    /// A time, over which something is spread.
    pub(super) fn time(self) -> Result<Option<Duration>, Error> {
        let seconds = self.number("seconds")?;
        if seconds.is_some_and(|seconds| seconds > MAX_SECONDS) {
            return Err(Error::bad_request(format!(
                "seconds must be at most {MAX_SECONDS}, a day"
            )));
        }
        Ok(seconds.map(Duration::from_secs))
    }

    pub(super) fn address(self, key: &str) -> Result<Option<IpAddr>, Error> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        // Connections are listed in this form: an IPv4 address written as an IPv6 one would match none.
        let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
        address
            .map(Some)
            .map_err(|_| Error::bad_request(format!("{key} is not an IP address")))
    }

    /// The subject of a ban. Admins revoke tokens; a token is banned only for too many messages.
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

    /// Refuses a user or a token id that can't exist: the ban would hit nobody.
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

    /// The tokens to revoke, by name.
    pub(super) fn revoked(self) -> Result<Revoked, Error> {
        match (self.text("user")?, self.text("token_id")?) {
            (Some(user), None) => Ok(Revoked::User(user.to_owned())),
            (None, Some(id)) => Ok(Revoked::Token(id.to_owned())),
            _ => Err(Error::bad_request(ONE_OF)),
        }
    }

    /// The token to revoke, given itself.
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

    /// The parts of the argument that the log may show: the names and numbers of acts. A token is not among them,
    /// wherever somebody put it.
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

/// A key as it was written, unless it may hold a secret: refusals are shown and logged.
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
