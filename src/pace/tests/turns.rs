//! The turns of producers, and the cost of a backlog.

use super::*;

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
fn what_is_coalesced_names_all_entities() {
    let now = Instant::now();
    let mut pacer = Pacer::default();
    for n in 0..4_000 {
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
    assert_eq!(gone[1].entities.len(), 4_000);
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
        .filter(|&at| gone[at].by.flow.producer == 3)
        .collect();
    assert_eq!(places.len(), 10);
    assert!(places[9] < 40, "behind a few of the flood: {places:?}");
    // The two floods share the rest.
    let half = gone[..4_000]
        .iter()
        .filter(|g| g.by.flow.producer == 1)
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
    let large = gone.iter().filter(|g| g.by.flow.producer == 2).count();
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
    let good = first.iter().filter(|g| g.by.flow.producer == 2).count();
    assert_eq!(good, 24, "all of them in the first flush");
    // Another producer's critical update does not wait behind the flood of critical ones.
    let now = Instant::now();
    let mut pacer = filled((0..10_000).map(|n| at_once(n, None, Priority::Critical, 1)));
    pacer.take(256);
    groups(90_000, now, &at_once(90_000, None, Priority::Critical, 2))
        .into_iter()
        .for_each(|g| pacer.accept(g, now));
    let at = pacer.take(256).iter().position(|g| g.by.flow.producer == 2);
    assert!(at.is_some_and(|at| at < 8), "{at:?}");
}

#[test]
fn of_one_entity_the_order_holds_whoever_speaks_of_it() {
    let flood = (0..1_000).map(|n| at_once(7, Some(n + 10), Priority::Low, 1));
    let good = at_once(7, None, Priority::Critical, 2);
    let mut pacer = filled(flood.chain([good]));
    let gone = drain(&mut pacer, 100);
    assert_eq!(gone.last().map(|g| g.by.flow.producer), Some(2));
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
        assert!(first.iter().any(|g| g.by.flow.producer == 3), "{flooded:?}");
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
        let is_good = |at: &usize| gone[*at].by.flow == FlowId::alone(3);
        let places: Vec<_> = (0..gone.len()).filter(is_good).collect();
        // The producers that share the turn get equal parts of it.
        let first = |producer| {
            gone[..500]
                .iter()
                .filter(|g| g.by.flow == FlowId { turn: 1, producer })
                .count()
        };
        let most = (0..many).map(first).max();
        assert!((0..many).all(|producer| first(producer) + 4 >= most.unwrap_or(0)));
        places
    };
    assert_eq!(places(50), places(1));
}

/// Few updates go as they were published, whatever their priorities; more of them, or a critical one, most urgent first.
#[test]
fn few_updates_go_in_the_order_of_the_journal() {
    let priorities = |n: u64| Priority::ALL[1 + (2 * n % 3) as usize];
    let step = |n: u64| at_once(n, None, priorities(n), n % 5);
    let order = |mut pacer: Pacer, flush| -> Vec<u64> {
        pacer.take(flush).iter().map(PendingUpdate::last).collect()
    };
    let calm = order(filled((0..64).map(step)), 256);
    assert_eq!(calm, (1..=64).collect::<Vec<_>>());
    let by_level = |taken: &[u64], critical: Option<u64>| {
        let level = |seq: &u64| match critical == Some(*seq) {
            true => Priority::Critical,
            false => priorities(seq - 1),
        };
        taken.is_sorted_by_key(|seq| level(seq) as usize)
    };
    let many = order(filled((0..65).map(step)), 256);
    assert_eq!(many.len(), 65);
    assert!(by_level(&many, None), "{many:?}");
    let urgent = (0..20)
        .map(step)
        .chain([at_once(99, None, Priority::Critical, 9)]);
    let urgent = order(filled(urgent), 256);
    assert_eq!(urgent[0], 21);
    assert!(by_level(&urgent, Some(21)), "{urgent:?}");
    let small = order(filled((0..20).map(step)), 10);
    assert!(
        !small.is_sorted(),
        "a flush without room for all has shares: {small:?}"
    );
}
