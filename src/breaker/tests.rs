//! The ways of a breaker through its states, with a clock that the test moves.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use tokio::time::advance;

use super::{Breaker, BreakerLimits, BreakerState, Breakers};

const OPEN_FOR: Duration = Duration::from_secs(30);

fn breaker(failures: u32, probes: u32) -> Arc<Breaker> {
    Breakers::default().part_with(
        "part",
        BreakerLimits {
            failures,
            open_for: OPEN_FOR,
            probes,
        },
    )
}

fn fail(breaker: &Arc<Breaker>) {
    let permit = breaker.permit().expect("it goes through");
    permit.settle(Err("gone"));
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_failures_in_a_row_and_closes_by_a_probe() {
    let breaker = breaker(5, 1);
    for _ in 0..4 {
        fail(&breaker);
    }
    // A success begins the row anew.
    breaker.permit().expect("closed").settle(Ok::<(), &str>(()));
    for _ in 0..4 {
        fail(&breaker);
    }
    assert_eq!(breaker.snapshot().state, BreakerState::Closed);
    fail(&breaker);
    let open = breaker.snapshot();
    assert_eq!((open.state, open.failures), (BreakerState::Open, 5));
    assert_eq!((open.opened, open.retry_in_ms), (1, Some(30_000)));
    assert_eq!(open.last_error.as_deref(), Some("gone"));

    advance(OPEN_FOR - Duration::from_secs(1)).await;
    let refused = breaker.permit().expect_err("still open");
    assert_eq!(refused.retry_in, Duration::from_secs(1));
    let said = refused.to_string();
    assert!(said.starts_with("gone; after 5 failures"), "{said}");

    advance(Duration::from_secs(1)).await;
    let probe = breaker.permit().expect("the probe");
    assert_eq!(breaker.snapshot().state, BreakerState::HalfOpen);
    breaker.permit().expect_err("one probe at a time");
    probe.settle(Err("still gone"));
    assert_eq!(breaker.snapshot().state, BreakerState::Open);
    assert_eq!(breaker.snapshot().opened, 1, "it was not closed between");

    advance(OPEN_FOR).await;
    breaker
        .permit()
        .expect("the probe")
        .settle(Ok::<(), &str>(()));
    let closed = breaker.snapshot();
    assert_eq!((closed.state, closed.failures), (BreakerState::Closed, 0));
    assert_eq!(closed.last_error, None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_leaves_its_place_to_the_next() {
    let breaker = breaker(1, 2);
    fail(&breaker);
    advance(OPEN_FOR).await;
    let first = breaker.permit().expect("a probe");
    let second = breaker.permit().expect("a second one");
    breaker.permit().expect_err("no third one");
    drop(first);
    let third = breaker.permit().expect("the place of the first");
    second.settle(Ok::<(), &str>(()));
    assert!(breaker.is_closed());
    // Its call began before the part was found well.
    third.settle(Err("late"));
    assert!(breaker.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_call_from_before_the_opening_decides_nothing() {
    let breaker = breaker(1, 1);
    let late = breaker.permit().expect("closed");
    fail(&breaker);
    late.settle(Ok::<(), &str>(()));
    assert_eq!(breaker.snapshot().state, BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_probes_by_itself_refuses_the_others_meanwhile() {
    let breaker = breaker(2, 1);
    breaker.failed("full");
    assert_eq!(breaker.check(), Ok(()));
    breaker.failed("full");
    breaker.check().expect_err("open");
    assert!(breaker.probe().is_none(), "not yet");
    advance(OPEN_FOR).await;
    breaker.check().expect_err("a caller is no probe");
    let probe = breaker.probe().expect("the part's own");
    breaker.check().expect_err("half-open");
    probe.settle(Ok::<(), &str>(()));
    assert_eq!(breaker.check(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_admin_closes_it() {
    let breakers = Breakers::default();
    let breaker = breakers.part("jwks");
    for _ in 0..5 {
        fail(&breaker);
    }
    assert_eq!(breakers.worst(), BreakerState::Open);
    assert_eq!(breakers.close("jwks"), Ok(true));
    assert_eq!(breakers.close("jwks"), Ok(false));
    fail(&breaker);
    assert_eq!(breakers.worst(), BreakerState::Closed);
    let refusal = breakers.close("nothing").expect_err("no such part");
    assert!(refusal.message.contains("jwks"), "{refusal}");
}

#[derive(Debug, Clone)]
enum Step {
    Begin,
    End(usize, bool),
    GiveUp(usize),
    Wait,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Begin),
        4 => (0..8_usize, any::<bool>()).prop_map(|(at, well)| Step::End(at, well)),
        1 => (0..8_usize).prop_map(Step::GiveUp),
        1 => Just(Step::Wait),
        1 => Just(Step::Close),
    ]
}

proptest! {
    /// A breaker holds, whatever comes: no more than the probes go through while it is half-open, none while it is open, and a part
    /// that is well again is let be used.
    #[test]
    fn it_never_lets_more_through_than_it_says_and_never_stays_shut(
        steps in prop::collection::vec(step(), 0..120), failures in 1..4_u32, probes in 1..3_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let breaker = breaker(failures, probes);
            // Each call with the half-open time that it began in, if it began in one.
            let mut calls = Vec::new();
            let mut round = 0;
            for step in steps {
                let before = breaker.snapshot().state;
                match step {
                    Step::Begin => if let Ok(permit) = breaker.permit() {
                        let now = breaker.snapshot().state;
                        prop_assert!(now != BreakerState::Open);
                        round += u32::from(now != before);
                        let probe = (now == BreakerState::HalfOpen).then_some(round);
                        calls.push((permit, probe));
                        let under_way = calls.iter().filter(|(_, of)| *of == Some(round)).count();
                        prop_assert!(probe.is_none() || under_way <= probes as usize);
                    },
                    Step::End(at, well) if at < calls.len() => {
                        let (call, _) = calls.swap_remove(at);
                        call.settle(if well { Ok(()) } else { Err("no") });
                    }
                    Step::GiveUp(at) if at < calls.len() => drop(calls.swap_remove(at)),
                    Step::Wait => advance(OPEN_FOR).await,
                    Step::Close => drop(breaker.close()),
                    Step::End(..) | Step::GiveUp(_) => {}
                }
            }
            calls.clear();
            advance(OPEN_FOR).await;
            breaker.permit().expect("a probe").settle(Ok::<(), &str>(()));
            prop_assert!(breaker.is_closed());
            Ok(())
        })?;
    }
}
