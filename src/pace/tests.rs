//! The promises of pacing, over random bursts of keys, priorities and windows.

mod turns;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use serde_json::json;
use smallvec::SmallVec;

use super::*;
use crate::{
    event::{Event, EventName, Priority},
    journal::{FlowId, Record},
    update::{Coalescing, Destination, Planned, Timing, UpdateKind},
};

/// One published event of a test.
#[derive(Debug, Clone)]
struct Step {
    wait_ms: u64,
    entity: u64,
    second: Option<u64>,
    key: Option<u8>,
    priority: Priority,
    text: bool,
    flow: FlowId,
}

fn step() -> impl Strategy<Value = Step> {
    (
        0_u64..60,
        0_u64..4,
        prop::option::weighted(0.3, 0_u64..4),
        prop::option::weighted(0.7, 0_u8..2),
        0_usize..4,
        any::<bool>(),
        (0_u64..3, 0_u64..3).prop_map(|(turn, producer)| FlowId { turn, producer }),
    )
        .prop_map(
            |(wait_ms, entity, second, key, priority, text, flow)| Step {
                wait_ms,
                entity,
                second,
                key,
                priority: Priority::ALL[priority],
                text,
                flow,
            },
        )
}

fn groups(seq: u64, at: Instant, step: &Step) -> SmallVec<[PendingUpdate; 1]> {
    let data = json!({ "n": seq, format!("f{}", seq % 3): seq, "content": format!("<{seq}>") });
    let event = Event {
        id: seq.to_string().into(),
        ..Event::new(
            EventName::new("task.progress"),
            data.as_object().cloned().unwrap_or_default(),
        )
    };
    let record = Arc::new(Record {
        by: step.flow.into(),
        held: 0,
        weight: 0,
        seq,
        event: Arc::new(event),
        accepted: at,
    });
    let timing = match step.key {
        Some(key) if step.priority != Priority::Critical => Timing::Coalesced {
            key: crate::update::Key(format!("{key}/{}/{}", step.entity, step.text).into()),
            window: Duration::from_millis(100),
            how: if step.text {
                Coalescing::Text
            } else {
                Coalescing::Fields
            },
        },
        _ => Timing::Immediate,
    };
    let planned = Planned {
        event: None,
        bit: 1,
        kind: UpdateKind::Generic,
        priority: step.priority,
        timing,
        destination: Destination::EventRooms,
    };
    let entities: SmallVec<[u64; 4]> = std::iter::once(step.entity)
        .chain(step.second.filter(|s| *s != step.entity))
        .collect();
    group(&record, SmallVec::from_iter([planned]), &entities, 0).collect()
}

/// Runs the steps through a pacer with a flush of at most `flush` after each; returns the updates that went, each with
/// its time.
fn run(steps: &[Step], flush: usize) -> Vec<(Instant, PendingUpdate)> {
    let mut pacer = Pacer::default();
    let mut now = Instant::now();
    let mut gone = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        now += Duration::from_millis(step.wait_ms);
        pacer.tick(now);
        for group in groups(i as u64 + 1, now, step) {
            pacer.accept(group, now);
        }
        gone.extend(pacer.take(flush).into_iter().map(|g| (now, g)));
    }
    while pacer.ready() > 0 || pacer.held() > 0 {
        now = pacer
            .next_due()
            .filter(|_| pacer.ready() == 0)
            .unwrap_or(now);
        pacer.tick(now);
        gone.extend(pacer.take(flush).into_iter().map(|g| (now, g)));
    }
    gone
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_event_goes_once_or_in_a_named_later_one(steps in prop::collection::vec(step(), 1..120), flush in 1_usize..20) {
        let gone = run(&steps, flush);
        let mut seen: Vec<u64> = gone.iter().flat_map(|(_, g)| g.unsent.iter().map(|o| o.0)).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (1..=steps.len() as u64).collect::<Vec<_>>());
        for (_, g) in &gone {
            prop_assert_eq!(g.unsent.last().map(|o| o.0), Some(g.last()));
        }
    }

    #[test]
    fn no_field_and_no_text_is_lost(steps in prop::collection::vec(step(), 1..120), flush in 1_usize..20) {
        for (_, g) in run(&steps, flush) {
            let data = g.data.as_ref().unwrap_or(&g.record.event.data);
            for (seq, _) in &g.unsent {
                let field = format!("f{}", seq % 3);
                prop_assert!(data.contains_key(&field));
            }
            if g.window.as_ref().is_some_and(|w| w.how == Coalescing::Text) {
                let text: String = g.unsent.iter().map(|(s, _)| format!("<{s}>")).collect();
                prop_assert_eq!(data["content"].as_str(), Some(text.as_str()));
            }
        }
    }

    #[test]
    fn an_entitys_updates_keep_their_order(steps in prop::collection::vec(step(), 1..150), flush in 1_usize..12) {
        let mut newest: HashMap<u64, u64> = HashMap::new();
        for (_, g) in run(&steps, flush) {
            for entity in &g.entities {
                let before = newest.insert(*entity, g.last()).unwrap_or(0);
                prop_assert!(before < g.last(), "entity {} went from {} to {}", entity, before, g.last());
            }
        }
    }

    #[test]
    fn the_last_value_arrives_within_its_window(steps in prop::collection::vec(step(), 1..120)) {
        for (at, g) in run(&steps, 1_000) {
            let waited = at.duration_since(g.accepted);
            let longest = if g.window.is_some() { 160 } else { 0 }; // the window, and the step at which it is noticed
            prop_assert!(waited <= Duration::from_millis(longest), "waited {:?}", waited);
        }
    }

    #[test]
    fn critical_is_behind_at_most_the_flush_under_way(backlog in prop::collection::vec(step(), 0..200), flush in 1_usize..20) {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        for (i, step) in backlog.iter().enumerate() {
            let lower = Step { priority: Priority::ALL[1 + i % 3], ..step.clone() };
            groups(i as u64 + 1, now, &lower).into_iter().for_each(|g| pacer.accept(g, now));
        }
        let critical = Step { wait_ms: 0, entity: 99, second: None, key: None, priority: Priority::Critical, text: false, flow: FlowId::alone(9) };
        pacer.take(flush); // the one under way
        groups(10_000, now, &critical).into_iter().for_each(|g| pacer.accept(g, now));
        prop_assert!(pacer.urgent());
        prop_assert_eq!(pacer.take(flush).first().map(PendingUpdate::last), Some(10_000));
    }
}

