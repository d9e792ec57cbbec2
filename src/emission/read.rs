//! Reads an emission: `{event, args?, rooms?, except?, namespace?, keep?, id?, volatile?, attachments?}`.

use std::ops::Range;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    Emission, EmissionLimits,
    event_name::{MAX_EVENT_NAME, RESERVED_EVENT_NAMES},
    placeholders::{Placeholder, placeholders, replaced},
    walk::walk,
};
use crate::{channel::Namespace, error::Error};

/// The most bytes of a room's name: the id of a thing may be written with escapes.
const MAX_ROOM: usize = 1_024;

/// An emission as it is written. A key that it doesn't have is refused: a misspelt `rooms` would send it to everyone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'t> {
    event: Option<serde_json::Value>,
    #[serde(borrow, default, deserialize_with = "present")]
    args: Option<&'t RawValue>,
    #[serde(alias = "room", alias = "to")]
    rooms: Option<Names>,
    except: Option<Names>,
    namespace: Option<String>,
    keep: Option<bool>,
    id: Option<String>,
    volatile: Option<bool>,
    attachments: Option<Vec<String>>,
}

/// One name, or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a name or a list of names")]
enum Names {
    One(String),
    Many(Vec<String>),
}

/// The text of a value that is there, `null` too.
fn present<'de, D: Deserializer<'de>>(json: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(json).map(Some)
}

