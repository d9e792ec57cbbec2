//! Filters that clients send: read or refused, and asked about real events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use stoa::{
    access::authz::{Filter, Subject},
    event::{self, Priority, folded},
    timestamp::Timestamp,
};

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let Ok(filter) = Filter::parse(&value) else {
        return;
    };
    let intake = event::ParseContext {
        now: Timestamp::from_micros(0),
        producer: "fuzz",
        max_depth: 32,
    };
    for name in [
        "task.completed",
        "agent_status_changed",
        "deploy:started",
        "x",
    ] {
        let event = json!({ "type": name, "project_id": "p1", "data": { "agent_id": "a1", "run_id": "r1" } });
        let event = event::parse(event, &intake).expect("an event");
        for (update, priority) in [
            ("task_update", Priority::High),
            ("generic_update", Priority::Low),
        ] {
            let admitted = filter.admits(&Subject {
                update,
                folded: &folded(update),
                priority,
                event: &event,
            });
            assert!(
                admitted || !filter.is_empty(),
                "an empty filter lets everything through"
            );
        }
        filter.admits_name(name);
    }
    assert_eq!(
        Filter::parse(&value).as_ref(),
        Ok(&filter),
        "the same text is the same filter"
    );
});