#[test]
fn alone_it_goes_at_once_and_a_burst_gives_two() {
    let now = Instant::now();
    let step = Step {
        wait_ms: 0,
        entity: 1,
        second: None,
        key: Some(0),
        priority: Priority::Normal,
        text: false,
        flow: FlowId::default(),
    };
    let mut pacer = Pacer::default();
    for seq in 1..=50 {
        groups(seq, now, &step)
            .into_iter()
            .for_each(|g| pacer.accept(g, now));
    }
    let first = pacer.take(100);
    assert_eq!(
        first.iter().map(PendingUpdate::last).collect::<Vec<_>>(),
        [1]
    );
    let due = pacer.next_due().unwrap();
    assert_eq!(due, now + Duration::from_millis(100));
    pacer.tick(due);
    let last = pacer.take(100);
    assert_eq!(
        last.iter()
            .map(|g| (g.last(), g.coalesced()))
            .collect::<Vec<_>>(),
        [(50, 49)]
    );
    pacer.tick(due + Duration::from_millis(100));
    assert_eq!(pacer.next_due(), None);
}

#[test]
fn sums_are_added_up_but_not_over_a_place_where_somebody_has_the_state() {
    let sum = |seq: u64, at: Instant| {
        let data = json!({ "sums": [seq, 0, 0, 0, 0, 1], "models": { format!("m{seq}"): [seq, 0, 0, 0, 0, 1] } });
        let event = Event::new(
            EventName::new("llm.completed"),
            data.as_object().cloned().unwrap_or_default(),
        );
        let record = Arc::new(Record {
            by: FlowId::alone(1).into(),
            held: 100,
            weight: 100,
            seq,
            event: Arc::new(event),
            accepted: at,
        });
        let planned = Planned {
            event: None,
            bit: 8,
            kind: UpdateKind::Usage,
            priority: Priority::Low,
            timing: Timing::Coalesced {
                key: crate::update::Key("usage/project/p".into()),
                window: Duration::from_secs(1),
                how: Coalescing::Sums,
            },
            destination: Destination::EventRooms,
        };
        group(&record, SmallVec::from_iter([planned]), &SmallVec::new(), 0)
            .next()
            .expect("a group")
    };
    let mut pacer = Pacer::default();
    let now = Instant::now();
    for seq in 1..=3 {
        pacer.accept(sum(seq, now), now);
    }
    let gone = pacer.take_sums();
    let of: Vec<_> = gone.iter().map(|group| group.unsent.len()).collect();
    assert_eq!((of, pacer.ready(), pacer.held()), (vec![1, 2], 0, 0));
    let mut pacer = Pacer::default();
    for seq in 1..=4 {
        pacer.accept(sum(seq, now), now);
    }
    // The state at 4 has all of these.
    pacer.part_sums_at(4);
    pacer.accept(sum(5, now), now);
    pacer.accept(sum(6, now), now);
    pacer.tick(now + Duration::from_secs(1));
    let gone: Vec<(Vec<u64>, Option<serde_json::Value>)> = pacer
        .take(10)
        .into_iter()
        .map(|group| {
            let sums = group.data.map(|data| {
                json!([
                    data["sums"][0],
                    data["models"].as_object().map(serde_json::Map::len)
                ])
            });
            (group.unsent.iter().map(|(seq, _)| *seq).collect(), sums)
        })
        .collect();
    assert_eq!(
        gone,
        [
            (vec![1], None),
            (vec![2, 3, 4], Some(json!([9, 3]))),
            (vec![5, 6], Some(json!([11, 2])))
        ]
    );
}
