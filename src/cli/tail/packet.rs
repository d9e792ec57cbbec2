//! Packets of the server: Engine.IO 4, and in them Socket.IO 5, as text.
//!
//! The command knows only a part of both protocols. An unknown packet is [`Packet::Other`], never an error, since a
//! newer server may send more. A packet that contradicts its own kind is an error.

use serde::{
    Deserialize,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use thiserror::Error;

/// One packet.
#[derive(Debug)]
pub(super) enum Packet {
    /// Engine.IO: the session is open.
    Open(Handshake),
    /// Engine.IO: a ping, whose answer repeats the text.
    Ping(String),
    /// Engine.IO or Socket.IO: the end.
    Close,
    /// Socket.IO: the client is in the namespace.
    Connected,
    /// Socket.IO: the client was refused, and why.
    Refused(String),
    /// Socket.IO: an event and its first argument, as it was written.
    Event {
        /// The event's name.
        name: String,
        /// `null` if there is none.
        payload: Box<RawValue>,
    },
    /// Socket.IO: the answer to a request, as it was written.
    Ack {
        /// The request's number.
        id: u64,
        /// The answer's first argument; `null` if there is none.
        payload: Box<RawValue>,
    },
    /// Any other packet.
    Other,
}

/// The content of the open packet; times in ms.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Handshake {
    /// The interval of the server's pings.
    pub ping_interval: u64,
    /// The time that it waits for the answer.
    pub ping_timeout: u64,
}

/// A packet that can't be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the server sent what is no Socket.IO packet: {0:?}")]
pub(super) struct Unreadable(String);

impl Packet {
    /// Reads one text frame.
    ///
    /// # Errors
    /// The packet contradicts its own kind.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        Self::read(text).ok_or_else(|| Unreadable(text.chars().take(80).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let (kind, rest) = split_first(text)?;
        Some(match kind {
            '0' => Self::Open(serde_json::from_str(rest).ok()?),
            '1' => Self::Close,
            '2' => Self::Ping(rest.to_owned()),
            '4' => return Self::read_message(rest),
            '3' | '5' | '6' => Self::Other,
            _ => return None,
        })
    }

    fn read_message(text: &str) -> Option<Self> {
        let (kind, rest) = split_first(text)?;
        // Binary packets begin with the number of their attachments, which come as frames of their own.
        let rest = match kind {
            '5' | '6' => rest.split_once('-')?.1,
            _ => rest,
        };
        // A watcher is in the main namespace only, whose name is left out.
        if rest.starts_with('/') {
            return Some(Self::Other);
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, body) = rest.split_at(digits);
        Some(match kind {
            '0' => Self::Connected,
            '1' => Self::Close,
            '2' | '5' => {
                let event: Event = serde_json::from_str(body).ok()?;
                Self::Event {
                    name: event.name,
                    payload: event.payload,
                }
            }
            '3' | '6' => {
                let mut all: Vec<Box<RawValue>> = serde_json::from_str(body).ok()?;
                Self::Ack {
                    id: id.parse().ok()?,
                    payload: if all.is_empty() {
                        null()
                    } else {
                        all.swap_remove(0)
                    },
                }
            }
            '4' => Self::Refused(refusal(body)),
            _ => return None,
        })
    }
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let first = text.chars().next()?;
    Some((first, &text[first.len_utf8()..]))
}

/// v4 servers send `{"message": …}`, v2 servers a string.
fn refusal(body: &str) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Object { message: String },
        Text(String),
    }
    match serde_json::from_str(body) {
        Ok(Body::Object { message } | Body::Text(message)) => message,
        Err(_) => body.to_owned(),
    }
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// `["name", payload, …]`.
struct Event {
    name: String,
    payload: Box<RawValue>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Event;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an event's name and its arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Event, A::Error> {
                let missing = || serde::de::Error::invalid_length(0, &"a name");
                let name = seq.next_element()?.ok_or_else(missing)?;
                let payload = seq.next_element()?.unwrap_or_else(null);
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Event { name, payload })
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_speaks() {
        let open = Packet::parse(
            r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":60000,"maxPayload":1}"#,
        );
        let expected = Handshake {
            ping_interval: 25_000,
            ping_timeout: 60_000,
        };
        assert!(matches!(open, Ok(Packet::Open(h)) if h == expected));
        assert!(matches!(Packet::parse("2"), Ok(Packet::Ping(s)) if s.is_empty()));
        assert!(matches!(Packet::parse("2probe"), Ok(Packet::Ping(s)) if s == "probe"));
        assert!(matches!(Packet::parse("1"), Ok(Packet::Close)));
        assert!(matches!(Packet::parse("6"), Ok(Packet::Other)));
    }

    #[test]
    fn events_keep_their_payload_as_written() {
        for text in [
            r#"42["agent_update",{"b":1.0,"a":[]}]"#,
            r#"4217["agent_update",{"b":1.0,"a":[]},"more"]"#,
            r#"451-["agent_update",{"b":1.0,"a":[]}]"#,
        ] {
            let Ok(Packet::Event { name, payload }) = Packet::parse(text) else {
                panic!("{text}");
            };
            assert_eq!(
                (name.as_str(), payload.get()),
                ("agent_update", r#"{"b":1.0,"a":[]}"#)
            );
        }
        assert!(
            matches!(Packet::parse(r#"42["bare"]"#), Ok(Packet::Event { payload, .. }) if payload.get() == "null")
        );
        assert!(matches!(
            Packet::parse(r#"42/admin,["x",1]"#),
            Ok(Packet::Other)
        ));
    }

    #[test]
    fn the_way_in_and_out() {
        assert!(matches!(
            Packet::parse(r#"40{"sid":"a"}"#),
            Ok(Packet::Connected)
        ));
        assert!(matches!(Packet::parse("41"), Ok(Packet::Close)));
        assert!(
            matches!(Packet::parse(r#"44{"message":"unauthorized: no"}"#), Ok(Packet::Refused(m)) if m == "unauthorized: no")
        );
        assert!(matches!(Packet::parse(r#"44"no""#), Ok(Packet::Refused(m)) if m == "no"));
        assert!(
            matches!(Packet::parse(r#"4312[{"status":"ok"}]"#), Ok(Packet::Ack { id: 12, payload }) if payload.get() == r#"{"status":"ok"}"#)
        );
        assert!(matches!(
            Packet::parse("431[]"),
            Ok(Packet::Ack { id: 1, .. })
        ));
    }

    #[test]
    fn nonsense_is_an_error_and_never_a_panic() {
        for text in [
            "", "x", "ä", "4", "4ä", "42", "42{}", "42[]", "42[1]", "43[1]", "45", "47", "0",
            "0{}", "48[]", "<html>",
        ] {
            assert!(Packet::parse(text).is_err(), "{text}");
        }
    }
}
