//! Reads a client's event: its name and its argument, with binary attachments put back in their places.

use bytes::Bytes;
use serde_json::Value;
use smallvec::SmallVec;

use crate::{
    access::authz::room_name,
    doors::{
        argument,
        socketio::{
            attachments::attach,
            engine::{NOT_JSON, UNREADABLE},
            inbox::Inbound,
        },
    },
    error::Error,
    event::lenient::{self, Mended},
};

/// One event of a client.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) event: String,
    /// The first argument; `null` when there is none, or when it stands in `published`.
    pub(super) argument: Value,
    /// Elements of the argument that could not be read, and for which `null` stands.
    pub(super) unread: Vec<(usize, Error)>,
    /// The argument of `publish` as it is written, so that a long list is read one event at a time.
    pub(super) published: Option<Bytes>,
    /// Values that were not JSON and were mended.
    pub(super) mended: Mended,
    /// Bytes of the whole message.
    pub(super) len: usize,
}

/// The parts of a message.
#[derive(Default)]
struct Call {
    event: Option<Value>,
    argument: Value,
    unread: Vec<(usize, Error)>,
    mended: Mended,
}

/// Arguments of a `publish` that are looked at to see whether it has more than one event.
const MAX_ARGUMENTS: usize = 1_024;
/// The most room names in one request.
const MAX_ROOMS: usize = 100;

/// Reads an event.
pub(super) fn read(inbound: &Inbound) -> Result<Request, Error> {
    let len = inbound.text.len() + inbound.attachments.iter().map(Bytes::len).sum::<usize>();
    if inbound.attachments.is_empty()
        && let Some(published) = published(&inbound.text.clone().into())
    {
        return Ok(Request::to_publish(published, len));
    }
    let mut call = match lenient::strict::<Vec<Value>>(inbound.text.as_bytes()) {
        Ok(arguments) => {
            let mut arguments = arguments.into_iter();
            let event = arguments.next();
            let mut argument = arguments.next().unwrap_or_default();
            let more: Vec<Value> = arguments.collect();
            let is_event = |value: &Value| value.is_object() || value.is_array();
            if event.as_ref().is_some_and(|name| name == "publish") && more.iter().any(is_event) {
                argument = std::iter::once(argument).chain(more).collect();
            }
            Call {
                event,
                argument,
                ..Call::default()
            }
        }
        Err(_) => read_leniently(&inbound.text)?,
    };
    if let (Some(Value::String(event)), Value::String(text)) = (&call.event, &call.argument) {
        match event.as_str() {
            // The event in place of one that the engine could not have read.
            UNREADABLE => return Err(Error::bad_request(text)),
            NOT_JSON => {
                if inbound.attachments.is_empty()
                    && let Some(published) = published(&Bytes::copy_from_slice(text.as_bytes()))
                {
                    return Ok(Request::to_publish(published, len));
                }
                call = read_leniently(text)?;
            }
            _ => {}
        }
    }
    attach(&mut call.argument, &inbound.attachments).map_err(Error::bad_request)?;
    let Some(Value::String(event)) = call.event else {
        return Err(Error::bad_request("an event begins with its name"));
    };
    Ok(Request {
        event,
        argument: call.argument,
        unread: call.unread,
        published: None,
        mended: call.mended,
        len,
    })
}

/// The id of the answer to a refused packet, if it is too large for the engine.
pub(super) fn ack_beyond(inbound: &Inbound) -> Option<u128> {
    let [event, _why, ack]: [String; 3] = serde_json::from_str(&inbound.text).ok()?;
    ack.parse().ok().filter(|_| event == UNREADABLE)
}

/// The argument of a `publish`, if the message has one.
fn published(text: &Bytes) -> Option<Bytes> {
    // Only a message that begins so is searched.
    let name = text.trim_ascii_start().strip_prefix(b"[")?;
    name.trim_ascii_start().strip_prefix(br#""publish""#)?;
    let (parts, _) = lenient::elements(text, MAX_ARGUMENTS)?;
    match parts[..] {
        [name, argument, ref more @ ..] if name == br#""publish""# && !argument.is_empty() => {
            if !more
                .iter()
                .any(|more| more.starts_with(b"{") || more.starts_with(b"["))
            {
                return Some(text.slice_ref(argument));
            }
            // Several arguments are several events: they are read as a list.
            let from = argument.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
            let all = text.get(from..)?.trim_ascii_end();
            Some([b"[", all].concat().into())
        }
        _ => None,
    }
}

