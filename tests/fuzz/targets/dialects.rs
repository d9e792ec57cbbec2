//! What producers send, by the whole way: lines of JSON to events, kept and read again, planned, merged, rendered, and
//! folded into the state and Seneca's desk.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stoa::{
    access::Sight,
    event::{self, Event, Timestamp},
    seneca::Desk,
    state::{Limits, State},
    update::{
        Listening, Pace, Rule, RuleConfig, Stamp, Table, TransformOptions, entities, event_rooms,
        harmless, merge, render, rooms_hash,
    },
};

/// As many lines of one input are read: more find nothing that these don't.
const MAX_LINES: usize = 16;

fn table() -> Table {
    let rule = RuleConfig {
        matches: "deploy.*".into(),
        emit: "deploy_update".into(),
        rooms: Some(vec!["project:{project_id}".into()]),
        coalesce_by: Some("{data.service}".into()),
        fields: [(
            "text".to_owned(),
            "{data.state} of {metadata.by}".to_owned(),
        )]
        .into(),
        ..RuleConfig::default()
    };
    Table::new(TransformOptions {
        throttle: Duration::from_millis(100),
        text_throttle: Duration::from_millis(33),
        rules: vec![Rule::compile(&rule).expect("a rule")],
    })
}

fn read(line: &[u8]) -> Option<Event> {
    let value: Value = serde_json::from_slice(line).ok()?;
    if event::elements_exceed(&value, line.len(), 1_000) {
        return None;
    }
    let intake = event::Intake {
        now: Timestamp::from_micros(1_700_000_000_000_000),
        producer: "fuzz",
        max_depth: 32,
    };
    let event = event::parse(value, &intake).ok()?;
    event::check(&event).ok();
    Some(event)
}

fuzz_target!(|data: &[u8]| {
    let table = table();
    let limits = Limits {
        max_entities: 16,
        ..Limits::default()
    };
    let (mut desk, mut state) = (Desk::new().sanitizing(true), State::new(limits));
    let mut earlier: Option<Event> = None;
    for event in data.split(|b| *b == b'\n').take(MAX_LINES).filter_map(read) {
        let kept = Event::from_stored(&event.to_stored()).expect("what is kept can be read");
        assert_eq!(kept, event, "and is the same");
        event_rooms(&event, &mut |room| assert!(!room.is_empty()));
        let _ = (rooms_hash(&event), entities(&event));
        for planned in &table.plan(&event, Listening::ALL) {
            let merged = match (&planned.pace, &earlier) {
                (Pace::Coalesced { merge: how, .. }, Some(earlier)) => {
                    Some(merge::merge(earlier.data.clone(), &event.data, *how))
                }
                _ => None,
            };
            let stamp = Stamp {
                cursor: "1.1",
                coalesced: 2,
                since: None,
                merged: merged.as_ref(),
            };
            let text = render(planned, &event, &stamp);
            let sent = harmless(text.clone());
            let update: Value = serde_json::from_str(&text).expect("an update is JSON");
            for key in [
                "timestamp",
                "id",
                "cursor",
                "source_type",
                "priority",
                "animation",
                "hint",
            ] {
                assert!(update.get(key).is_some(), "{key} is missing in {text}");
            }
            assert_eq!(harmless(sent.clone()), sent, "once is enough");
            assert_eq!(sent.replace('\u{2060}', ""), text.replace('\u{2060}', ""));
        }
        state.apply(&event);
        desk.observe(&std::sync::Arc::new(event.clone()));
        earlier = Some(event);
    }
    let now = Timestamp::from_micros(1_700_000_001_000_000);
    let all = Sight::everything();
    let of = |state: &State| state.snapshot("1.1", now, None, &all);
    let snapshot: Value = serde_json::from_str(&of(&state)).expect("a snapshot is JSON");
    assert!(snapshot.is_object());
    let again = State::from_checkpoint(&state.to_checkpoint(), &Limits::default())
        .expect("a checkpoint can be read");
    assert_eq!(of(&again), of(&state));
    desk.take_changed(now);
    desk.flows_changed();
    desk.health_changed();
    desk.recent_conversations(50, 0, Some(60), None, now);
});
