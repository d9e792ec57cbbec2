//! The promises of pacing, over random bursts of keys, priorities and windows.

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
    journal::Record,
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
        flow: step.flow,
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
    #![proptest_config(ProptestConfig::with_cases(400))]

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

/// An update that goes at once.
fn at_once(entity: u64, second: Option<u64>, priority: Priority, flow: u64) -> Step {
    Step {
        wait_ms: 0,
        entity,
        second,
        key: None,
        priority,
        text: false,
        flow: FlowId::alone(flow),
    }
}

fn filled(steps: impl IntoIterator<Item = Step>) -> Pacer {
    let (mut pacer, now) = (Pacer::default(), Instant::now());
    for (i, step) in steps.into_iter().enumerate() {
        for group in groups(i as u64 + 1, now, &step) {
            pacer.accept(group, now);
        }
    }
    pacer
}

/// Takes all updates, one flush after the other.
fn drain(pacer: &mut Pacer, flush: usize) -> Vec<PendingUpdate> {
    let mut all = Vec::new();
    while pacer.ready() > 0 {
        let before = all.len();
        all.extend(pacer.take(flush));
        assert!(all.len() > before, "each flush sends something");
    }
    all
}

/// A backlog costs about a step for each update, however an attacker names things: walking it for each would be 10⁸.
#[test]
fn a_burst_costs_a_few_steps_for_each_update() {
    const MANY: u64 = 6_000;
    let normal = |entity, second| at_once(entity, second, Priority::Normal, 1);
    type Shape = Box<dyn Fn(u64) -> Step>;
    let shapes: [(&str, Shape); 5] = [
        ("one entity", Box::new(move |_| normal(1, None))),
        (
            "one entity, all levels",
            Box::new(|n| at_once(1, None, Priority::ALL[(n % 4) as usize], n % 3)),
        ),
        ("a chain", Box::new(move |n| normal(n, Some(n + 1)))),
        (
            "a chain, ever more urgent, of many producers",
            Box::new(|n| {
                let priority = Priority::ALL[3 - (n / 1_501) as usize];
                at_once(n, Some(n + 1), priority, n % 16)
            }),
        ),
        ("two entities", Box::new(move |n| normal(n % 2, Some(2)))),
    ];
    for (name, shape) in shapes {
        let mut pacer = filled((0..MANY).map(shape));
        let gone = drain(&mut pacer, 256);
        assert_eq!(gone.len() as u64, MANY);
        let steps = pacer.ready.steps as u64;
        assert!(steps <= 8 * MANY, "{name}: {steps} steps");
    }
}

/// All events have one key, and each names another agent: the held entities are not walked for each.
#[test]
fn what_is_united_is_not_walked_for_each_event() {
    let now = Instant::now();
    let mut pacer = Pacer::default();
    for n in 0..20_000 {
        let step = Step {
            key: Some(0),
            second: Some(n + 10),
            ..at_once(1, None, Priority::Normal, 1)
        };
        groups(n + 1, now, &step)
            .into_iter()
            .for_each(|g| pacer.accept(g, now));
    }
    pacer.release_all();
    let gone = pacer.take(10);
    assert_eq!(gone.len(), 2, "the first, and all others in one");
    assert_eq!(gone[1].entities.len(), 20_000);
    assert!(pacer.held_by_entity.is_empty());
}

#[test]
fn producers_take_turns() {
    let flood = (0..5_000).map(|n| at_once(n, None, Priority::Normal, 1));
    let other = (0..5_000).map(|n| at_once(10_000 + n, None, Priority::Normal, 2));
    let good = (0..10).map(|n| at_once(20_000 + n, None, Priority::Normal, 3));
    let mut pacer = filled(flood.chain(other).chain(good));
    let gone = drain(&mut pacer, 256);
    let places: Vec<usize> = (0..gone.len())
        .filter(|&at| gone[at].flow.producer == 3)
        .collect();
    assert_eq!(places.len(), 10);
    assert!(places[9] < 40, "behind a few of the flood: {places:?}");
    // The two floods share the rest.
    let half = gone[..4_000]
        .iter()
        .filter(|g| g.flow.producer == 1)
        .count();
    assert!((1_900..2_100).contains(&half), "{half}");
}

