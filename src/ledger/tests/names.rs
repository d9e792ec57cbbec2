//! Projects that have only a name or a board.

use super::*;

/// A `project.*` event.
fn project(id: Option<&str>, name: Option<&str>, board: Option<&str>) -> Event {
    let state = json!({ "board_id": board, "project_name": name });
    event(
        json!({ "type": "project.updated", "project_id": id, "data": { "project_state": state } }),
    )
}

fn named(id: &str, name: &str) -> Event {
    project(Some(id), Some(name), None)
}

/// Settles an event that names its project only by a name.
fn by_name(ledger: &Ledger, name: &str) -> (Option<Arc<str>>, Candidates) {
    let event = platform(ledger, project(None, Some(name), None));
    let certain = event.settled.candidates.is_none();
    assert_eq!(
        event.settled.uncertain.contains(ThingKind::Project),
        !certain
    );
    (event.project_id, event.settled.candidates)
}

/// Settles an event that names its project by a board and a name.
fn by_board(ledger: &Ledger, board: &str, name: &str) -> (Option<Arc<str>>, Candidates) {
    let event = platform(ledger, project(None, Some(name), Some(board)));
    (event.project_id, event.settled.candidates)
}

fn one(id: &str) -> (Option<Arc<str>>, Candidates) {
    (Some(id.into()), Candidates::None)
}

fn these(ids: &[&str]) -> (Option<Arc<str>>, Candidates) {
    let ids = ids.iter().map(|id| (*id).into()).collect();
    (None, Candidates::These(ids))
}

const UNKNOWN: (Option<Arc<str>>, Candidates) = (None, Candidates::Unknown);
const NONE: (Option<Arc<str>>, Candidates) = (None, Candidates::None);

#[test]
fn a_name_of_several_projects_is_none_of_theirs_alone() {
    let ledger = Ledger::new(100);
    platform(&ledger, named("p1", "Website"));
    assert_eq!(by_name(&ledger, "Website"), one("p1"));
    platform(&ledger, named("b2", "Website"));
    let both = these(&["b2", "p1"]);
    for _ in 0..2 {
        assert_eq!(by_name(&ledger, "Website"), both, "it teaches nothing");
    }
    // A thing in the event may show which of them is meant, or that it may be a third one.
    platform(&ledger, naming(Some("b2"), json!({ "task_id": "t2" })));
    platform(&ledger, naming(Some("p3"), json!({ "task_id": "t3" })));
    let with = |task: &str| {
        let data = json!({ "project_name": "Website", "task_id": task });
        let event = platform(
            &ledger,
            event(json!({ "type": "project.updated", "data": data })),
        );
        (event.project_id, event.settled.candidates)
    };
    assert_eq!(with("t2"), one("b2"));
    assert_eq!(with("t3"), these(&["b2", "p1", "p3"]));
    // A task that is first named with it belongs to one of them, and not to everybody.
    assert_eq!(with("new"), both);
    let then = platform(&ledger, naming(None, json!({ "task_id": "new" })));
    assert_eq!(then.settled.candidates, Candidates::Unknown);
    let then = platform(&ledger, naming(Some("p1"), json!({ "task_id": "new" })));
    assert!(then.settled.adopts(ThingKind::Task));
}

#[test]
fn a_rename_gives_the_old_name_up() {
    let ledger = Ledger::new(100);
    platform(&ledger, named("p1", "Website"));
    platform(&ledger, named("p2", "Website"));
    platform(&ledger, named("p1", "Shop"));
    assert_eq!(by_name(&ledger, "Website"), one("p2"));
    assert_eq!(by_name(&ledger, "Shop"), one("p1"));
    // An event that still uses the old name is nobody's for certain, and not everybody's.
    platform(&ledger, named("p1", "Store"));
    assert_eq!(by_name(&ledger, "Shop"), UNKNOWN);
    assert_eq!(by_name(&ledger, "never said"), NONE);
    platform(&ledger, named("p3", "Shop"));
    assert_eq!(by_name(&ledger, "Shop"), one("p3"));
    platform(&ledger, named("p1", " "));
    assert_eq!(by_name(&ledger, "Store"), one("p1"), "that is no name");
}

/// Marcus announces a project by its id and name, and then tells of its board and name.
#[test]
fn a_board_is_of_the_project_of_its_name_that_has_none_yet() {
    let ledger = Ledger::new(100);
    platform(&ledger, named("p1", "Website"));
    assert_eq!(by_board(&ledger, "b1", "Website"), one("p1"));
    platform(&ledger, named("p2", "Website"));
    assert_eq!(by_board(&ledger, "b2", "Website"), one("p2"));
    // Each board is its project's, whatever the project's present name; an unknown one is a project of its own.
    assert_eq!(by_board(&ledger, "b1", "Website"), one("p1"));
    assert_eq!(by_board(&ledger, "b2", "Shop"), one("p2"));
    assert_eq!(by_board(&ledger, "b3", "Website"), one("b3"));
    assert_eq!(by_board(&ledger, "b4", "never said"), one("b4"));
    // Two projects have no board.
    for id in ["p5", "p6"] {
        platform(&ledger, named(id, "Depot"));
    }
    assert_eq!(by_board(&ledger, "b5", "Depot"), these(&["p5", "p6"]));
    platform(&ledger, project(Some("p6"), None, Some("b5")));
    assert_eq!(by_board(&ledger, "b5", "Depot"), one("p6"));
}

