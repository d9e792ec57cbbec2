//! A ledger that is saved and restored, and its bound in bytes.

use super::*;

#[test]
fn a_ledger_that_stands_in_one_line_is_read_and_one_that_lacks_a_line_is_none() {
    let line = json!({ "vouched": [["run", [["p1", "1f", "p1", "ann", 1]]]], "claimed": [],
        "forgotten": 0, "names": { "Apollo": "p1" } });
    let mut restoring = Restoring::new(Bounds::default());
    restoring.read(&line.to_string()).unwrap();
    assert!(restoring.is_whole());
    let (ledger, learnt) = restoring.finish().unwrap();
    assert_eq!(learnt, None);
    assert!(saved(&Arc::new(ledger)).concat().contains("ann"));

    let ledger = Arc::new(Ledger::new(10));
    platform(&ledger, naming(Some("p1"), json!({ "run_id": "r" })));
    let lines: Vec<_> = Saving::new(ledger, 0).collect();
    let mut restoring = Restoring::new(Bounds::default());
    for line in &lines[..lines.len() - 1] {
        restoring.read(line).unwrap();
    }
    assert!(restoring.finish().is_none());
}

#[test]
fn bytes_are_bounded_in_all_kinds_together_and_what_is_counted_is_what_is_there() {
    let bounds = Bounds {
        things: 10_000,
        bytes: 100_000,
    };
    let ledger = Arc::new(Ledger::within(bounds));
    let long = "x".repeat(200);
    platform(&ledger, naming(Some("small"), json!({ "task_id": "t" })));
    for n in 0..500 {
        let id = |kind: &str| format!("{kind}{n}{long}");
        let ids = json!({ "task_id": id("t"), "run_id": id("r"), "owner_id": id("u"), "project_name": id("n") });
        let mut event = naming(Some("large"), ids.clone());
        event.name = event::EventName::new("project.updated");
        platform(&ledger, event);
        limited(&ledger, "other", naming(Some("other"), ids)).unwrap();
        for limited in [false, true] {
            assert!(ledger.metrics().held(limited) <= bounds.bytes);
        }
    }
    let home = platform(&ledger, naming(None, json!({ "task_id": "t" })));
    assert_eq!(home.project_id.as_deref(), Some("small"), "another's stays");
    let gone = platform(
        &ledger,
        naming(None, json!({ "task_id": format!("t0{long}") })),
    );
    assert_eq!(gone.settled.candidates, Candidates::Unknown);
    let again = Arc::new(within(&ledger, 10_000));
    for limited in [false, true] {
        let (held, again) = (
            ledger.metrics().held(limited),
            again.metrics().held(limited),
        );
        assert!(held > bounds.bytes / 2);
        assert_eq!(
            held, again,
            "nothing is counted twice, and nothing twice given back"
        );
    }
}

#[test]
fn what_is_saved_goes_on_as_it_was_within_other_limits() {
    let ledger = Arc::new(Ledger::new(100));
    platform(
        &ledger,
        naming(Some("p1"), json!({ "run_id": "r", "owner_id": "ann" })),
    );
    platform(
        &ledger,
        naming(None, json!({ "execution_id": "x", "user_id": "bob" })),
    );
    limited(
        &ledger,
        "p2",
        naming(Some("p2"), json!({ "run_id": "r", "owner_id": "eve" })),
    )
    .unwrap();
    let again = Arc::new(within(&ledger, 100));
    assert_eq!(saved(&again), saved(&ledger));
    let event = || naming(None, json!({ "run_id": "r", "execution_id": "x" }));
    assert_eq!(platform(&again, event()), platform(&ledger, event()));
    for n in 0..5 {
        platform(
            &ledger,
            naming(Some("p1"), json!({ "run_id": format!("r{n}") })),
        );
    }
    let small = within(&ledger, 2);
    let lost = platform(&small, naming(None, json!({ "run_id": "r9" })));
    assert_eq!(
        lost.settled.candidates,
        Candidates::Unknown,
        "some had to be forgotten"
    );
}

#[test]
fn learning_what_was_settled_teaches_what_settling_taught() {
    let [live, folded] = [(); 2].map(|()| Arc::new(Ledger::new(100)));
    let events = [
        platform(
            &live,
            naming(
                None,
                json!({ "agent_id": "a", "task_id": "t", "user_id": "ann" }),
            ),
        ),
        platform(
            &live,
            naming(Some("p1"), json!({ "agent_id": "a", "task_id": "t" })),
        ),
        limited(
            &live,
            "p1",
            naming(Some("p1"), json!({ "task_id": "t", "owner_id": "ann" })),
        )
        .unwrap(),
        platform(
            &live,
            naming(
                Some("p2"),
                json!({ "workflow_id": "w", "run_id": "r", "owner_id": "bob" }),
            ),
        ),
        platform(&live, naming(None, json!({ "workflow_id": "w" }))),
    ];
    for event in &events {
        // The event as it comes from the journal.
        let kept = Event::from_stored(&event.to_stored()).unwrap();
        assert_eq!(&kept, event);
        folded.learn(&kept);
    }
    assert_eq!(saved(&folded), saved(&live));
}