impl Emission {
    /// Reads the JSON text of an emission.
    ///
    /// # Errors
    /// `bad_request` when it is not JSON or a field is wrong, `invalid_event`, `unknown_namespace`, `too_large`.
    pub fn read(text: &[u8], limits: &EmissionLimits) -> Result<Self, Error> {
        if text.len() > limits.max_text() {
            return Err(too_large(limits.max_bytes));
        }
        let written: Written<'_> = serde_json::from_slice(text).map_err(|error| {
            Error::bad_request(format!(
                "this is no emission: {error}; send {{\"event\": \"name\", \"args\": [..]}}, see docs/emit.md"
            ))
        })?;
        written.checked(limits)
    }

    /// The same for one with attachments beside it. Others may be of the same packet, so those that it names are taken and
    /// numbered anew.
    ///
    /// # Errors
    /// As [`Emission::read`].
    pub fn read_with(
        text: &[u8],
        attachments: &[Bytes],
        limits: &EmissionLimits,
    ) -> Result<Self, Error> {
        let mut emission = Self::read(text, limits)?;
        if !emission.attachments.is_empty() {
            return Err(Error::bad_request(
                "attachments come either as base64 or as the packet's own, not both",
            ));
        }
        let mut taken = Taken {
            all: attachments,
            numbers: Vec::new(),
        };
        let mut found = placeholders(&emission.args);
        found.sort_by_key(|one| one.object.start);
        let numbered = found.into_iter().map(|one| taken.renumber(one));
        let numbered = numbered.collect::<Result<Vec<_>, _>>()?;
        if numbered.len() > taken.numbers.len() {
            return Err(Error::bad_request(REPEATED));
        }
        emission.args = replaced(&emission.args, numbered);
        let named = taken.numbers.iter().filter_map(|at| attachments.get(*at));
        emission.attachments = named.cloned().collect();
        emission.check(0, limits)?;
        Ok(emission)
    }

    /// The same for a value that was read already.
    ///
    /// # Errors
    /// As [`Emission::read`].
    pub fn of_value(value: &serde_json::Value, limits: &EmissionLimits) -> Result<Self, Error> {
        Self::read(value.to_string().as_bytes(), limits)
    }

    /// Reads the arguments anew: the text of a list, or of one argument that is no list.
    ///
    /// # Errors
    /// `bad_request` when the text is not JSON, or is nested too deep.
    pub fn set_args(&mut self, text: &str, limits: &EmissionLimits) -> Result<u64, Error> {
        let text = text.trim();
        let list = match text.starts_with('[') {
            true => text.to_owned(),
            false => format!("[{text}]"),
        };
        let mut found = walk(&list)
            .map_err(|error| Error::bad_request(format!("the arguments are not JSON: {error}")))?;
        if found.depth > limits.max_depth {
            return Err(Error::bad_request(format!(
                "the arguments are nested more than {} levels deep ([content_filtering] max_depth)",
                limits.max_depth
            )));
        }
        if found.is_misnumbered {
            return Err(Error::bad_request(
                "a placeholder needs the number of its attachment: {\"_placeholder\": true, \"num\": 0}",
            ));
        }
        if !self.attachments.is_empty() && found.is_repeated() {
            return Err(Error::bad_request(REPEATED));
        }
        let inside = list.get(1..list.len() - 1).unwrap_or_default().trim();
        self.args = match inside.contains(['\n', '\r']) {
            // Between values, line breaks are white space; within a text JSON has none.
            true => inside.replace(['\n', '\r'], " "),
            false => inside.to_owned(),
        };
        self.arguments = found.arguments;
        Ok(found.attachments)
    }

    /// Checks what the arguments, attachments, rooms and the id of an emission may be.
    ///
    /// # Errors
    /// As [`Emission::read`].
    pub fn check(&self, placeholders: u64, limits: &EmissionLimits) -> Result<(), Error> {
        let attached = self.attachments.len();
        if attached > limits.max_attachments {
            return Err(Error::new(
                "too_large",
                format!(
                    "{attached} attachments in one emission, {} are allowed ([emit] max_attachments)",
                    limits.max_attachments
                ),
            ));
        }
        if attached > 0 && placeholders > attached as u64 {
            return Err(Error::bad_request(format!(
                "a placeholder has number {}, but there are {attached} attachments, counted from 0",
                placeholders - 1
            )));
        }
        if self.sent() > limits.max_bytes {
            return Err(too_large(limits.max_bytes));
        }
        let rooms = self.rooms.len() + self.except.len();
        if rooms > limits.max_rooms {
            return Err(Error::new(
                "too_large",
                format!(
                    "{rooms} rooms in one emission, {} are allowed ([emit] max_rooms)",
                    limits.max_rooms
                ),
            ));
        }
        let mut rooms = self.rooms.iter().chain(&self.except);
        let is_wrong = |room: &&String| {
            room.is_empty() || room.len() > MAX_ROOM || room.contains(char::is_control)
        };
        if let Some(wrong) = rooms.find(is_wrong) {
            return Err(Error::bad_request(format!(
                "a room's name has 1 to {MAX_ROOM} bytes and no control characters, {:?} has {}",
                shorten(wrong),
                wrong.len()
            )));
        }
        match &self.id {
            Some(id) if id.is_empty() || id.len() > limits.max_id => {
                Err(Error::bad_request(format!(
                    "an id has 1 to {} bytes ([content_filtering] max_id_length), this one has {}",
                    limits.max_id,
                    id.len()
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Written<'_> {
    fn checked(self, limits: &EmissionLimits) -> Result<Emission, Error> {
        let event = match self.event {
            Some(serde_json::Value::String(event)) => name(event)?,
            _ => return Err(invalid("an emission has the name of its event as a string")),
        };
        let namespace = namespace(self.namespace.as_deref().unwrap_or("/"))?;
        let attachments = self.attachments.unwrap_or_default();
        let attachments = attachments.iter().enumerate().map(|(at, text)| {
            let bytes = STANDARD.decode(text).map_err(|error| {
                Error::bad_request(format!("attachment {at} is not base64: {error}"))
            });
            bytes.map(Bytes::from)
        });
        let mut emission = Emission {
            namespace,
            event,
            args: String::new(),
            arguments: 0,
            attachments: attachments.collect::<Result<_, _>>()?,
            rooms: names(self.rooms),
            except: names(self.except),
            volatile: self.volatile.unwrap_or(false),
            keep: self.keep.unwrap_or(false),
            id: self.id,
        };
        let placeholders = match self.args {
            Some(args) => emission.set_args(args.get(), limits)?,
            None => 0,
        };
        emission.check(placeholders, limits)?;
        Ok(emission)
    }
}

/// The sentence about an attachment that has two places. Each would be a copy of it for some clients.
pub const REPEATED: &str = "two placeholders have the number of one attachment; give each placeholder an attachment of its own";

/// The attachments of a packet that one emission takes.
struct Taken<'a> {
    all: &'a [Bytes],
    /// Their numbers in the packet, in the order of their numbers in the emission.
    numbers: Vec<usize>,
}

impl Taken<'_> {
    /// The place of a placeholder's number, and the number that it has in the emission.
    fn renumber(&mut self, one: Placeholder) -> Result<(Range<usize>, String), Error> {
        let number = usize::try_from(one.num).ok();
        let Some(number) = number.filter(|number| *number < self.all.len()) else {
            return Err(Error::bad_request(format!(
                "a placeholder names an attachment that is not there; there are {}, counted from 0",
                self.all.len()
            )));
        };
        let known = self.numbers.iter().position(|one| *one == number);
        let own = known.unwrap_or(self.numbers.len());
        if known.is_none() {
            self.numbers.push(number);
        }
        Ok((one.number, own.to_string()))
    }
}

fn names(names: Option<Names>) -> Vec<String> {
    match names {
        None => Vec::new(),
        Some(Names::One(name)) => vec![name],
        Some(Names::Many(names)) => names,
    }
}

/// The namespace at a path.
pub(super) fn namespace(path: &str) -> Result<Namespace, Error> {
    Namespace::at(path).ok_or_else(|| {
        Error::new(
            "unknown_namespace",
            format!("there is no namespace {:?}", shorten(path)),
        )
    })
}

/// A name that an event may have.
pub(super) fn name(event: String) -> Result<String, Error> {
    let length = event.chars().count();
    if !(1..=MAX_EVENT_NAME).contains(&length) {
        return Err(invalid(&format!(
            "the name of an event has 1 to {MAX_EVENT_NAME} characters, this one has {length}"
        )));
    }
    if event.chars().any(char::is_control) {
        return Err(invalid("the name of an event has no control characters"));
    }
    if RESERVED_EVENT_NAMES.contains(&event.as_str()) {
        return Err(invalid(&format!(
            "Socket.IO keeps the name {event:?} for itself; choose another"
        )));
    }
    Ok(event)
}

fn invalid(why: &str) -> Error {
    Error::new("invalid_event", why)
}

/// The refusal of an emission over the limit.
pub fn too_large(max: usize) -> Error {
    Error::new(
        "too_large",
        format!(
            "an emission may have {max} bytes of name, arguments and attachments ([emit] max_bytes, and never more than [server] max_client_buffer); keep large things elsewhere and emit a reference"
        ),
    )
}

/// A name as it is quoted in an answer: cut off if it is long.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
