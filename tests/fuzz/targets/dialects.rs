//! Producers' texts by the whole way: lines of JSON, or nearly, become events as the intake reads and settles them; these are
//! kept and read again, planned, coalesced, rendered, and folded into the state and Seneca's dashboards.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stoa::{
    access::authz::Permissions,
    channel::Listening,
    config::RuleConfig,
    event::{self, Event, lenient},
    journal::Draft,
    ledger::{Ledger, Speaker},
    projections::{
        seneca::Dashboard,
        state::{Limits, State},
    },
    timestamp::Timestamp,
    update::{
        Envelope, Rule, Table, Timing, TransformOptions, UpdateShape, coalesce, entities,
        event_rooms, harmless, render, rooms_hash,
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
        usage_throttle: Duration::from_secs(1),
        rules: vec![Rule::compile(&rule).expect("a rule")],
    })
}

fn read(line: &[u8]) -> Option<Event> {
    if lenient::count_values(line) > 2 * 1_000 + 1 {
        return None;
    }
    let (mut value, _) = lenient::read(line).ok()?;
    if event::elements_exceed(&value, line.len(), 1_000) {
        return None;
    }
    let intake = event::ParseContext {
        now: Timestamp::from_micros(1_700_000_000_000_000),
        producer: "fuzz",
        max_depth: 32,
    };
    event::tidy(&mut value);
    let event = event::parse(value, &intake).ok()?;
    event::ids_fit(&event, 1_000).ok();
    event::check(&event).ok();
    Some(event)
}

/// Settles a draft as the intake does, and returns the event as the journal gives it back. Every other one is said by a
/// producer for two projects only, and may be refused.
fn settle(ledger: &Ledger, event: Event, limited: bool) -> Option<Event> {
    let producer = if limited { "user:of-p1" } else { "key:all" }.into();
    let may = |project: &str| matches!(project, "p1" | "shop");
    let speaker = Speaker {
        producer: &producer,
        projects: limited.then_some(&may),
    };
    let mut draft = Draft::new(event);
    ledger.settle(&mut draft.event, speaker).ok()?;
    if limited {
        let project = draft.event.project_id.as_deref();
        assert!(project.is_some_and(may), "it names one of its projects");
    }
    let project = draft.event.project_id.clone();
    let settled = draft.event.settled.clone();
    let kept = Event::from_stored(&draft.finish().text).expect("what is kept can be read");
    assert_eq!(
        (&kept.project_id, &kept.settled),
        (&project, &settled),
        "as it was settled"
    );
    Some(kept)
}

fuzz_target!(|data: &[u8]| {
    let table = table();
    let limits = Limits {
        max_entities: 16,
        ..Limits::default()
    };
    let (mut dashboard, mut state) = (Dashboard::new().sanitizing(true), State::new(limits));
    let ledger = Ledger::new(4);
    let mut earlier: Option<Event> = None;
    let lines = data.split(|b| *b == b'\n').take(MAX_LINES);
    let settled = lines
        .enumerate()
        .filter_map(|(at, line)| settle(&ledger, read(line)?, at % 2 == 1));
    for event in settled {
        let kept = Event::from_stored(&event.to_stored()).expect("what is kept can be read");
        assert_eq!(kept, event, "and is the same");
        event_rooms(&event, &mut |room| assert!(!room.is_empty()));
        let _ = (rooms_hash(&event), entities(&event));
        for planned in &table.plan(&event, Listening::ALL) {
            let data = match (&planned.timing, &earlier) {
                (Timing::Coalesced { how, .. }, Some(earlier)) => {
                    Some(coalesce::coalesce(earlier.data.clone(), &event.data, *how))
                }
                _ => None,
            };
            let envelope = Envelope {
                cursor: "1.1",
                coalesced: 2,
                data: data.as_ref(),
                since: earlier.as_ref().map(|event| event.timestamp),
            };
            let lean = render(planned, &event, &envelope, UpdateShape::Lean);
            serde_json::from_str::<Value>(&lean).expect("a lean update is JSON");
            let text = render(planned, &event, &envelope, UpdateShape::Full);
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
        dashboard.observe(&std::sync::Arc::new(event.clone()));
        earlier = Some(event);
    }
    let now = Timestamp::from_micros(1_700_000_001_000_000);
    let all = Permissions::everything();
    let of = |state: &State| state.snapshot("1.1", now, None, &all);
    let snapshot: Value = serde_json::from_str(&of(&state)).expect("a snapshot is JSON");
    assert!(snapshot.is_object());
    let again = State::from_checkpoint(&state.to_checkpoint(), &Limits::default())
        .expect("a checkpoint can be read");
    assert_eq!(of(&again), of(&state));
    dashboard.take_changed(now);
    dashboard.flows_changed();
    dashboard.health_changed();
    dashboard.recent_conversations(50, 0, Some(60), None, now)();
});