#[test]
fn large_updates_take_longer_turns() {
    let small = (0..400).map(|n| at_once(n, None, Priority::Normal, 1));
    let large = (0..400).map(|n| at_once(1_000 + n, None, Priority::Normal, 2));
    let (mut pacer, now) = (Pacer::default(), Instant::now());
    for (i, step) in small.chain(large).enumerate() {
        for mut group in groups(i as u64 + 1, now, &step) {
            group.weight = if step.flow.producer == 2 { 60_000 } else { 100 };
            pacer.accept(group, now);
        }
    }
    let gone = pacer.take(300);
    let large = gone.iter().filter(|g| g.flow.producer == 2).count();
    assert!((10..40).contains(&large), "{large} of 300");
}

#[test]
fn a_claimed_priority_is_a_share_and_no_licence() {
    let flood = (0..10_000).map(|n| at_once(n, None, Priority::Critical, 1));
    let good = [Priority::High, Priority::Normal, Priority::Low]
        .into_iter()
        .enumerate()
        .flat_map(|(at, priority)| {
            (0..8).map(move |n| at_once(20_000 + 100 * at as u64 + n, None, priority, 2))
        });
    let mut pacer = filled(flood.chain(good));
    let first = pacer.take(256);
    assert_eq!(first.len(), 256);
    assert_eq!(first[0].priority, Priority::Critical, "urgent ones first");
    let good = first.iter().filter(|g| g.flow.producer == 2).count();
    assert_eq!(good, 24, "all of them in the first flush");
    // Another producer's critical update does not wait behind the flood of critical ones.
    let now = Instant::now();
    let mut pacer = filled((0..10_000).map(|n| at_once(n, None, Priority::Critical, 1)));
    pacer.take(256);
    groups(90_000, now, &at_once(90_000, None, Priority::Critical, 2))
        .into_iter()
        .for_each(|g| pacer.accept(g, now));
    let at = pacer.take(256).iter().position(|g| g.flow.producer == 2);
    assert!(at.is_some_and(|at| at < 8), "{at:?}");
}

#[test]
fn of_one_entity_the_order_holds_whoever_speaks_of_it() {
    let flood = (0..1_000).map(|n| at_once(7, Some(n + 10), Priority::Low, 1));
    let good = at_once(7, None, Priority::Critical, 2);
    let mut pacer = filled(flood.chain([good]));
    let gone = drain(&mut pacer, 100);
    assert_eq!(gone.last().map(|g| g.flow.producer), Some(2));
    let marks: Vec<_> = gone.iter().map(PendingUpdate::mark).collect();
    assert!(marks.is_sorted());
}

/// A gateway's one update waits behind a flood of another level, and all of the flood goes at its turn. Another
/// producer's update of the gateway's level still comes in the first flush, though a third producer floods at a more
/// urgent level.
#[test]
fn what_is_taken_along_spends_no_share_that_others_count_on() {
    for flooded in [Priority::High, Priority::Low] {
        let flood = (0..2_000).map(|_| at_once(7, None, flooded, 1));
        let urgent = (0..2_000).map(|n| at_once(100 + n, None, Priority::High, 4));
        let gateway = at_once(7, None, Priority::Normal, 2);
        let good = at_once(8, None, Priority::Normal, 3);
        let mut pacer = filled(flood.chain(urgent).chain([gateway, good]));
        let first = pacer.take(60);
        assert_eq!(first.len(), 60, "no place is left empty");
        assert!(first.iter().any(|g| g.flow.producer == 3), "{flooded:?}");
    }
}

/// Fifty producers whose tokens name the same projects get no more before another producer than one of them would.
#[test]
fn who_shares_a_turn_has_no_more_of_it_by_being_many() {
    let places = |many: u64| {
        let flood = (0..5_000).map(|n| Step {
            flow: FlowId {
                turn: 1,
                producer: n % many,
            },
            ..at_once(n, None, Priority::Normal, 0)
        });
        let good = (0..10).map(|n| at_once(20_000 + n, None, Priority::Normal, 3));
        let gone = drain(&mut filled(flood.chain(good)), 256);
        let is_good = |at: &usize| gone[*at].flow == FlowId::alone(3);
        let places: Vec<_> = (0..gone.len()).filter(is_good).collect();
        // The producers that share the turn get equal parts of it.
        let first = |producer| {
            gone[..500]
                .iter()
                .filter(|g| g.flow == FlowId { turn: 1, producer })
                .count()
        };
        let most = (0..many).map(first).max();
        assert!((0..many).all(|producer| first(producer) + 4 >= most.unwrap_or(0)));
        places
    };
    assert_eq!(places(50), places(1));
}
