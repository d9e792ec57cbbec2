//! Messages of a bus, as each kind of emitter writes them: read or refused, and what is read is what an emission may be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use stoa::doors::bus::{Message, MessageLimits, entry, node, python};

const LIMITS: MessageLimits = MessageLimits {
    max_bytes: 8_192,
    max_depth: 16,
    max_rooms: 100,
    max_attachments: 10,
};

fuzz_target!(|data: &[u8]| {
    let entry = |kind, data| {
        entry::read(
            entry::Fields {
                kind,
                namespace: b"/",
                data,
            },
            LIMITS,
        )
    };
    let read = [
        python::read(data, python::ListData::Args, LIMITS),
        python::read(data, python::ListData::Raw, LIMITS),
        node::read(data, LIMITS),
        entry(b"3", data),
        entry(data, b"{}"),
    ];
    for message in read {
        let Ok(Message::Emit(broadcast)) = message else {
            continue;
        };
        // Numbers that no float holds and halves of surrogate pairs are passed on as they are.
        let args: Vec<Box<RawValue>> =
            serde_json::from_str(&format!("[{}]", broadcast.args)).expect("a list of values");
        assert_eq!(args.is_empty(), broadcast.args.is_empty());
        assert!(!broadcast.namespace.is_empty());
        assert!(
            broadcast.args.len() <= 16 * LIMITS.max_bytes,
            "no text grows without bound"
        );
    }
});