/// Reads a message that is not JSON as a whole: the name, and as much of the argument as possible. In a list only the
/// unreadable elements are lost.
fn read_leniently(text: &str) -> Result<Call, Error> {
    /// The name and the argument; later arguments are ignored.
    const LOOKED_AT: usize = 2;
    let (parts, _) = lenient::elements(text.as_bytes(), LOOKED_AT)
        .ok_or_else(|| Error::bad_request("the event is not JSON: it is no list that ends"))?;
    let mut call = Call::default();
    let mut parts = parts.into_iter();
    if let Some(name) = parts.next() {
        let (event, mended) = lenient::read(name)?;
        call.mended.add(mended);
        call.event = Some(event);
    }
    if let Some(argument) = parts.next() {
        let (body, mended) = lenient::read_body(argument)?;
        call.mended.add(mended);
        call.argument = match body {
            lenient::Body::One(value) => value,
            lenient::Body::Many(list) => {
                let mut items = Vec::with_capacity(list.len());
                for item in list {
                    let item = item.unwrap_or_else(|rejection| {
                        call.unread.push((items.len(), rejection));
                        Value::Null
                    });
                    items.push(item);
                }
                Value::Array(items)
            }
        };
    }
    Ok(call)
}

impl Request {
    fn to_publish(published: Bytes, len: usize) -> Self {
        Self {
            event: "publish".into(),
            argument: Value::Null,
            unread: Vec::new(),
            published: Some(published),
            mended: Mended::default(),
            len,
        }
    }

    /// A field of the argument.
    pub(super) fn field(&self, key: &str) -> &Value {
        argument::field(&self.argument, key)
    }

    /// A text field, `None` when it is absent.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        argument::text(&self.argument, key)
    }

    /// An id by the first of these keys that has one, read as in events.
    pub(super) fn id(&self, keys: &[&str]) -> Result<Option<String>, Error> {
        argument::id(&self.argument, keys)
    }

    /// The room that the request is about, for the error that refuses it.
    pub(super) fn room(&self) -> Option<String> {
        // A bare string is a room only in these events; in `authenticate` it would be a token.
        let is_about_rooms = matches!(
            self.event.as_str(),
            "join_room" | "join" | "leave_room" | "leave" | "subscribe" | "unsubscribe"
        );
        if !is_about_rooms {
            return None;
        }
        self.rooms().ok().and_then(|rooms| rooms.into_iter().next())
    }

    /// The names of the rooms, each once, in all the forms of a request: a string, a list, `{room}`, `{room_id}`,
    /// `{rooms}`, `{channels}`.
    pub(super) fn rooms(&self) -> Result<Vec<String>, Error> {
        let spelt: SmallVec<[&Value; 2]> = match &self.argument {
            Value::Object(fields) => ["room", "room_id", "rooms", "channels"]
                .iter()
                .filter_map(|key| fields.get(*key).filter(|v| !v.is_null()))
                .collect(),
            Value::Null => SmallVec::new(),
            other => SmallVec::from_iter([other]),
        };
        let wrong = || {
            Error::bad_request(format!(
                "name the room: {{\"room\": \"project:p1\"}} or {{\"rooms\": [..]}} with at most {MAX_ROOMS} names"
            ))
        };
        let mut rooms: Vec<String> = Vec::new();
        for spelt in spelt {
            let names = match spelt {
                Value::Array(names) => &names[..],
                name => std::slice::from_ref(name),
            };
            for name in names {
                let name = room_name::canonical(name.as_str().ok_or_else(wrong)?);
                if rooms.iter().all(|room| *room != name) {
                    rooms.push(name.into_owned());
                }
                if rooms.len() > MAX_ROOMS {
                    return Err(wrong());
                }
            }
        }
        Ok(rooms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound(text: &str, attachments: Vec<Bytes>) -> Inbound {
        Inbound::new(text.to_owned().into(), attachments, None)
    }

    #[test]
    fn what_is_published_stays_a_text_until_it_is_its_turn() {
        let list = r#"[{"type":"a.b"},{"type":"c.d","data":{"n":NaN}}]"#;
        let wrapped = serde_json::json!([NOT_JSON, format!(r#"["publish",{list}]"#)]);
        for text in [
            format!(r#"["publish",{list}]"#),
            format!(r#" [ "publish" , {list} , 7 ] "#),
            wrapped.to_string(),
        ] {
            let request = read(&inbound(&text, vec![])).unwrap();
            assert_eq!(request.event, "publish");
            assert_eq!(request.published.as_deref(), Some(list.as_bytes()));
            assert_eq!(request.argument, Value::Null);
        }
        // Several events as several arguments are a list of them.
        let text = r#"["publish",{"type":"a.b"}, {"type":"c.d"} ]"#;
        let request = read(&inbound(text, vec![])).unwrap();
        let list = r#"[{"type":"a.b"}, {"type":"c.d"} ]"#;
        assert_eq!(request.published.as_deref(), Some(list.as_bytes()));
        for text in [
            r#"["publish"]"#,
            r#"["published",{}]"#,
            r#"["ping","publish"]"#,
        ] {
            let request = read(&inbound(text, vec![])).unwrap();
            assert_eq!(request.published, None, "{text}");
        }
        // Attachments have to be put in their places first.
        let text = r#"["publish",{"type":"a.b","data":{"b":{"_placeholder":true,"num":0}}}]"#;
        let request = read(&inbound(text, vec![Bytes::from_static(b"x")])).unwrap();
        assert_eq!(request.published, None);
        assert_eq!(request.field("data")["b"], "eA==");
    }
}
