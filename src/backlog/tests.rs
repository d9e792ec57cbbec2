use super::*;

const FLOOD: FlowId = FlowId::alone(1);
const GOOD: FlowId = FlowId::alone(2);

fn is_forgotten(backlog: &Backlog) -> bool {
    let inner = backlog.lock();
    inner.flows.is_empty() && inner.turns.is_empty() && inner.kept.is_empty()
}

#[test]
fn a_producer_waits_for_its_own_events_and_nobody_else_does() {
    let backlog = Backlog::new(1_000);
    let first = backlog.take(FLOOD, 600).expect("nothing is under way");
    let mut second = backlog.take(FLOOD, 600).expect_err("it is too much");
    let mut third = backlog
        .take(FLOOD, 601)
        .expect_err("it is behind the second");
    let good = backlog.take(GOOD, 1).expect("it has nothing under way");
    first.kept(600, 600);
    good.kept(601, 1);
    backlog.report(599, 0, vec![]);
    assert!(second.try_recv().is_err());
    // The hub has read all of it, and sent nothing.
    backlog.report(601, 601, vec![(FLOOD, 600), (GOOD, 1)]);
    assert!(second.try_recv().is_err());
    backlog.report(601, 101, vec![(FLOOD, 100), (GOOD, 0)]);
    let second = second.try_recv().expect("there is room");
    assert!(third.try_recv().is_err());
    // The hub was there before the journal's answer.
    backlog.report(1_201, 0, vec![(FLOOD, 0)]);
    second.kept(1_201, 600);
    let third = third.try_recv().expect("there is room");
    third.kept(1_802, 601);
    backlog.report(1_802, 0, vec![]);
    assert!(is_forgotten(&backlog));
}

#[test]
fn small_calls_of_a_producer_are_behind_what_is_under_way_and_not_behind_its_large_ones() {
    let backlog = Backlog::new(1_000);
    let large: Vec<_> = (0..3).map(|_| backlog.take(FLOOD, 900)).collect();
    assert!(large[0].is_ok() && large[1].is_err() && large[2].is_err());
    // The rest of the room is for small calls, until they had as many events as the others.
    let mut small = Vec::new();
    while let Ok(place) = backlog.take(FLOOD, 1) {
        small.push(place);
    }
    assert_eq!(small.len(), 100);
    let mut given = small.len();
    while given <= 900 {
        small.pop();
        small.push(backlog.take(FLOOD, 1).expect("one has gone"));
        given += 1;
    }
    // Now it is the turn of a large one: neither size waits for the other for good.
    let mut next = backlog.take(FLOOD, 1).expect_err("the turn of the others");
    small.clear();
    assert!(next.try_recv().is_err());
    let mut large = large.into_iter();
    drop(large.next());
    let Some(Err(mut second)) = large.next() else {
        panic!("it waits");
    };
    let second = second.try_recv().expect("its turn");
    let next = next.try_recv().expect("there is room beside it");
    drop((second, next, large));
    assert!(is_forgotten(&backlog));
}

#[test]
fn producers_share_the_bound_and_each_may_always_say_something() {
    let backlog = Backlog::new(1_000);
    let held: Vec<_> = (0..100)
        .map(|flow| {
            backlog
                .take(FlowId::alone(flow), 1_000)
                .expect("a call alone goes on")
        })
        .collect();
    let small: Vec<_> = (100..200)
        .map(|flow| {
            [1, MIN_TURN_EVENTS - 1].map(|events| backlog.take(FlowId::alone(flow), events))
        })
        .collect();
    assert!(small.iter().flatten().all(Result::is_ok));
    assert!(backlog.take(FlowId::alone(0), 1).is_err());
    drop((held, small));
    assert!(is_forgotten(&backlog));
}

#[test]
fn room_goes_past_those_who_hung_up() {
    let backlog = Backlog::new(100);
    let mut first = backlog.take(FLOOD, 100).expect("nothing is under way");
    drop(backlog.take(FLOOD, 50));
    let mut next = backlog.take(FLOOD, 50).expect_err("there is no room");
    // Half of its events were refused.
    first.shrink(50);
    drop(next.try_recv().expect("there is room"));
    let late = backlog.take(FLOOD, 100).expect_err("there is no room");
    first.kept(10, 50);
    drop(late);
    backlog.report(10, 0, vec![]);
    assert!(is_forgotten(&backlog));
}

#[test]
fn nobody_waits_for_a_hub_that_is_gone() {
    let backlog = Backlog::new(100);
    let first = backlog.take(FLOOD, 100);
    let mut waiting = backlog.take(FLOOD, 100).expect_err("there is no room");
    backlog.end();
    assert!(waiting.try_recv().is_ok());
    assert!(backlog.take(FLOOD, 100).is_ok());
    drop(first);
}

#[test]
fn who_shares_a_turn_shares_a_part_and_none_of_them_stands_behind_all_of_another() {
    let of = |producer| FlowId { turn: 7, producer };
    let backlog = Backlog::new(1_000);
    let first = backlog.take(of(0), 1_000).expect("nothing is under way");
    let mut flood: Vec<_> = (0..2)
        .map(|_| backlog.take(of(0), 600).expect_err("there is no room"))
        .collect();
    let mut others: Vec<_> = (1..50)
        .map(|n| backlog.take(of(n), 1).expect_err("they have their part"))
        .collect();
    let good = backlog.take(GOOD, 1).expect("it has its own");
    drop(good);
    first.kept(1_000, 1_000);
    backlog.report(1_000, 0, vec![]);
    let mut places: Vec<_> = others
        .iter_mut()
        .map(|call| call.try_recv().expect("they were given less"))
        .collect();
    places.push(flood[0].try_recv().expect("there is room beside them"));
    assert!(flood[1].try_recv().is_err());
    drop((places, flood));
    assert!(is_forgotten(&backlog));
}

#[test]
fn who_was_there_all_the_time_stands_behind_no_more_of_a_newcomer_than_it_is_given_itself() {
    let of = |producer| FlowId { turn: 7, producer };
    let backlog = Backlog::new(1_000);
    // The first always has an event in flight and never waits; nor do its small calls.
    let mut place = backlog.take(of(0), 400).expect("there is room");
    for _ in 0..100 {
        place = backlog.take(of(0), 400).expect("there is room");
    }
    let small = backlog.take(of(0), 600).expect("there is room");
    let mut newcomer: Vec<_> = (0..3)
        .map(|_| backlog.take(of(1), 900).expect_err("there is no room"))
        .collect();
    let mut first = backlog.take(of(0), 900).expect_err("it waits as all do");
    drop((place, small));
    let is_next = newcomer[0].try_recv();
    assert!(is_next.is_ok() && first.try_recv().is_err());
    drop(is_next);
    let is_next = first.try_recv();
    assert!(is_next.is_ok() && newcomer[1].try_recv().is_err());
    drop((is_next, newcomer, first));
    assert!(is_forgotten(&backlog));
}
