//! Messages deflated and inflated, offers of every kind, and bombs.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use proptest::prelude::*;

use super::*;
use crate::{
    channel::Namespace,
    delivery::{Tag, WireMessage},
    net::frame::{FINAL_TEXT, first_frame, header},
    observe::CompressionMetrics,
};

const LIMITS: CompressionLimits = CompressionLimits {
    min_bytes: 1_000,
    level: 6,
    max_message: 100_000,
    max_ratio: 100,
};

fn compression() -> (Arc<Compression>, Arc<CompressionMetrics>) {
    let metrics = Arc::new(CompressionMetrics::default());
    (Compression::new(LIMITS, metrics.clone()), metrics)
}

fn deflated(payload: &[u8]) -> Vec<u8> {
    deflate(payload, 9, 0, <[u8]>::to_vec).expect("it gets smaller")
}

/// Bytes of every kind: random ones, and ones that repeat.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..3_000),
        (prop::collection::vec(any::<u8>(), 1..40), 1_usize..3_000)
            .prop_map(|(part, times)| part.repeat(times)),
        "[a-e{}\":,0-9]{0,4000}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn a_message_comes_out_as_it_went_in(payload in payload(), level in 1_u32..=9) {
        let message = deflate(&payload, level, 0, <[u8]>::to_vec);
        if let Some(message) = message {
            prop_assert!(message.len() <= payload.len());
            prop_assert_eq!(inflate(&message, payload.len()), Ok(payload.clone()));
            // The bound holds to the byte, and a message that broke off is never taken for the whole: the bits that are
            // there may end a block by chance.
            if let Some(less) = payload.len().checked_sub(1) {
                prop_assert_eq!(inflate(&message, less), Err(Broken::TooLarge));
                let half = inflate(&message[..message.len() / 2], payload.len());
                prop_assert_ne!(half, Ok(payload));
            }
        }
    }

    #[test]
    fn anything_at_all_is_inflated_within_its_bound_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000), most in 0_usize..10_000) {
        if let Ok(inflated) = inflate(&bytes, most) {
            prop_assert!(inflated.len() <= most);
        }
    }

    #[test]
    fn any_header_is_answered_or_declined(text in "[ -~]{0,200}") {
        agree_on(&[&text]).ok();
    }
}

#[test]
fn a_last_block_ends_a_message_and_nothing_follows_it() {
    // RFC 7692, 7.2.3.2, 7.2.3.3 and 7.2.3.4.
    let hello: [&[u8]; 3] = [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[
            0x00, 0x05, 0x00, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0x00,
        ],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
    ];
    for message in hello {
        assert_eq!(inflate(message, 100), Ok(b"Hello".to_vec()), "{message:x?}");
    }
    // A message of nothing, as zlib writes it and as it may be sent.
    assert_eq!(inflate(&[0x00], 100), Ok(Vec::new()));
    assert_eq!(inflate(&[], 100), Ok(Vec::new()));
    // A second last block, and a message that goes on behind it.
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(inflate(&last.repeat(2), 100), Err(Broken::Malformed));
    assert_eq!(
        inflate(&[&last[..], &[1]].concat(), 100),
        Err(Broken::Malformed)
    );
    // Distances that lead before the message: another one's bytes are not there.
    let apart = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(inflate(&apart, 100), Err(Broken::Malformed));
}

#[test]
fn what_gets_no_smaller_stays_as_it_is() {
    assert_eq!(deflate(b"", 6, 0, <[u8]>::to_vec).map(|m| m.len()), None);
    let mut random = 7_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u8
    })
    .take(5_000)
    .collect();
    assert_eq!(deflate(&noise, 9, 0, <[u8]>::to_vec), None);
    let text = b"aaaaaaaaaaaaaaaaaaaabcdefgh".repeat(4);
    assert!(deflate(&text, 6, 50, <[u8]>::to_vec).is_some());
    assert_eq!(deflate(&text, 6, 100, <[u8]>::to_vec), None);
}

fn agree_on(lines: &[&str]) -> Result<Option<HeaderValue>, Declined> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let line = HeaderValue::from_str(line).expect("a header");
        headers.append(SEC_WEBSOCKET_EXTENSIONS, line);
    }
    agree(&headers)
}

#[test]
fn the_first_offer_that_can_be_taken_is() {
    const ANSWER: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let agreed = |lines: &[&str]| {
        let answer = agree_on(lines).map(|a| a.map(|a| a.to_str().expect("text").to_owned()));
        answer.unwrap_or_else(|declined| panic!("{lines:?}: {declined:?}"))
    };
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate;client_max_window_bits=\"10\" ; server_no_context_takeover",
        "PerMessage-Deflate; client_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=8",
        "x; y=\"a, permessage-deflate; \\\" z\", permessage-deflate",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        "permessage-deflate; something_else, permessage-deflate",
        ", permessage-deflate,",
    ] {
        assert_eq!(agreed(&[offer]).as_deref(), Some(ANSWER), "{offer}");
    }
    assert_eq!(
        agreed(&["permessage-deflate; server_max_window_bits=15"]),
        Some(format!("{ANSWER}; server_max_window_bits=15"))
    );
    assert_eq!(
        agreed(&["x", "permessage-deflate"]).as_deref(),
        Some(ANSWER)
    );
    for offer in [
        "",
        "x-webkit-deflate-frame",
        "permessage-bzip2; a=b",
        "x; y=\"permessage-deflate\"",
    ] {
        assert_eq!(agreed(&[offer]), None, "{offer}");
    }
    assert_eq!(agreed(&[]), None);
}

