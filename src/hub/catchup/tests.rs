//! The catch-up by itself: members, a stream and the effects of each turn, without a loop or a server.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    access::authz::OBSERVERS,
    event::{Event, EventName, Object},
    hub::{
        behind::Behind,
        catchup::credit::Credit,
        snapshots::Taking,
        testing::{Recorder, options, request},
    },
    journal::{Journal, MemoryJournal, Retention, Seq},
    update::{Table, TransformOptions},
};

struct Machine {
    catchup: CatchUp,
    roster: Roster,
    stream: Stream,
}

impl Machine {
    /// A stream of this many events, all of them sent, of which the journal keeps the last ones.
    async fn new(events: usize, kept: usize, options: &HubOptions) -> Self {
        let journal = Arc::new(MemoryJournal::new(Retention {
            max_events: kept,
            max_age: Duration::from_secs(3_600),
            max_bytes: 1 << 30,
        }));
        let table = Table::new(TransformOptions::default());
        let stream = Stream::new(journal.clone(), table, options.level_shares);
        let mut machine = Self {
            catchup: CatchUp::new(options, Metrics::new()),
            roster: Roster::new(false, Recipients::Nobody),
            stream,
        };
        // The journal doesn't trim records that the stream has not read.
        for _ in 0..events.div_ceil(100) {
            let event = |_| Event::new(EventName::new("decision.logged"), Object::new());
            journal.append((0..100).map(event).collect()).await.unwrap();
            let newest = journal.bounds().last;
            while let Some(batch) = machine.stream.next_batch(newest).await.unwrap() {
                for record in &batch.records {
                    machine.catchup.remember(record);
                    let (nobody, now) = (Listening::NONE, Instant::now());
                    machine.stream.plan(record, nobody, now);
                }
                machine.stream.read_up_to(batch.to);
                for update in machine.stream.take(usize::MAX) {
                    machine.stream.sent(&update);
                }
            }
        }
        machine
    }

    /// A member that has everything up to this place.
    fn comes_back(&mut self, seq: Seq) -> (MemberId, Arc<Recorder>) {
        let at = self.stream.after(seq);
        self.comes(Behind::new(at, Credit::first()))
    }

    fn comes(&mut self, behind: Behind) -> (MemberId, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        let id = self.roster.add(request(recorder.clone(), "c"));
        self.roster.join(id, OBSERVERS);
        self.roster.get_mut(id).unwrap().behind = Some(Box::new(behind));
        self.turn(|turn| turn.serve(id));
        (id, recorder)
    }

