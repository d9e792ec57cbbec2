use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds {
    busy: 0.9,
    lag: 100,
    late: 0.01,
};
const TEMPO: Tempo = Tempo {
    enter_after: Duration::from_secs(1),
    leave_after: Duration::from_secs(5),
};
const SAMPLE: Duration = Duration::from_millis(100);

fn busy(busy: f64) -> Load {
    Load {
        busy,
        ..Load::default()
    }
}

/// The changes under one load for so many seconds, each with its second.
fn run(
    controller: &mut Controller,
    now: &mut Instant,
    load: Load,
    seconds: u32,
) -> Vec<(Step, u64)> {
    let begin = *now;
    let mut changes = Vec::new();
    for _ in 0..seconds * 10 {
        *now += SAMPLE;
        if let Some(change) = controller.observe(load, *now) {
            changes.push((change.to, now.duration_since(begin).as_secs()));
        }
    }
    changes
}

#[test]
fn steps_are_entered_one_by_one_and_left_one_by_one() {
    let (mut controller, mut now) = (Controller::new(BOUNDS, TEMPO), Instant::now());
    let late = Load {
        late: 0.5,
        ..busy(1.0)
    };
    assert_eq!(
        run(&mut controller, &mut now, late, 10),
        [
            (Step::LargerBatches, 1),
            (Step::LowCoalesced, 2),
            (Step::LowRefused, 3)
        ]
    );
    assert_eq!(
        run(&mut controller, &mut now, busy(0.1), 30),
        [
            (Step::LowCoalesced, 5),
            (Step::LargerBatches, 10),
            (Step::Normal, 15)
        ]
    );
    assert!(!controller.is_awake());
}

#[test]
fn low_priority_is_refused_late_while_nothing_urgent_is_late() {
    let (mut controller, mut now) = (Controller::new(BOUNDS, TEMPO), Instant::now());
    assert_eq!(
        run(&mut controller, &mut now, busy(1.0), 10),
        [
            (Step::LargerBatches, 1),
            (Step::LowCoalesced, 2),
            (Step::LowRefused, 6)
        ]
    );
}

#[test]
fn a_peak_or_a_load_between_the_bounds_changes_nothing() {
    let (mut controller, mut now) = (Controller::new(BOUNDS, TEMPO), Instant::now());
    for _ in 0..100 {
        assert_eq!(controller.observe(busy(1.0), now), None);
        now += SAMPLE * 5;
        assert_eq!(controller.observe(busy(0.7), now), None);
        now += SAMPLE;
    }
    run(&mut controller, &mut now, busy(1.0), 1);
    assert_eq!(controller.step(), Step::LargerBatches);
    assert_eq!(run(&mut controller, &mut now, busy(0.7), 100), []);
}

/// A queue goes up and down while the producers that fill it are made to wait.
#[test]
fn a_load_that_is_too_high_most_of_the_time_is_too_high() {
    let (mut controller, mut now) = (Controller::new(BOUNDS, TEMPO), Instant::now());
    let begin = now;
    while controller.step() < Step::LowCoalesced {
        for load in [busy(1.0), busy(1.0), busy(0.7)] {
            now += SAMPLE;
            controller.observe(load, now);
        }
    }
    assert!(now.duration_since(begin) < Duration::from_secs(5));
}

/// A load that is high whenever a step is left would flap for ever.
#[test]
fn a_step_that_comes_back_at_once_is_held_for_longer_each_time() {
    let (mut controller, mut now) = (Controller::new(BOUNDS, TEMPO), Instant::now());
    let begin = now;
    let mut entered = Vec::new();
    while now.duration_since(begin) < Duration::from_secs(600) {
        now += SAMPLE;
        let load = match controller.step() {
            Step::Normal => busy(1.0),
            _ => busy(0.1),
        };
        if let Some(change) = controller.observe(load, now)
            && change.to == Step::LargerBatches
        {
            entered.push(now);
        }
    }
    let pauses: Vec<u64> = entered
        .windows(2)
        .map(|two| two[1].duration_since(two[0]).as_secs())
        .collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!(*pauses.last().expect("it comes back") >= 40, "{pauses:?}");
}

proptest! {
    /// The steps hold, whatever the load does: each change is by one step, and no two are nearer to each other than the tempo allows.
    #[test]
    fn changes_are_by_one_step_and_never_hasty(
        loads in prop::collection::vec((0.0..1.2_f64, 0..200_u64, prop::bool::ANY, 1..40_u32), 1..60)
    ) {
        let (mut controller, mut now) = (Controller::new(BOUNDS, TEMPO), Instant::now());
        let mut last: Option<Instant> = None;
        for (busy, lag, is_late, samples) in loads {
            let load = Load { busy, lag, late: if is_late { 0.2 } else { 0.0 } };
            for _ in 0..samples {
                now += SAMPLE;
                let before = controller.step();
                let Some(change) = controller.observe(load, now) else {
                    prop_assert_eq!(controller.step(), before);
                    continue;
                };
                prop_assert_eq!(change.from, before);
                prop_assert_eq!((change.to as i16 - before as i16).abs(), 1);
                let least = if change.to > change.from { TEMPO.enter_after } else { TEMPO.leave_after };
                if let Some(last) = last {
                    prop_assert!(now.duration_since(last) >= least);
                }
                last = Some(now);
            }
        }
        // Calm brings it back, wherever it is.
        run(&mut controller, &mut now, Load::default(), 3 * 8 * 5 + 10);
        prop_assert_eq!(controller.step(), Step::Normal);
    }
}

#[test]
fn the_steps_are_told_with_their_counts() {
    let degradation = Degradation::default();
    assert_eq!(degradation.taken().since, None);
    for step in [Step::LargerBatches, Step::LowCoalesced, Step::LargerBatches] {
        degradation.set(step);
    }
    let taken = degradation.taken();
    assert_eq!(taken.step, Step::LargerBatches);
    assert!(taken.since.is_some());
    assert_eq!(
        taken.entered,
        [
            ("larger_batches", 1),
            ("low_coalesced", 1),
            ("low_refused", 0)
        ]
    );
}
