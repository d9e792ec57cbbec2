//! Reads a client's messages before the engine does, and passes on only those that the engine can read.
//!
//! The engine silently ends a session over a packet that it can't read, and clients take that for the server's wish and
//! stay away. So such a packet is replaced by an event with a special name, which reaches the client's inbox in its
//! turn, costs what any message costs, and is answered with an error. Attachments are kept here until all have come;
//! answers to the server's own events end here (`lane::asked`). A client with the msgpack parser is known by its first packet, and
//! each of its packets is taken as the text that others send (`msgpack`). The query that clients of version 2 write behind a
//! namespace is taken off and kept for the hello.

mod packed;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use super::{
    close_reason::CloseReason,
    message::Message,
    packet::{Body, Kind, Packet, Unreadable, look, place},
};
use crate::{
    channel::{Namespace, PerNamespace},
    event::lenient,
    observe::Metrics,
};

/// The event in place of a packet that can't be read; its argument says why. No client sends this name, which begins
/// with a character that Unicode assigns to nothing. (NUL would not do: the engine can't read a name with an escape.)
pub const UNREADABLE: &str = "\u{fdd0}unreadable";

/// The event in place of one whose text is not JSON; its argument is the text. The handler reads as much of it as
/// possible: in a list each event stands for itself.
pub const NOT_JSON: &str = "\u{fdd0}not_json";

/// Bounds on attachments.
#[derive(Debug, Clone, Copy)]
pub struct Attachments {
    /// The most attachments of one packet.
    pub count: u64,
    /// The most bytes of all of them together.
    pub bytes: usize,
    /// The time in which they must come.
    pub within: Duration,
}

/// The lane behind the screen.
pub(super) trait Listener {
    /// Whether the client is on a namespace.
    fn is_on(&self, namespace: Namespace) -> bool;
    /// A namespace that the client is on.
    fn first_on(&self) -> Option<Namespace>;
    /// Whether the client has ever joined a namespace.
    fn is_joined(&self) -> bool;
    /// Whether the client has the msgpack parser.
    fn speaks_msgpack(&self) -> bool;
    /// Notes that the client has the msgpack parser.
    fn speak_msgpack(&self);
    /// Takes a client's answer, for which nobody may wait any more.
    fn answered(&self, packet: &Packet<'_>, attachments: Vec<Vec<u8>>);
    /// Takes an incomplete answer.
    fn answered_badly(&self, packet: &Packet<'_>, why: &str);
}

/// The state of one session's packets.
pub(super) struct Screen {
    bounds: Attachments,
    /// CONNECT packets of msgpack that one WebSocket may still bring; those that are texts are counted as they are read.
    connects_left: usize,
    /// A packet whose attachments are still to come.
    pending: Option<Pending>,
    /// Attachments of a refused packet that are still to come, and are thrown away.
    unwanted: u64,
    /// The query of each namespace's CONNECT, until it is answered.
    queries: PerNamespace<Option<Box<str>>>,
    metrics: Arc<Metrics>,
}

/// A query and a packet may hold a credential, so they are not printed.
impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

struct Pending {
    /// The packet, behind the engine's `4`.
    text: String,
    /// Attachments that are still to come.
    missing: u64,
    /// Attachments that came.
    came: Vec<Vec<u8>>,
    /// Bytes of those that came.
    bytes: usize,
    /// The time after which they are late.
    until: Instant,
}

/// The messages that the engine is to read.
pub type Passed = SmallVec<[Message; 1]>;

/// The client's protocol and transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    /// Engine.IO 3, where an attachment begins with a byte of its kind.
    pub is_first_protocol: bool,
    /// Polling, where attachments may come as text.
    pub is_polling: bool,
}

impl Screen {
    pub(super) fn new(bounds: Attachments, max_connects: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            bounds,
            connects_left: max_connects,
            pending: None,
            unwanted: 0,
            queries: PerNamespace::default(),
            metrics,
        }
    }

    /// Takes the query of a namespace's CONNECT. It may be as long as a message, so an idle session must not hold it.
    pub(super) fn take_query(&mut self, namespace: Namespace) -> Option<Box<str>> {
        self.queries.find(namespace)?.take()
    }

    /// Checks one message, and returns the messages that the engine gets instead.
    pub(super) fn look(
        &mut self,
        message: Message,
        speech: Speech,
        lane: &dyn Listener,
    ) -> Result<Passed, CloseReason> {
        match message {
            Message::Text(bytes) => match String::from_utf8(bytes) {
                Ok(text) => self.text(text, speech, lane),
                // A WebSocket's text must be text, or the connection is over (RFC 6455, 8.1).
                Err(_) if !speech.is_polling => Err(CloseReason::Encoding),
                Err(_) => Ok(self.odd("not_utf8", "a packet is no UTF-8", lane)),
            },
            Message::Binary(bytes) => self.binary(bytes, speech, lane),
            control @ Message::Control(..) => Ok(SmallVec::from_iter([control])),
        }
    }

