//! A client's Socket.IO packet, read as far as needed before the engine reads it.
//!
//! The engine ends the whole session over a packet that it can't read, and says nothing. It reads a little less than
//! JSON: it borrows an event's name from the text, so it can't read a name with an escape in it.

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};

/// The kinds of packets that a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `0`: asks to join a namespace.
    Connect,
    /// `1`: leaves a namespace.
    Disconnect,
    /// `2`, or `5` with attachments.
    Event,
    /// `3`, or `6` with attachments: the answer to a server's event.
    Ack,
}

/// A packet, read up to its JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet<'p> {
    pub(super) kind: Kind,
    /// The number of attachments that follow; `None` for a kind without.
    pub(super) attachments: Option<u64>,
    /// The namespace as the packet has it, without a query; empty for the root.
    pub(super) namespace: &'p str,
    /// The query behind the namespace, as clients of version 2 write it.
    pub(super) query: Option<&'p str>,
    /// The id of the answer that the client waits for.
    pub(super) ack: Option<i64>,
    pub(super) body: &'p str,
}

/// A packet that can't be read, with the parts that can.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable<'p> {
    /// The namespace that an answer has to go to.
    pub(super) namespace: &'p str,
    /// The id of that answer, even if it is too large for the engine.
    pub(super) ack: Option<u128>,
    /// The label of the counter.
    pub(super) kind: &'static str,
    /// The number of its attachments, which nobody takes.
    pub(super) attachments: u64,
    /// The reason, in words.
    pub(super) why: String,
}

impl<'p> Packet<'p> {
    /// Reads a packet, behind the engine's `4`.
    pub(super) fn read(text: &'p str) -> Result<Self, Unreadable<'p>> {
        let unreadable = |kind, why: &str| Unreadable {
            namespace: "",
            ack: None,
            kind,
            attachments: 0,
            why: why.to_owned(),
        };
        let mut characters = text.chars();
        let (kind, is_binary) = match characters.next() {
            Some('0') => (Kind::Connect, false),
            Some('1') => (Kind::Disconnect, false),
            Some('2') => (Kind::Event, false),
            Some('3') => (Kind::Ack, false),
            Some('5') => (Kind::Event, true),
            Some('6') => (Kind::Ack, true),
            _ => {
                let why = "a packet begins with its type: 0, 1, 2, 3, 5 or 6";
                return Err(unreadable("packet_type", why));
            }
        };
        let mut rest = characters.as_str();
        let mut attachments = None;
        if is_binary {
            let why = "a binary packet says how many attachments follow: 51-[..]";
            let digits = digits(rest);
            let count = rest[..digits].parse().ok();
            let (Some(count), Some(after)) = (count, rest[digits..].strip_prefix('-')) else {
                return Err(unreadable("attachments", why));
            };
            attachments = Some(count);
            rest = after;
        }
        let (mut namespace, mut query) = ("", None);
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
            if let Some((path, behind)) = namespace.split_once('?') {
                (namespace, query) = (path, Some(behind));
            }
            if namespace == "/" {
                namespace = "";
            }
        }
        let mut packet = Self {
            kind,
            attachments,
            namespace,
            query,
            ack: None,
            body: rest,
        };
        if matches!(kind, Kind::Event | Kind::Ack) {
            let digits = digits(rest);
            if digits > 0 {
                let Ok(ack) = rest[..digits].parse() else {
                    let why = format!(
                        "the acknowledgement's id is more than {}: count from 0",
                        i64::MAX
                    );
                    let beyond = rest[..digits].parse().ok();
                    return Err(Unreadable {
                        ack: beyond.filter(|_| kind == Kind::Event),
                        ..packet.unreadable("ack_id", why)
                    });
                };
                packet.ack = Some(ack);
                packet.body = &rest[digits..];
            }
        }
        if kind == Kind::Ack && packet.ack.is_none() {
            return Err(packet.unreadable(
                "ack_id",
                "an acknowledgement names the event that it answers: 430[..]",
            ));
        }
        Ok(packet)
    }

