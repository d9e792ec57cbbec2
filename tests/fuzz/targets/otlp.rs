//! Bodies of exporters, in both encodings: they are read or refused, within the limits, and what the memory makes of the spans are
//! events of few bytes that the intake can read. Hooks of Claude likewise.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use stoa::{
    config::Content,
    event::{self, ParseContext},
    timestamp::Timestamp,
    translate::{
        Told, Words,
        claude::{Hook, Session},
        otlp::{Memory, MemoryLimits, ReadLimits, Taking, read_json, read_protobuf},
    },
};

const LIMITS: ReadLimits = ReadLimits {
    spans: 100,
    attributes: 32,
    depth: 8,
    values: 64,
    texts: true,
};

fn readable(told: Told) {
    let context = ParseContext {
        now: Timestamp::from_micros(0),
        producer: "fuzz",
        max_depth: 32,
    };
    let json = told.into_json();
    let event = event::parse(json.clone(), &context);
    let event = event.unwrap_or_else(|refusal| panic!("{refusal}: {json}"));
    event::check(&event).unwrap_or_else(|refusal| panic!("{refusal}: {json}"));
}

fuzz_target!(|data: &[u8]| {
    let words = Words(Content::Preview);
    for read in [read_protobuf(data, &LIMITS), read_json(data, &LIMITS)] {
        let Ok(request) = read else { continue };
        assert!(request.spans.len() <= LIMITS.spans);
        let mut memory = Memory::new(MemoryLimits {
            wait: Duration::from_secs(1),
            waiting_bytes: 1 << 16,
            keep: Duration::from_secs(1),
            words,
        });
        let (mut taking, now) = (Taking::default(), Instant::now());
        for span in request.spans {
            memory.take(&span, now, &mut taking);
        }
        memory.overdue(now + Duration::from_secs(2), &mut taking);
        assert_eq!(memory.deadline(), None, "nothing waits any longer");
        memory.commit();
        taking.into_events().for_each(|(told, _)| readable(told));
        memory.forget(now + Duration::from_secs(5), 0);
        assert!(memory.is_empty());
    }
    if let Ok(hook) = Hook::read(data) {
        let mut session = Session::new(&hook, None, words);
        session.take(&hook).into_iter().for_each(readable);
        session.take(&hook).into_iter().for_each(readable);
    }
});