    fn text(
        &mut self,
        text: String,
        speech: Speech,
        lane: &dyn Listener,
    ) -> Result<Passed, CloseReason> {
        Ok(match text.as_bytes() {
            [b'4', ..] => self.packet(&text, lane),
            // A close packet and heartbeats are passed on.
            b"1" | b"2" | b"3" => passed(Message::Text(text.into_bytes())),
            [b'b', ..] if speech.is_polling => return self.encoded(&text, speech, lane),
            _ => {
                let why = "no packet of Engine.IO begins like this here: messages begin with 4";
                self.odd("engine_packet", why, lane)
            }
        })
    }

    /// A binary message that came as text.
    fn encoded(
        &mut self,
        text: &str,
        speech: Speech,
        lane: &dyn Listener,
    ) -> Result<Passed, CloseReason> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let digits = match speech.is_first_protocol {
            true => text.strip_prefix("b4"),
            false => text.strip_prefix('b'),
        };
        match digits.and_then(|digits| STANDARD.decode(digits).ok()) {
            Some(bytes) => {
                let kind = speech.is_first_protocol.then_some(4);
                let bytes = kind.into_iter().chain(bytes).collect();
                self.binary(bytes, speech, lane)
            }
            None => Ok(self.odd("attachments", "an attachment is no base64", lane)),
        }
    }

    fn packet(&mut self, text: &str, lane: &dyn Listener) -> Passed {
        let mut first = Passed::new();
        if let Some(pending) = self.pending.take() {
            let why = "another packet came before all attachments of this one";
            first = self.given_up(&pending, why, lane);
        }
        self.unwanted = 0;
        let packet = Packet::read(&text[1..]);
        let passed = match packet {
            Ok(packet) => self.read(text, &packet, lane),
            Err(unreadable) => self.refused(&unreadable, lane),
        };
        first.extend(passed);
        first
    }

    fn read(&mut self, text: &str, packet: &Packet<'_>, lane: &dyn Listener) -> Passed {
        if let Some(count) = packet.attachments
            && count > self.bounds.count
        {
            let most = self.bounds.count;
            let why = format!("{count} attachments in one packet, {most} are allowed");
            return self.refused(&packet.unreadable("attachments", why), lane);
        }
        let mut rewritten = packet.query.map(|_| packet.write(packet.body));
        match packet.kind {
            Kind::Connect => {
                if let Some(namespace) = Namespace::at(packet.namespace) {
                    let query = packet.query.filter(|_| !lane.is_on(namespace));
                    *self.queries.of(namespace) = query.map(Into::into);
                }
                // JSON needs no mending.
                if let Some((mended, what)) = lenient::mend(packet.body.as_bytes()) {
                    self.metrics.mended(what);
                    rewritten = Some(packet.write(&mended));
                }
            }
            // The engine would end the session over a packet for a namespace that the client is not on.
            Kind::Disconnect if self.is_elsewhere(packet, lane) => return Passed::new(),
            Kind::Event if self.is_elsewhere(packet, lane) => {
                let name = match packet.namespace {
                    "" => "/",
                    name => name,
                };
                let why = format!("you are not on {name}: connect to it first");
                return self.refused(&packet.unreadable("namespace", why), lane);
            }
            Kind::Disconnect => {}
            Kind::Event => rewritten = self.event(packet).or(rewritten),
            Kind::Ack => {}
        }
        let text = rewritten.unwrap_or_else(|| text.to_owned());
        match packet.attachments {
            Some(missing) if missing > 0 => {
                self.pending = Some(Pending {
                    text,
                    missing,
                    came: Vec::new(),
                    bytes: 0,
                    until: Instant::now() + self.bounds.within,
                });
                Passed::new()
            }
            _ if packet.kind == Kind::Ack => {
                lane.answered(packet, Vec::new());
                Passed::new()
            }
            _ => passed(Message::text(text)),
        }
    }

    /// Whether the client is on a namespace, but not on the packet's.
    fn is_elsewhere(&self, packet: &Packet<'_>, lane: &dyn Listener) -> bool {
        let on = Namespace::at(packet.namespace).is_some_and(|n| lane.is_on(n));
        !on && lane.first_on().is_some()
    }

    /// Checks an event's JSON, and returns another text for one that the engine could not read.
    fn event(&self, packet: &Packet<'_>) -> Option<String> {
        match look(packet.body) {
            Ok(Body::Plain) => None,
            Ok(Body::Escaped(name)) if name.chars().all(is_plain) => {
                let end = end_of_name(packet.body).unwrap_or(0);
                let rest = &packet.body[end..];
                Some(packet.write(&format!("[\"{name}\"{rest}")))
            }
            Ok(Body::Escaped(_)) | Err(_) => {
                self.metrics.unreadable("json");
                let text = serde_json::Value::from(packet.body);
                Some(packet.write(&format!("[\"{NOT_JSON}\",{text}]")))
            }
        }
    }

    fn attachment(&mut self, bytes: Vec<u8>, speech: Speech, lane: &dyn Listener) -> Passed {
        if self.unwanted > 0 {
            self.unwanted -= 1;
            return Passed::new();
        }
        let Some(mut pending) = self.pending.take() else {
            return self.odd(
                "attachments",
                "an attachment came that no packet announced",
                lane,
            );
        };
        let late = Instant::now() > pending.until;
        pending.bytes += bytes.len();
        pending.missing -= 1;
        if late || pending.bytes > self.bounds.bytes {
            self.unwanted = pending.missing;
            let why = if late {
                "its attachments came too late".to_owned()
            } else {
                format!("its attachments are more than {} bytes", self.bounds.bytes)
            };
            return self.given_up(&pending, &why, lane);
        }
        pending.came.push(bytes);
        if pending.missing > 0 {
            self.pending = Some(pending);
            return Passed::new();
        }
        if let Ok(packet) = Packet::read(&pending.text[1..])
            && packet.kind == Kind::Ack
        {
            let skipped = usize::from(speech.is_first_protocol);
            let came = pending.came.into_iter();
            let came = came.map(|bytes| bytes.get(skipped..).unwrap_or_default().to_vec());
            lane.answered(&packet, came.collect());
            return Passed::new();
        }
        let mut all = passed(Message::text(pending.text));
        all.extend(pending.came.into_iter().map(Message::Binary));
        all
    }

    /// Gives up a packet whose attachments don't come.
    fn given_up(&self, pending: &Pending, why: &str, lane: &dyn Listener) -> Passed {
        match Packet::read(&pending.text[1..]) {
            Ok(packet) if packet.kind == Kind::Ack => {
                lane.answered_badly(&packet, why);
                Passed::new()
            }
            Ok(packet) => self.answer(&packet.unreadable("attachments", why), lane),
            Err(unreadable) => self.answer(&unreadable, lane),
        }
    }

    fn refused(&mut self, unreadable: &Unreadable<'_>, lane: &dyn Listener) -> Passed {
        self.unwanted = unreadable.attachments;
        self.answer(unreadable, lane)
    }

    fn odd(&self, kind: &'static str, why: &str, lane: &dyn Listener) -> Passed {
        let unreadable = Unreadable {
            namespace: "",
            ack: None,
            kind,
            attachments: 0,
            why: why.to_owned(),
        };
        self.answer(&unreadable, lane)
    }

    /// The event that is handled in place of an unreadable packet; none for a client that is on no namespace, which
    /// can't be told.
    fn answer(&self, unreadable: &Unreadable<'_>, lane: &dyn Listener) -> Passed {
        self.metrics.unreadable(unreadable.kind);
        let on = Namespace::at(unreadable.namespace).filter(|n| lane.is_on(*n));
        let (namespace, ack) = match on {
            Some(namespace) => (namespace, unreadable.ack),
            None => match lane.first_on() {
                Some(namespace) => (namespace, None),
                None => return Passed::new(),
            },
        };
        let why = serde_json::Value::from(&*unreadable.why);
        // A larger id is too large for the engine, so the id of the answer stands among the arguments.
        let known = ack.and_then(|ack| i64::try_from(ack).ok());
        let beyond = ack.filter(|_| known.is_none());
        let beyond = beyond.map(|ack| format!(",\"{ack}\"")).unwrap_or_default();
        let place = place(namespace.path(), known);
        passed(Message::text(format!(
            "42{place}[\"{UNREADABLE}\",{why}{beyond}]"
        )))
    }
}

fn passed(message: Message) -> Passed {
    SmallVec::from_iter([message])
}

/// Whether a character may stand unescaped in JSON.
fn is_plain(character: char) -> bool {
    !character.is_control() && !matches!(character, '"' | '\\')
}

/// The index at which the first string of a list ends.
fn end_of_name(json: &str) -> Option<usize> {
    let begin = json.find('"')? + 1;
    let mut is_escaped = false;
    let end = json[begin..].bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some(begin + end + 1)
}