/// Others write a project's id in the place of a board's.
#[test]
fn a_board_that_is_known_as_a_project_is_that_one() {
    let ledger = Ledger::new(100);
    platform(&ledger, named("p1", "Website"));
    platform(&ledger, named("b2", "Website"));
    platform(&ledger, naming(Some("b3"), json!({ "task_id": "t" })));
    for board in ["b2", "b3"] {
        assert_eq!(by_board(&ledger, board, "Website"), one(board));
    }
    assert_eq!(by_board(&ledger, "b4", "Website"), one("p1"));
    platform(&ledger, named("b4", "Website"));
    assert_eq!(by_board(&ledger, "b4", "Website"), one("b4"));
    platform(&ledger, project(Some("p1"), None, Some("b4")));
    assert_eq!(by_board(&ledger, "b4", "Website"), one("p1"));
}

#[test]
fn a_limited_producer_takes_no_name_and_makes_none_ambiguous() {
    let ledger = Ledger::new(100);
    platform(&ledger, named("p2", "Website"));
    for name in ["Website", "Shop"] {
        limited(&ledger, "p1", named("p1", name)).unwrap();
        let board = project(Some("p1"), Some(name), Some("p1"));
        limited(&ledger, "p1", board).unwrap();
    }
    assert_eq!(by_name(&ledger, "Website"), one("p2"));
    assert_eq!(by_name(&ledger, "Shop"), NONE);
    // Nor does it take a name from its project.
    limited(&ledger, "p2", named("p2", "Shop")).unwrap();
    assert_eq!(by_name(&ledger, "Website"), one("p2"));
}

#[test]
fn names_are_bounded_and_what_is_not_known_then_may_be_anybodys() {
    let bounds = Bounds {
        things: 10_000,
        bytes: 80_000,
    };
    let ledger = Arc::new(Ledger::within(bounds));
    let held = || ledger.lock().names.held();
    for n in 0..20 {
        platform(&ledger, named(&format!("p{n}"), "same"));
    }
    assert_eq!(by_name(&ledger, "same"), UNKNOWN, "they are too many");
    platform(&ledger, named("p1", "other"));
    assert_eq!(by_name(&ledger, "same"), UNKNOWN, "some aren't known");
    // One project is renamed again and again.
    for n in 0..500 {
        platform(&ledger, named("p0", &format!("name {n}")));
        assert!(held() <= bounds.bytes / 8, "{n}");
    }
    assert_eq!(by_name(&ledger, "name 499"), one("p0"));
    assert_eq!(by_name(&ledger, "name 0"), UNKNOWN);
    assert_eq!(by_name(&ledger, "never said"), UNKNOWN);
    // New projects come again and again, with boards.
    for n in 0..500 {
        let id = |kind: &str| format!("{kind}{n}");
        let event = project(Some(&id("q")), Some(&id("n")), Some(&id("b")));
        platform(&ledger, event);
        assert!(held() <= bounds.bytes / 8, "{n}");
    }
    assert_eq!(
        by_name(&ledger, "name 499"),
        one("p0"),
        "nobody's was taken"
    );
    assert_eq!(by_name(&ledger, &"x".repeat(300)), UNKNOWN);
    let again = within(&ledger, 10_000);
    assert_eq!(by_name(&again, "name 499"), one("p0"));
    assert_eq!(by_name(&again, "same"), UNKNOWN);
    assert_eq!(by_name(&again, "never said"), UNKNOWN);
}

#[test]
fn names_that_were_saved_when_they_were_never_given_up_are_read() {
    let line = json!({ "forgotten": 0, "names": { "Apollo": "p1", "Old": "p2", "New": "p2" } });
    let mut restoring = Restoring::new(Bounds::default());
    restoring.read(&line.to_string()).unwrap();
    let (ledger, _) = restoring.finish().unwrap();
    assert_eq!(by_name(&ledger, "Apollo"), one("p1"));
    assert_eq!(by_name(&ledger, "Old"), UNKNOWN);
    platform(&ledger, named("p2", "New"));
    assert_eq!(by_name(&ledger, "New"), one("p2"));
    assert_eq!(by_name(&ledger, "never said"), NONE);
}

fn any_project() -> impl Strategy<Value = Event> {
    let one_of = |ids: &'static [&'static str]| prop::option::of(prop::sample::select(ids));
    let said = (
        one_of(&["p1", "p2", "b1"]),
        one_of(&["Website", "Shop", "Depot"]),
        one_of(&["b1", "b2", "p1"]),
    );
    said.prop_map(|(id, name, board)| project(id, name, board))
}

proptest! {
    /// After a restart the names are the same, whether they were saved, learnt again, or both.
    #[test]
    fn names_are_learnt_as_they_were_settled(said in prop::collection::vec(any_project(), 1..40), last in 1..10_usize) {
        let [live, folded] = [(); 2].map(|()| Arc::new(Ledger::new(1_000)));
        let settled: Vec<_> = said.into_iter().map(|event| platform(&live, event)).collect();
        for event in &settled {
            folded.learn(&Event::from_stored(&event.to_stored()).unwrap());
        }
        prop_assert_eq!(saved(&folded), saved(&live));
        let held = live.lock().names.held();
        let again = Arc::new(within(&live, 1_000));
        prop_assert_eq!(again.lock().names.held(), held);
        for event in &settled[settled.len().saturating_sub(last)..] {
            again.learn(event);
        }
        prop_assert_eq!(saved(&again), saved(&live));
        prop_assert_eq!(again.lock().names.held(), held);
    }
}
