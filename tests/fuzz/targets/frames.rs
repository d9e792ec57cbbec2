//! Frames that the engine writes, as the guard reads their heads; and the ones that are made here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa::{
    channel::Namespace, delivery::Tag, doors::socketio::engine::frame::Frame,
    net::frame::first_frame,
};

fuzz_target!(|data: &[u8]| {
    if let Some((payload_at, end)) = first_frame(data) {
        assert!(payload_at <= 10 && payload_at <= data.len() && payload_at <= end);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for namespace in Namespace::OWN {
        let payload = serde_json::Value::from(text).to_string();
        let frame = Frame::event(namespace, text, &payload, Tag::Told);
        let (payload_at, end) = first_frame(frame.bytes()).expect("a whole frame");
        assert_eq!(end, frame.bytes().len());
        assert_eq!(&frame.bytes()[payload_at..payload_at + 2], b"42");
        let body: Vec<String> = serde_json::from_slice(frame.body()).expect("its body is JSON");
        assert_eq!(body, [text, text]);
    }
});
