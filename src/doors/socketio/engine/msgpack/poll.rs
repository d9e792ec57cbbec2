//! The answer to a poll for a client with the msgpack parser.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    super::packets::{Form, joined, packets},
    write::{announced, packed},
};

/// The answer with each packet of Socket.IO as msgpack, and the number of those that have none and are left out.
pub(in crate::doors::socketio::engine) fn packed_poll(body: &[u8]) -> (Vec<u8>, usize) {
    let mut all = packets(Form::Separated, body);
    let (mut answer, mut lost) = (Vec::new(), 0);
    while let Some(packet) = all.next() {
        let text = packet.strip_prefix(b"4").map(std::str::from_utf8);
        let Some(Ok(text)) = text else {
            answer.push(packet.to_vec());
            continue;
        };
        let count = announced(text).unwrap_or(0);
        let attachments: Vec<Bytes> = all.by_ref().take(count).filter_map(attachment).collect();
        match packed(text, &attachments) {
            Some(packet) => answer.push(format!("b{}", STANDARD.encode(packet)).into_bytes()),
            None => lost += 1,
        }
    }
    if answer.is_empty() {
        // An answer says something: a packet that means nothing.
        answer.push(b"6".to_vec());
    }
    (joined(answer.into_iter()), lost)
}

fn attachment(packet: &[u8]) -> Option<Bytes> {
    let bytes = STANDARD.decode(packet.strip_prefix(b"b")?).ok()?;
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_socketio_are_packed_and_others_stay() {
        let body = "2\x1e451-[\"e\",{\"_placeholder\":true,\"num\":0}]\x1ebBwg=\x1e42[1e999]\x1e41";
        let (answer, lost) = packed_poll(body.as_bytes());
        let all: Vec<&[u8]> = packets(Form::Separated, &answer).collect();
        let event = packed(
            "51-[\"e\",{\"_placeholder\":true,\"num\":0}]",
            &[Bytes::from_static(b"\x07\x08")],
        );
        assert_eq!(all.len(), 3);
        assert_eq!(all[0], b"2");
        assert_eq!(STANDARD.decode(&all[1][1..]).ok(), event);
        assert_eq!(STANDARD.decode(&all[2][1..]).ok(), packed("1", &[]));
        assert_eq!(lost, 1);
        assert_eq!(packed_poll(b"42[1e999]").0, b"6");
    }
}