#[test]
fn offers_that_can_not_be_taken_are_declined_with_their_reason() {
    for (offer, why) in [
        (
            "permessage-deflate; server_max_window_bits=10",
            Declined::Window,
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; x",
            Declined::Window,
        ),
        (
            "permessage-deflate; server_max_window_bits",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; server_max_window_bits=16",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; server_max_window_bits=015",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; server_max_window_bits=7",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; server_max_window_bits=+15",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; client_max_window_bits=",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; client_max_window_bits=99",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; server_no_context_takeover=1",
            Declined::Parameters,
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            Declined::Parameters,
        ),
        ("permessage-deflate; unknown", Declined::Parameters),
        ("permessage-deflate;", Declined::Parameters),
        (
            "permessage-deflate; client_max_window_bits=\"10",
            Declined::Malformed,
        ),
        ("permessage deflate", Declined::Malformed),
        ("; a, permessage-deflate", Declined::Malformed),
    ] {
        assert_eq!(agree_on(&[offer]), Err(why), "{offer}");
    }
}

#[test]
fn a_message_may_be_as_long_as_any_and_bombs_may_not_follow_each_other() {
    let (compression, _) = compression();
    let bomb = deflated(&vec![b'x'; LIMITS.max_message]);
    assert!(bomb.len() < 200);
    let mut client = compression.inflation();
    assert_eq!(
        client.inflate(&bomb).map(|m| m.len()),
        Ok(LIMITS.max_message)
    );
    assert_eq!(client.inflate(&bomb), Err(InflationError::Ratio));
    // A message that is too long itself says so.
    let mut client = compression.inflation();
    let longer = deflated(&vec![b'x'; LIMITS.max_message + 1]);
    assert_eq!(client.inflate(&longer), Err(InflationError::TooLarge));
    // Those of a reasonable ratio come without end.
    let json: String = (0..3_000).map(|n| format!("{{\"n\":{n}}}")).collect();
    let json = deflated(json.as_bytes());
    let mut client = compression.inflation();
    for _ in 0..200 {
        assert!(client.inflate(&json).is_ok());
    }
}

/// A text of so many bytes as a frame.
fn text(len: usize) -> Arc<WireMessage> {
    let payload: String = (0..)
        .flat_map(|n: u32| format!("{n},").into_bytes())
        .take(len)
        .map(char::from)
        .collect();
    let mut bytes = header(FINAL_TEXT, len).to_vec();
    bytes.extend(payload.bytes());
    WireMessage::new(Namespace::Root, Tag::Update("7".into()), bytes.into())
}

#[tokio::test]
async fn a_message_is_compressed_once_for_all_and_keeps_its_tag() {
    let (compression, metrics) = compression();
    for len in [2_000, 60_000, 200_000] {
        let message = text(len);
        let mut queues: Vec<_> = (0..5).map(|_| message.clone()).collect();
        let saved = compression.compress(queues.iter_mut()).await;
        let compressed = &queues[0];
        assert_eq!(saved, 5 * (message.bytes.len() - compressed.bytes.len()));
        assert!(queues.iter().all(|other| Arc::ptr_eq(other, compressed)));
        assert_eq!(
            (&compressed.tag, compressed.namespace),
            (&message.tag, message.namespace)
        );
        let (payload_at, end) = first_frame(&compressed.bytes).expect("a frame");
        assert_eq!((compressed.bytes[0], end), (0xc1, compressed.bytes.len()));
        let (plain_at, _) = first_frame(&message.bytes).expect("a frame");
        assert_eq!(
            inflate(&compressed.bytes[payload_at..], len).as_deref(),
            Ok(&message.bytes[plain_at..])
        );
        // A compressed message is left alone.
        assert_eq!(compression.compress(queues.iter_mut()).await, 0);
    }
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut told = String::new();
    prometheus_client::encoding::text::encode(&mut told, &registry).expect("text");
    assert!(told.contains("messages_compressed_total 3\n"), "{told}");
    assert!(told.contains("deliveries_compressed_total 15\n"), "{told}");
}

#[tokio::test]
async fn small_messages_and_those_of_control_stay_as_they_are() {
    let (compression, _) = compression();
    let close = WireMessage::aside([&[0x88, 125][..], &[b'x'; 125].repeat(20)].concat().into());
    let broken = WireMessage::aside(
        [&header(FINAL_TEXT, 5_000)[..], &[b'x'; 4_000]]
            .concat()
            .into(),
    );
    for message in [text(900), close, broken] {
        let mut sent = message.clone();
        assert_eq!(compression.compress([&mut sent].into_iter()).await, 0);
        assert!(Arc::ptr_eq(&sent, &message));
    }
}