    /// The same packet as an unreadable one.
    pub(super) fn unreadable(&self, kind: &'static str, why: impl Into<String>) -> Unreadable<'p> {
        Unreadable {
            namespace: self.namespace,
            ack: self
                .ack
                .filter(|_| self.kind == Kind::Event)
                .and_then(|ack| u128::try_from(ack).ok()),
            kind,
            attachments: self.attachments.unwrap_or(0),
            why: why.into(),
        }
    }

    /// Writes the packet with another body, and without the query.
    pub(super) fn write(&self, body: &str) -> String {
        let digit = match (self.kind, self.attachments) {
            (Kind::Connect, _) => '0',
            (Kind::Disconnect, _) => '1',
            (Kind::Event, None) => '2',
            (Kind::Ack, None) => '3',
            (Kind::Event, Some(_)) => '5',
            (Kind::Ack, Some(_)) => '6',
        };
        let mut text = format!("4{digit}");
        if let Some(count) = self.attachments {
            text += &format!("{count}-");
        }
        text += &place(self.namespace, self.ack);
        text += body;
        text
    }
}

/// The part between a packet's type and its JSON.
pub(super) fn place(namespace: &str, ack: Option<i64>) -> String {
    let ack = ack.map(|ack| ack.to_string()).unwrap_or_default();
    match namespace {
        "" | "/" => ack,
        namespace => format!("{namespace},{ack}"),
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// An event's JSON as the engine sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The engine can read it.
    Plain,
    /// The engine can't find the name, which is written with an escape.
    Escaped(String),
}

/// Checks an event's JSON: a list that begins with a name.
pub(super) fn look(body: &str) -> Result<Body, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(body);
    let found = json.deserialize_seq(Arguments)?;
    json.end()?;
    Ok(found)
}

struct Arguments;

impl<'de> Visitor<'de> for Arguments {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list that begins with the event's name")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut arguments: A) -> Result<Body, A::Error> {
        let name = arguments.next_element_seed(Name)?;
        let name = name.ok_or_else(|| A::Error::custom("an event begins with its name"))?;
        while arguments.next_element::<IgnoredAny>()?.is_some() {}
        Ok(name)
    }
}

struct Name;

impl<'de> serde::de::DeserializeSeed<'de> for Name {
    type Value = Body;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Body, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event's name, a string")
    }

    fn visit_borrowed_str<E>(self, _: &'de str) -> Result<Body, E> {
        Ok(Body::Plain)
    }

    fn visit_str<E>(self, name: &str) -> Result<Body, E> {
        Ok(Body::Escaped(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_up_to_its_json() {
        let packet = Packet::read(r#"2/conversations?token=a,17["x",{"a":1}]"#).unwrap();
        assert_eq!(packet.namespace, "/conversations");
        assert_eq!(packet.query, Some("token=a"));
        assert_eq!((packet.ack, packet.body), (Some(17), r#"["x",{"a":1}]"#));
        let text = packet.write(packet.body);
        assert_eq!(text, r#"42/conversations,17["x",{"a":1}]"#);
        let packet = Packet::read("0/admin").unwrap();
        assert_eq!((packet.kind, packet.namespace), (Kind::Connect, "/admin"));
        let packet = Packet::read("51-/,3[]").unwrap();
        assert_eq!((packet.attachments, packet.namespace), (Some(1), ""));
        for text in [
            "",
            "4{}",
            "7",
            "x",
            "5[]",
            "5-[]",
            "59999999999999999999999-[]",
            "3[]",
            "6-",
        ] {
            assert!(Packet::read(text).is_err(), "{text}");
        }
        let beyond = Packet::read("2/a,99999999999999999999[\"x\"]").unwrap_err();
        let ack = Some(99_999_999_999_999_999_999);
        assert_eq!((beyond.namespace, beyond.ack), ("/a", ack));
        let beyond = Packet::read("399999999999999999999[\"x\"]").unwrap_err();
        assert_eq!(beyond.ack, None);
    }

    #[test]
    fn what_the_engine_would_end_the_session_for_is_known() {
        assert_eq!(look(r#"["a",{"b":[1]}]"#).unwrap(), Body::Plain);
        assert_eq!(look(r#"["a\u0062"]"#).unwrap(), Body::Escaped("ab".into()));
        for body in [
            "",
            "[",
            "[]",
            "[1]",
            "[null]",
            "{}",
            "\"a\"",
            "[\"a\"",
            "[\"a\",]",
            "[\"a\"]]",
            "[\"a\",NaN]",
        ] {
            assert!(look(body).is_err(), "{body}");
        }
    }
}
