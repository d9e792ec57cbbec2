//! The hello of a client that connects: the `auth` payload, or the query string for clients that have none.

use http::Uri;
use serde_json::Value;

use crate::{
    access::{
        authn::Credential,
        authz::{Filter, room_name},
    },
    config::Role,
    error::Error,
    observe::is_unfit_for_lines,
    recovery::Pid,
    update::UpdateShape,
};

/// The most rooms that a hello may name.
const MAX_ROOMS: usize = 100;

/// The payload of CONNECT, as the protocol defines it; every part is optional.
#[derive(Debug, Default, PartialEq)]
pub struct Hello {
    /// The payload's credential, which counts before the request's.
    pub token: Option<Credential>,
    /// The name that the client gives itself.
    pub name: Option<String>,
    /// Rooms to be in from the start.
    pub rooms: Vec<String>,
    /// The filter for their updates.
    pub filter: Filter,
    /// The place to resume from.
    pub cursor: Option<String>,
    /// The secret of the session that it comes back to.
    pub pid: Option<Pid>,
    /// The last place that it was told, as Socket.IO's own client noted it: perhaps an application's text.
    pub offset: Option<String>,
    /// Whether updates are to carry their place.
    pub recovery: bool,
    /// Whether a snapshot comes first.
    pub snapshot: bool,
    /// Whether several updates may come in one `batch`.
    pub batch: bool,
    /// The shape in which it takes updates.
    pub shape: UpdateShape,
    /// The role that the client asks for; granted only while authentication is off.
    pub role: Option<Role>,
}

impl Hello {
    /// Reads the payload. For what it lacks reads `query`, which a client of version 2 wrote behind the namespace, and
    /// then the query string of `uri`.
    ///
    /// # Errors
    /// `bad_request`, naming the key.
    pub fn read(auth: Option<&Value>, uri: &Uri, query: Option<&str>) -> Result<Self, Error> {
        let mut hello = Self::default();
        hello.read_query(uri)?;
        if let Some(uri) = query.and_then(|query| format!("/?{query}").parse().ok()) {
            hello.read_query(&uri)?;
        }
        match auth {
            None | Some(Value::Null) => {}
            Some(Value::Object(auth)) => {
                for (key, value) in auth {
                    hello.set(key, value)?;
                }
            }
            Some(_) => return Err(Error::bad_request("auth must be an object")),
        }
        Ok(hello)
    }

    /// Reads the hello on the namespace of an application, to which all keys but these belong: the token, the name and the
    /// role where they are such, and those of recovery.
    ///
    /// # Errors
    /// `bad_request` for a token that is no string.
    pub fn of_application(auth: &Value, uri: &Uri, query: Option<&str>) -> Result<Self, Error> {
        let mut hello = Self::default();
        let own = query.and_then(|query| format!("/?{query}").parse().ok());
        for uri in [Some(uri), own.as_ref()].into_iter().flatten() {
            for (key, value) in pairs(uri) {
                hello.set_of_application(&key, &Value::String(value))?;
            }
        }
        for (key, value) in auth.as_object().into_iter().flatten() {
            hello.set_of_application(key, value)?;
        }
        Ok(hello)
    }

    fn set_of_application(&mut self, key: &str, value: &Value) -> Result<(), Error> {
        match key {
            "token" | "pid" | "offset" | "recovery" => self.set(key, value),
            // Another value is the application's.
            "name" | "role" => self.set(key, value).or(Ok(())),
            _ => Ok(()),
        }
    }

    /// Whether it says nothing that the protocol knows, but for what a client's library adds by itself.
    pub fn is_empty(&self) -> bool {
        let of_library = Self {
            pid: self.pid,
            offset: self.offset.clone(),
            ..Self::default()
        };
        *self == of_library
    }