    fn turn(&mut self, work: impl FnOnce(&mut CatchUpTurn<'_>)) -> Vec<Effect> {
        self.catchup.turn(&mut self.roster, &self.stream, work)
    }

    /// One step at the time when members that rest are looked at.
    fn step(&mut self) -> Vec<Effect> {
        self.catchup.look_at = Instant::now();
        self.turn(|turn| turn.step(Instant::now()))
    }

    /// Steps until there are this many effects, because a step ends when its time is over. None of them needs a segment
    /// to be made.
    fn steps(&mut self, many: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..1_000 {
            effects.extend(self.step());
            assert!(!self.catchup.making, "no segment is needed");
            if effects.len() >= many {
                break;
            }
        }
        effects
    }

    /// Waits for the segment that is being made, and takes it.
    async fn segment(&mut self) -> Vec<Effect> {
        let made = self.catchup.segment().await.expect("one is being made");
        self.turn(|turn| turn.take_segment(made))
    }
}

/// The members that are live now, in the order of their ids.
fn live(effects: &[Effect]) -> Vec<(MemberId, Cursor)> {
    let live = effects.iter().map(|effect| match effect {
        Effect::Live(id, to) => (*id, to.clone()),
        other => panic!("{other:?}"),
    });
    let mut live: Vec<_> = live.collect();
    live.sort_by_key(|(id, _)| *id);
    live
}

#[tokio::test]
async fn a_member_close_to_the_present_is_live_without_a_segment_being_made() {
    let options = HubOptions {
        max_recent: 1 << 20,
        ..options()
    };
    let mut machine = Machine::new(100, 10_000, &options).await;
    let (first, lacks_some) = machine.comes_back(80);
    let (second, has_all) = machine.comes_back(100);
    let went = live(&machine.steps(2));
    let now = machine.stream.cursor();
    assert_eq!(went, [(first, now.clone()), (second, now)]);
    assert_eq!(lacks_some.count("decision_event"), 20);
    assert_eq!(has_all.count("decision_event"), 0);
    assert_eq!(machine.catchup.due(), None, "nobody waits any more");
}

#[tokio::test]
async fn those_at_one_place_hold_one_segment_and_go_live_with_its_end() {
    let options = HubOptions {
        max_recent: 0,
        ..options()
    };
    let mut machine = Machine::new(1_000, 10_000, &options).await;
    let (first, one) = machine.comes_back(10);
    let (second, other) = machine.comes_back(10);
    assert!(live(&machine.step()).is_empty());
    assert!(machine.catchup.making);
    let gone = machine.comes_back(10).0;
    machine.roster.remove(gone);
    assert!(live(&machine.segment().await).is_empty());
    assert!(!machine.catchup.making);
    let held = |machine: &Machine, id| {
        let behind = machine.roster.get(id).unwrap().behind.as_ref().unwrap();
        std::ptr::from_ref(behind.held.as_ref().expect("a segment").segment())
    };
    assert_eq!(held(&machine, first), held(&machine, second));
    let went = live(&machine.steps(2));
    let now = machine.stream.cursor();
    assert_eq!(went, [(first, now.clone()), (second, now)]);
    for recorder in [one, other] {
        assert_eq!(recorder.count("decision_event"), 990, "each once");
    }
}

#[tokio::test]
async fn those_whose_place_was_trimmed_are_given_up_together_and_the_others_are_not() {
    let options = options();
    let mut machine = Machine::new(1_000, 100, &options).await;
    let (first, _) = machine.comes_back(10);
    let (other, _) = machine.comes_back(1_000);
    let (second, _) = machine.comes_back(10);
    let effects = machine.steps(2);
    let [Effect::GiveUp { members, at, why }, Effect::Live(live, _)] = &effects[..] else {
        panic!("{effects:?}");
    };
    // The member that is looked at is last in the queue.
    assert_eq!((members, *why), (&vec![second, first], "trimmed"));
    assert_eq!((at, *live), (&machine.stream.after(10), other));
}

#[tokio::test]
async fn a_member_that_is_given_a_snapshot_is_given_its_next_part_and_no_segment() {
    let mut machine = Machine::new(1_000, 10_000, &options()).await;
    let at = machine.stream.after(10);
    let (taking, recorder) = machine.comes(Behind::given(at, Taking::new(None, None)));
    let effects = machine.steps(1);
    let [Effect::Part(id)] = effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(id, taking);
    assert!(!machine.catchup.making);
    assert_eq!(recorder.count("decision_event"), 0);
}

#[tokio::test]
async fn one_step_hands_out_a_bounded_number_of_bytes() {
    let options = HubOptions {
        max_recent: 0,
        snapshot_part: STEP_BYTES,
        ..options()
    };
    let mut machine = Machine::new(1_000, 10_000, &options).await;
    let members: Vec<_> = (0..100).map(|_| machine.comes_back(10)).collect();
    machine.step();
    machine.segment().await;
    machine.step();
    let given = |(_, recorder): &(MemberId, Arc<Recorder>)| recorder.count("decision_event");
    let handed: usize = members.iter().map(given).sum();
    // An update is longer than what it says at least.
    const LEAST_UPDATE_BYTES: usize = 100;
    assert!(handed > 0 && handed * LEAST_UPDATE_BYTES <= STEP_BYTES + Credit::first().bytes());
    assert!(
        members.iter().any(|member| given(member) == 0),
        "a hundred credits are more than a step"
    );
    machine.steps(members.len());
    assert!(members.iter().all(|member| given(member) == 990));
}

#[tokio::test]
async fn the_loop_rests_while_the_parts_of_a_snapshot_are_made() {
    let mut machine = Machine::new(1_000, 10_000, &options()).await;
    let at = machine.stream.after(10);
    for _ in 0..3 {
        machine.comes(Behind::given(at.clone(), Taking::new(None, None)));
    }
    let begun = Instant::now();
    let effects = machine.step();
    let parts = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Part(_)));
    assert_eq!(parts.count(), 3, "one step looks at all of them");
    assert!(machine.catchup.due().is_some_and(|due| due > begun));
}

#[tokio::test]
async fn one_step_makes_a_bounded_number_of_members_live() {
    let options = HubOptions {
        max_recent: 1 << 20,
        ..options()
    };
    let mut machine = Machine::new(100, 10_000, &options).await;
    let mut coming = 3 * STEP_ENDS;
    for _ in 0..coming {
        machine.comes_back(100);
    }
    while coming > 0 {
        let went = live(&machine.step()).len();
        assert!((1..=STEP_ENDS).contains(&went), "{went}");
        coming -= went;
    }
}
