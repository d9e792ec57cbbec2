//! Rounds that once failed, step by step.

use super::{
    events::{Said, What},
    run,
    script::{Comes, LONG, Script, Settings, Step},
    wants::{WANTED, Wanted},
};

/// One client who sees everything and wants this of it, in a hub whose windows end with it.
fn settings(wanted: Wanted) -> Settings {
    let wanted = WANTED.iter().position(|one| *one == wanted);
    Settings {
        clients: 1,
        in_file: false,
        window: LONG,
        flush_max: 256,
        lanes: [1 << 20; 6],
        claims: [0; 6],
        looks: [([0, 0], wanted.unwrap_or_default()); 6],
        batch: [false; 6],
        tells: [false; 6],
        in_memory: true,
        segment: 1 << 20,
        snapshot_part: 1 << 20,
        keeps: 10_000,
    }
}

/// The progress of one task.
fn progress(priority: u8) -> Said {
    Said {
        what: What::Progress,
        project: 1,
        who: 0,
        both: false,
        fact: 0,
        marked: true,
        priority: Some(priority),
        long: false,
        names_owner: false,
    }
}

/// An update of several events is as urgent as the most urgent of them, for filters too, also where a client's snapshot says
/// that one already.
#[test]
fn a_filter_takes_what_is_coalesced_by_its_most_urgent_event() {
    for (wanted, urgent, other) in [(Wanted::Urgent, 1, 2), (Wanted::NotLow, 2, 3)] {
        let script = Script {
            settings: settings(wanted),
            steps: vec![
                // The first goes at once; the others are held.
                Step::Publish(vec![progress(other), progress(urgent)]),
                Step::Comes(0, Comes::WithState),
                Step::CatchUp(0),
                Step::Publish(vec![progress(other)]),
            ],
        };
        run(&script).unwrap();
    }
}

/// A snapshot that was asked for and never came says nothing about the updates that the one before it says: these were unsent
/// when that was made, and a cursor from then on names them.
#[test]
fn whoever_leaves_before_the_snapshot_comes_has_only_the_one_before() {
    let other_tasks = [(0, 0), (2, 0), (1, 1)].map(|(project, who)| Said {
        project,
        who,
        long: true,
        ..progress(2)
    });
    let script = Script {
        settings: Settings {
            // A client that settles waits for what is sent before its window ends.
            window: LONG / 2,
            snapshot_part: 1_000,
            ..settings(Wanted::Everything)
        },
        steps: vec![
            // The second is held.
            Step::Publish(vec![progress(2), progress(2)]),
            Step::Comes(0, Comes::WithState),
            Step::CatchUp(0),
            // The state is so long now that it comes in parts.
            Step::Publish(other_tasks.to_vec()),
            Step::Await(0),
            Step::Await(0),
            Step::Await(0),
            // The end of the task sends what was held of it.
            Step::Publish(vec![Said {
                what: What::TaskCompleted,
                ..progress(2)
            }]),
            Step::Settle,
            Step::State(0, true),
            Step::Leaves(0),
            Step::Comes(0, Comes::Last),
            Step::CatchUp(0),
        ],
    };
    run(&script).unwrap();
}