    fn read_query(&mut self, uri: &Uri) -> Result<(), Error> {
        for (key, value) in pairs(uri) {
            if matches!(key.as_str(), "EIO" | "transport" | "sid" | "t" | "b64") {
                continue;
            }
            // Lists, objects and booleans are JSON in a query; a bare word is a string.
            let value = match key.as_str() {
                "rooms" => rooms_of_query(&value),
                "filters" | "snapshot" | "batch" => serde_json::from_str(&value)
                    .unwrap_or_else(|_| Value::Array(value.split(',').map(Into::into).collect())),
                _ => Value::String(value),
            };
            self.set(&key, &value)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), Error> {
        if value.is_null() {
            return Ok(());
        }
        match key {
            "token" => {
                let token = text(key, value)?;
                self.token = Some(token)
                    .filter(|token| !token.is_empty())
                    .map(Credential::new);
            }
            "name" => {
                let name = text(key, value)?;
                let plain = name.chars().filter(|c| !is_unfit_for_lines(*c));
                self.name = Some(plain.take(128).collect());
            }
            "cursor" => self.cursor = Some(text(key, value)?).filter(|c| !c.is_empty()),
            // These are the library's: a page may mean something of its own by them.
            "pid" => self.pid = value.as_str().and_then(Pid::read),
            "offset" => self.offset = value.as_str().map(str::to_owned),
            "recovery" => self.recovery = is_yes(value),
            "rooms" => self.rooms = rooms(value)?,
            "filters" => self.filter = Filter::parse(value)?,
            "snapshot" => self.snapshot = flag(key, value)?,
            "batch" => self.batch = flag(key, value)?,
            "shape" => self.shape = UpdateShape::read(&text(key, value)?, "auth.shape")?,
            "role" => {
                let name = text(key, value)?;
                let role = Role::from_name(&name).ok_or_else(|| {
                    Error::bad_request("auth.role must be observer, producer, operator or admin")
                })?;
                self.role = Some(role);
            }
            // Other keys belong to the front-end.
            _ => {}
        }
        Ok(())
    }
}

/// The pairs of a query string.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = axum::extract::Query::try_from_uri(uri);
    query.map(|query| query.0).unwrap_or_default()
}

fn text(key: &str, value: &Value) -> Result<String, Error> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::bad_request(format!("auth.{key} must be a string")))
}

fn is_yes(value: &Value) -> bool {
    value == true || value == 1 || matches!(value.as_str(), Some("1" | "true"))
}

fn flag(key: &str, value: &Value) -> Result<bool, Error> {
    let word = match value {
        Value::Bool(flag) => return Ok(*flag),
        Value::Number(n) => n.as_u64(),
        Value::Array(words) => match words.first().and_then(Value::as_str) {
            Some("true") => Some(1),
            Some("false" | "") => Some(0),
            _ => None,
        },
        _ => None,
    };
    match word {
        Some(1) => Ok(true),
        Some(0) => Ok(false),
        _ => Err(Error::bad_request(format!(
            "auth.{key} must be true or false"
        ))),
    }
}

/// A list of rooms, in JSON or with commas.
fn rooms_of_query(value: &str) -> Value {
    let name = |value| match value {
        Value::String(room) => room_name::from_query(&room).into(),
        other => other,
    };
    match serde_json::from_str(value) {
        Ok(Value::Array(list)) => list.into_iter().map(name).collect(),
        Ok(other) => name(other),
        Err(_) => value.split(',').map(room_name::from_query).collect(),
    }
}

fn rooms(value: &Value) -> Result<Vec<String>, Error> {
    let wrong = || {
        Error::bad_request(format!(
            "auth.rooms must be a list of at most {MAX_ROOMS} room names"
        ))
    };
    let list = match value {
        Value::Array(list) if list.len() <= MAX_ROOMS => &list[..],
        one @ Value::String(_) => std::slice::from_ref(one),
        _ => return Err(wrong()),
    };
    list.iter()
        .map(|room| Ok(room_name::canonical(room.as_str().ok_or_else(wrong)?).into_owned()))
        .collect()
}
