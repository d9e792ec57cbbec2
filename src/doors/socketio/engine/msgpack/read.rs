//! A client's packet of msgpack as the text and the attachments that others would send.

use crate::msgpack::{Fault, Head, Limits, Reader, Written};

/// Lists and maps around a value: as many as the reader of JSON takes.
const MAX_DEPTH: usize = 127;

/// Bounds on a packet.
#[derive(Debug, Clone, Copy)]
pub(in crate::doors::socketio::engine) struct PacketBounds {
    /// Binary values.
    pub(in crate::doors::socketio::engine) attachments: usize,
    /// Bytes of the text that it becomes.
    pub(in crate::doors::socketio::engine) text: usize,
}

/// A packet, translated.
#[derive(Debug)]
pub(in crate::doors::socketio::engine) struct Unpacked {
    /// The packet behind the engine's `4`, with that.
    pub(in crate::doors::socketio::engine) text: String,
    pub(in crate::doors::socketio::engine) attachments: Vec<Vec<u8>>,
    /// Whether it asks to join a namespace.
    pub(in crate::doors::socketio::engine) is_connect: bool,
}

/// A packet that can't be translated, with the parts that can.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::doors::socketio::engine) struct Unread {
    /// The namespace that an answer has to go to.
    pub(in crate::doors::socketio::engine) namespace: String,
    /// The id of that answer.
    pub(in crate::doors::socketio::engine) ack: Option<u128>,
    /// The label of the counter.
    pub(in crate::doors::socketio::engine) kind: &'static str,
    /// The reason, in words.
    pub(in crate::doors::socketio::engine) why: String,
}

/// The fields of a packet.
#[derive(Debug, Default)]
struct Fields {
    kind: Option<u64>,
    namespace: String,
    id: Option<u64>,
    data: Written,
    /// The fault in the data; the other fields are read all the same.
    fault: Option<Fault>,
}

/// Translates a packet.
pub(in crate::doors::socketio::engine) fn unpack(
    bytes: &[u8],
    bounds: PacketBounds,
) -> Result<Unpacked, Unread> {
    let mut fields = Fields::default();
    if let Err(fault) = fields.read(bytes, bounds) {
        fields.fault = Some(fault);
    }
    fields.text()
}

