use super::*;

#[test]
fn frames_say_their_length_at_every_header_size() {
    for size in [0, 1, 100, 125, 126, 127, 1_000, 65_530, 65_536, 70_000] {
        let payload = format!("\"{}\"", "x".repeat(size));
        let update = Outgoing::new(Namespace::Root, "e", payload.clone());
        let frame = Frame::of_update(Frame::message_of(&update).clone(), false);
        let (payload_at, end) = first_frame(frame.bytes()).unwrap();
        assert_eq!(end, frame.bytes().len());
        assert_eq!(&frame.bytes()[payload_at..payload_at + 2], b"42");
        assert_eq!(frame.body(), format!("[\"e\",{payload}]").as_bytes());
    }
}

#[test]
fn a_cursor_is_an_argument_more_where_there_is_one() {
    let plain = Outgoing::new(Namespace::Root, "e", "1".into());
    let frame = |update: &Outgoing| {
        let frame = Frame::of_update(Frame::offset_message_of(update).clone(), false);
        String::from_utf8(frame.body().to_vec()).unwrap()
    };
    assert_eq!(frame(&plain), "[\"e\",1]");
    assert_eq!(frame(&plain.at("a.1")), "[\"e\",1,\"a.1\"]");
    let bare = Outgoing::new(Namespace::Root, "e", String::new());
    assert_eq!(frame(&bare.passing(Some("a.1".into()))), "[\"e\",\"a.1\"]");
    let chat = Namespace::declare("/frame.places").unwrap();
    let other = Outgoing::new(chat, "e", "1".into());
    assert_eq!(frame(&other.at("a.1")), "[\"e\",1,\"a.1\"]");
}

#[test]
fn attachments_are_frames_of_their_own() {
    let text = r#"{"event":"e","args":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}],
        "attachments":["AQI=",""]}"#;
    let limits = crate::emission::EmissionLimits::default();
    let emission = crate::emission::Emission::read(text.as_bytes(), &limits).unwrap();
    let args = emission.args.clone();
    for namespace in Namespace::OWN {
        let mut emission = emission.clone();
        emission.namespace = namespace;
        let update = Outgoing::of_emission(&emission.into());
        let behind = |first, message: &Arc<WireMessage>| {
            let frame = Frame::of_update(message.clone(), first);
            assert_eq!(frame.body(), format!("[\"e\",{args}]").as_bytes());
            assert_eq!(frame.attachments(), [&b"\x01\x02"[..], b""]);
            assert_eq!(frame.packets(), 3);
            let (_, end) = first_frame(frame.bytes()).unwrap();
            frame.bytes().slice(end..)
        };
        let frames = behind(false, Frame::message_of(&update));
        assert_eq!(&frames[..], b"\x82\x02\x01\x02\x82\x00");
        let frames = behind(true, Frame::first_message_of(&update));
        assert_eq!(&frames[..], b"\x82\x03\x04\x01\x02\x82\x01\x04");
    }
}

#[test]
fn namespaces_and_acks_are_written_as_the_protocol_wants() {
    let frame = Frame::ack(Namespace::Conversations, 17, "{}");
    assert_eq!(&frame.bytes()[2..], b"43/conversations,17[{}]");
    let frame = Frame::event(Namespace::Admin, "a", "1", Tag::Aside);
    assert_eq!(&frame.bytes()[2..], b"42/admin,[\"a\",1]");
}