/// A client's frame.
fn client_frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len()).to_vec();
    frame[1] |= 0x80;
    frame.extend(mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// The messages that a WebSocket without compression reads, with the frames of control among them.
fn read(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut messages, mut begun) = (Vec::new(), None);
    while let Some((mask_at, end)) = first_frame(bytes) {
        let mask: [u8; 4] = bytes[mask_at..mask_at + 4].try_into().expect("a mask");
        let payload = bytes[mask_at + 4..end + 4].iter().zip(mask.iter().cycle());
        let payload: Vec<u8> = payload.map(|(byte, mask)| byte ^ mask).collect();
        let (first, opcode) = (bytes[0], bytes[0] & 0x0f);
        assert_eq!(first & 0x70, 0, "no reserved bit is left");
        bytes = &bytes[end + 4..];
        if opcode >= 8 {
            messages.push((opcode, payload));
            continue;
        }
        let (_, message) = begun.get_or_insert((opcode, Vec::new()));
        message.extend(payload);
        if first & 0x80 != 0 {
            messages.extend(begun.take());
        }
    }
    assert!(bytes.is_empty());
    messages
}

/// A message of a client: its text, whether it is compressed, the places at which it is cut, and a ping after the first
/// piece.
type Sent = (Vec<u8>, bool, Vec<usize>, bool, [u8; 4]);

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = prop::collection::vec(0_usize..300, 0..4);
    (
        "[a-c]{0,300}",
        any::<bool>(),
        cuts,
        any::<bool>(),
        any::<[u8; 4]>(),
    )
        .prop_map(|(text, compressed, cuts, ping, mask)| {
            (text.into_bytes(), compressed, cuts, ping, mask)
        })
}

proptest! {
    #[test]
    fn a_clients_frames_come_out_as_its_messages_however_they_are_cut(messages in prop::collection::vec(sent(), 0..8), step in 1_usize..200) {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (text, compressed, cuts, ping, mask) in messages {
            let payload = if compressed {
                let mut stored = vec![0x00];
                let len = u16::try_from(text.len()).expect("short");
                stored.extend(len.to_le_bytes());
                stored.extend((!len).to_le_bytes());
                stored.extend(&text);
                stored.push(0x00);
                stored
            } else {
                text.clone()
            };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(payload.len())).collect();
            cuts.sort_unstable();
            let ends: Vec<usize> = cuts.iter().copied().chain([payload.len()]).collect();
            let mut from = 0;
            for (n, end) in ends.iter().enumerate() {
                let opcode = if n == 0 { 1 } else { 0 };
                let marked = if n == 0 && compressed { 0x40 } else { 0 };
                let last = if n + 1 == ends.len() { 0x80 } else { 0 };
                wire.extend(client_frame(opcode | marked | last, mask, &payload[from..*end]));
                from = *end;
                if n == 0 && ping {
                    wire.extend(client_frame(0x89, mask, b"ping"));
                    expected.push((9, b"ping".to_vec()));
                    if ends.len() == 1 {
                        let at = expected.len() - 1;
                        expected.insert(at, (1, text.clone()));
                    }
                } else if last != 0 {
                    expected.push((1, text.clone()));
                }
            }
        }
        let (mut inbound, mut out) = (compression().0.inbound(), bytes::BytesMut::new());
        for piece in wire.chunks(step) {
            prop_assert_eq!(inbound.take(piece, &mut out), Ok(()));
        }
        let mut came = read(&out);
        // A ping overtakes a message that is collected, and none that is passed on.
        came.sort();
        expected.sort();
        prop_assert_eq!(came, expected);
    }
}

#[test]
fn frames_that_break_a_compressed_message_end_the_connection() {
    let hello = deflated(b"hello hello hello hello hello");
    let begun = client_frame(0x41, [1, 2, 3, 4], &hello[..3]);
    let after = |next: &[u8]| {
        let mut inbound = compression().0.inbound();
        inbound.take(&[&begun[..], next].concat(), &mut bytes::BytesMut::new())
    };
    assert_eq!(after(&client_frame(0x80, [0; 4], &hello[3..])), Ok(()));
    for first in [0x81, 0xc1, 0x82, 0xc0] {
        assert_eq!(
            after(&client_frame(first, [0; 4], b"x")),
            Err(InflationError::Interrupted),
            "{first:x}"
        );
    }
    // An announced size is refused by its header, and a message in pieces by their sum.
    let long = client_frame(0x80, [0; 4], &vec![0; LIMITS.max_message]);
    assert_eq!(after(&long[..14]), Err(InflationError::TooLarge));
    assert_eq!(
        after(&client_frame(0x80, [0; 4], &hello[..2])),
        Err(InflationError::Malformed)
    );
    // A frame without compression is left to the WebSocket to judge.
    let mut out = bytes::BytesMut::new();
    let odd = [
        client_frame(0xc9, [0; 4], b"x"),
        client_frame(0xa1, [0; 4], b"x"),
    ]
    .concat();
    assert_eq!(compression().0.inbound().take(&odd, &mut out), Ok(()));
    assert_eq!(out, odd);
}
