//! The server's packets as msgpack.

use bytes::Bytes;
use rmp::encode::{write_map_len, write_str, write_uint};

use crate::{
    msgpack::write_json,
    net::frame::{FINAL_BINARY, FINAL_TEXT, first_frame, header},
};

/// The parts of a packet, behind the engine's `4`.
struct Parts<'p> {
    /// The type as msgpack has it: attachments are no type of their own.
    kind: u8,
    /// The number of attachments behind it.
    attachments: usize,
    namespace: &'p str,
    id: Option<u64>,
    json: &'p str,
}

impl<'p> Parts<'p> {
    fn of(text: &'p str) -> Option<Self> {
        let kind = text.bytes().next()?.checked_sub(b'0')?;
        let (mut attachments, mut rest) = (0, text.get(1..)?);
        if matches!(kind, 5 | 6) {
            let (count, behind) = rest.split_once('-')?;
            (attachments, rest) = (count.parse().ok()?, behind);
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, json) = rest.split_at(digits);
        Some(Self {
            kind: if kind > 4 { kind - 3 } else { kind },
            attachments,
            namespace,
            id: (!id.is_empty()).then(|| id.parse().ok()).flatten(),
            json,
        })
    }
}

/// The attachments that a packet announces.
pub(super) fn announced(text: &str) -> Option<usize> {
    Parts::of(text).map(|parts| parts.attachments)
}

/// The msgpack of a packet, behind the engine's `4`; none if its JSON has no msgpack.
pub(super) fn packed(text: &str, attachments: &[Bytes]) -> Option<Vec<u8>> {
    let parts = Parts::of(text)?;
    let fields = 2 + u32::from(!parts.json.is_empty()) + u32::from(parts.id.is_some());
    let mut out = Vec::with_capacity(text.len() + 32);
    // Writing into memory does not fail.
    write_map_len(&mut out, fields).ok();
    write_str(&mut out, "type").ok();
    write_uint(&mut out, parts.kind.into()).ok();
    if !parts.json.is_empty() {
        write_str(&mut out, "data").ok();
        write_json(parts.json, attachments, &mut out).ok()?;
    }
    write_str(&mut out, "nsp").ok();
    write_str(&mut out, parts.namespace).ok();
    if let Some(id) = parts.id {
        write_str(&mut out, "id").ok();
        write_uint(&mut out, id).ok();
    }
    Some(out)
}

/// Whether frames begin with a packet that has to be packed: the engine's own packets, and what is packed already, stay as they
/// are.
pub(in crate::doors::socketio::engine) fn is_plain(frames: &[u8]) -> bool {
    frames.first() == Some(&FINAL_TEXT)
        && first_frame(frames).is_some_and(|(at, _)| frames.get(at) == Some(&b'4'))
}

/// The frame of a packet, from its text frame and those of its attachments; none if it has no msgpack.
pub(in crate::doors::socketio::engine) fn pack(frames: &Bytes) -> Option<Bytes> {
    let (at, mut end) = first_frame(frames)?;
    let text = std::str::from_utf8(frames.get(at + 1..end)?).ok()?;
    let mut attachments = Vec::new();
    while let Some((at, len)) = frames.get(end..).and_then(first_frame) {
        frames.get(end..end + len)?;
        attachments.push(frames.slice(end + at..end + len));
        end += len;
    }
    let packet = packed(text, &attachments)?;
    let mut frame = header(FINAL_BINARY, packet.len()).to_vec();
    frame.extend_from_slice(&packet);
    Some(frame.into())
}

#[cfg(test)]
mod tests {
    use super::{super::read::PacketBounds, *};
    use crate::doors::socketio::engine::msgpack::unpack;

    const BOUNDS: PacketBounds = PacketBounds {
        attachments: 10,
        text: 100_000,
    };

    #[test]
    fn what_is_packed_is_read_as_what_it_was() {
        let long: String = (0..70_000).map(|_| 'x').collect();
        let list: Vec<u32> = (0..20).collect();
        for (text, attachments) in [
            ("40{\"sid\":\"a\"}".to_owned(), vec![]),
            ("41".to_owned(), vec![]),
            ("41/admin,".to_owned(), vec![]),
            ("42[\"e\",{\"z\":1.5,\"a\":[null,true,-7]}]".to_owned(), vec![]),
            (format!("42/a,[\"e\",{list:?},\"{long}\"]").replace(", ", ","), vec![]),
            ("43/a,12[]".to_owned(), vec![]),
            (
                "452-/a,3[\"e\",{\"_placeholder\":true,\"num\":0},{\"b\":{\"_placeholder\":true,\"num\":1}}]"
                    .to_owned(),
                vec![Bytes::from_static(b"\x01\x02"), Bytes::new()],
            ),
            // No attachment has this number.
            ("42[\"e\",{\"_placeholder\":true,\"num\":5}]".to_owned(), vec![]),
        ] {
            let packet = packed(&text[1..], &attachments).expect("packed");
            let read = unpack(&packet, BOUNDS).expect("read");
            assert_eq!(read.text, text);
            assert_eq!(read.attachments, attachments);
        }
    }

    #[test]
    fn keys_of_a_placeholder_may_stand_in_either_order() {
        let text = "51-[\"e\",{\"num\":0,\"_placeholder\":true}]";
        let packet = packed(text, &[Bytes::from_static(b"\x07")]).expect("packed");
        assert_eq!(unpack(&packet, BOUNDS).expect("read").attachments, [[7]]);
    }

    #[test]
    fn only_packets_of_socketio_are_packed_and_each_once() {
        for other in [
            &b"\x81\x012"[..],
            b"\x81\x030{}",
            b"\x88\x00",
            b"\x82\x01\x00",
            b"",
        ] {
            assert!(!is_plain(other), "{other:?}");
        }
        let frame = Bytes::from(crate::net::frame::text("42[\"e\"]"));
        assert!(is_plain(&frame));
        assert!(!is_plain(&pack(&frame).expect("packed")));
        for beyond in ["42[\"e\",1e999]", "42[\"e\",\"\\ud800\"]"] {
            let frame = Bytes::from(crate::net::frame::text(beyond));
            assert_eq!(pack(&frame), None, "{beyond}");
        }
    }
}