impl Fields {
    fn read(&mut self, bytes: &[u8], bounds: PacketBounds) -> Result<(), Fault> {
        let limits = Limits {
            max_depth: MAX_DEPTH,
            max_attachments: bounds.attachments,
            max_json: bounds.text,
        };
        let mut reader = Reader::new(bytes, limits);
        let Head::Map(len) = reader.head()? else {
            return Err(Fault::malformed("it is no map"));
        };
        for _ in 0..len {
            match reader.text()? {
                "type" => match reader.head()? {
                    Head::Unsigned(kind) => self.kind = Some(kind),
                    _ => return Err(Fault::malformed("its type is no number")),
                },
                "nsp" => self.namespace = reader.text()?.to_owned(),
                "id" => match reader.head()? {
                    Head::Unsigned(id) => self.id = Some(id),
                    Head::Nil => {}
                    _ => return Err(Fault::malformed("its id is no number from 0 on")),
                },
                "data" => {
                    let mut ahead = reader.clone();
                    reader.skip()?;
                    self.data = Written::default();
                    self.fault = ahead.value(&mut self.data, 0).err();
                }
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        self.fault.take().map_or(Ok(()), Err)
    }

    fn text(self) -> Result<Unpacked, Unread> {
        let fault = self.fault.as_ref().map(|fault| match fault {
            Fault::TooManyAttachments(_) => ("attachments", fault.to_string()),
            Fault::TooLarge(most) => (
                "msgpack",
                format!(
                    "it becomes more than {most} bytes of JSON ([server] max_http_buffer_size)"
                ),
            ),
            fault => ("msgpack", fault.to_string()),
        });
        let is_path = self.namespace.starts_with('/') && !self.namespace.contains([',', '?']);
        let fault = fault.or_else(|| {
            let why = "its nsp is no name of a namespace";
            (!is_path).then(|| ("msgpack", why.to_owned()))
        });
        let binary = self.data.attachments.len();
        let mut text = match (self.kind, binary) {
            (Some(kind @ 0..=1), _) => format!("4{kind}"),
            (Some(kind @ 2..=3), 0) => format!("4{kind}"),
            (Some(kind @ 2..=3), count) => format!("4{}{count}-", kind + 3),
            _ => String::new(),
        };
        let fault = fault.or_else(|| {
            let why = "a packet has a type: 0, 1, 2 or 3";
            text.is_empty().then(|| ("packet_type", why.to_owned()))
        });
        if let Some((kind, why)) = fault {
            let is_event = self.kind.is_none_or(|kind| kind == 2);
            return Err(Unread {
                namespace: self.namespace,
                ack: self.id.filter(|_| is_event).map(u128::from),
                kind,
                why: format!("the packet of msgpack can't be read: {why}"),
            });
        }
        if self.namespace != "/" {
            text.push_str(&self.namespace);
            text.push(',');
        }
        if let Some(id) = self.id {
            text.push_str(&id.to_string());
        }
        if self.data.json != b"null" {
            text.push_str(&String::from_utf8_lossy(&self.data.json));
        }
        Ok(Unpacked {
            text,
            attachments: match self.kind {
                Some(2 | 3) => self.data.attachments.into_iter().map(Vec::from).collect(),
                _ => Vec::new(),
            },
            is_connect: self.kind == Some(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: PacketBounds = PacketBounds {
        attachments: 2,
        text: 1_000,
    };

    /// A map of these values, with `data` as it is.
    fn packet(kind: u8, namespace: &str, id: Option<u8>, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x83 + u8::from(id.is_some())];
        let text = |text: &str, bytes: &mut Vec<u8>| {
            rmp::encode::write_str(bytes, text).ok();
        };
        text("type", &mut bytes);
        bytes.push(kind);
        text("data", &mut bytes);
        bytes.extend_from_slice(data);
        text("nsp", &mut bytes);
        text(namespace, &mut bytes);
        if let Some(id) = id {
            text("id", &mut bytes);
            bytes.push(id);
        }
        bytes
    }

    fn text(bytes: &[u8]) -> String {
        unpack(bytes, BOUNDS).expect("a packet").text
    }

    #[test]
    fn packets_become_what_others_send() {
        let nothing = &[0xc0];
        assert_eq!(text(&packet(0, "/", None, nothing)), "40");
        assert_eq!(
            text(&packet(0, "/admin", None, b"\x81\xa1a\x01")),
            "40/admin,{\"a\":1}"
        );
        assert_eq!(text(&packet(1, "/", None, nothing)), "41");
        assert_eq!(
            text(&packet(2, "/", None, b"\x92\xa1e\xc0")),
            "42[\"e\",null]"
        );
        assert_eq!(text(&packet(3, "/a", Some(7), b"\x91\x05")), "43/a,7[5]");
        let binary = unpack(
            &packet(2, "/a", Some(1), b"\x92\xa1e\xc4\x02\x08\x09"),
            BOUNDS,
        );
        let binary = binary.expect("a packet");
        let placeholder = "{\"_placeholder\":true,\"num\":0}";
        assert_eq!(binary.text, format!("451-/a,1[\"e\",{placeholder}]"));
        assert_eq!(binary.attachments, [[8, 9]]);
        assert!(!binary.is_connect);
    }

    #[test]
    fn a_packet_that_cannot_be_read_says_whom_to_answer() {
        let deep: Vec<u8> = [0x91; 200].into_iter().chain([0xc0]).collect();
        let unread = unpack(&packet(2, "/a", Some(9), &deep), BOUNDS).expect_err("too deep");
        assert_eq!((&*unread.namespace, unread.ack), ("/a", Some(9)));
        assert!(unread.why.contains("nested 127 deep"), "{}", unread.why);
        let many = packet(2, "/", None, b"\x93\xc4\x00\xc4\x00\xc4\x00");
        assert_eq!(
            unpack(&many, BOUNDS).expect_err("three").kind,
            "attachments"
        );
        let mut large = vec![0xdc, 0x01, 0xf4];
        large.extend_from_slice(&[0xc0; 500]);
        let unread = unpack(&packet(2, "/", Some(3), &large), BOUNDS).expect_err("too large");
        assert!(
            unread.why.contains("max_http_buffer_size"),
            "{}",
            unread.why
        );
        assert_eq!(unread.ack, Some(3));
        for (bytes, kind) in [
            (packet(4, "/", None, b"\x80"), "packet_type"),
            (packet(5, "/", None, b"\x91\xa1e"), "packet_type"),
            (packet(2, "/a,1", None, b"\x91\xa1e"), "msgpack"),
            (packet(2, "a", None, b"\x91\xa1e"), "msgpack"),
            (vec![0x91, 0xc0], "msgpack"),
            (vec![0xff; 9], "msgpack"),
            (Vec::new(), "msgpack"),
        ] {
            assert_eq!(
                unpack(&bytes, BOUNDS).expect_err("refused").kind,
                kind,
                "{bytes:?}"
            );
        }
    }
}
