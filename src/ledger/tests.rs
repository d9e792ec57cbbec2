//! Which project an event belongs to, whose its things are, and that no project's producer changes that for another's.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    event::{self, Candidates, Event},
    timestamp::Timestamp,
};

fn event(value: Value) -> Event {
    let intake = event::Intake {
        now: Timestamp::from_micros(0),
        producer: "test",
        max_depth: 8,
    };
    event::parse(value, &intake).unwrap()
}

fn naming(project: Option<&str>, data: Value) -> Event {
    let mut named = json!({ "type": "thing.happened", "id": "e", "project_id": project });
    named["data"] = data;
    event(named)
}

/// Settles as a producer without limits says it.
fn platform(ledger: &Ledger, mut event: Event) -> Event {
    let producer: Arc<str> = "key:platform".into();
    let speaker = Speaker {
        producer: &producer,
        projects: None,
    };
    ledger.settle(&mut event, speaker).unwrap();
    event
}

/// Settles as a producer for one project says it.
fn limited(ledger: &Ledger, project: &str, mut event: Event) -> Result<Event, &'static str> {
    let producer: Arc<str> = format!("user:of-{project}").into();
    let may = |named: &str| named == project;
    let speaker = Speaker {
        producer: &producer,
        projects: Some(&may),
    };
    let settled = ledger.settle(&mut event, speaker);
    settled.map(|()| event).map_err(|refusal| refusal.code)
}

#[test]
fn an_event_without_a_project_is_of_the_one_in_which_its_things_are_known() {
    let ledger = Ledger::new(100);
    platform(
        &ledger,
        naming(Some("p1"), json!({ "task_id": "t1", "run_id": "r" })),
    );
    platform(&ledger, naming(Some("p1"), json!({ "task_id": "same" })));
    platform(&ledger, naming(Some("p2"), json!({ "task_id": "same" })));
    let project = |data| platform(&ledger, naming(None, data)).project_id;
    assert_eq!(project(json!({ "task_id": "t1" })).as_deref(), Some("p1"));
    // What one thing leaves open another says.
    let both = json!({ "task_id": "same", "run_id": "r" });
    assert_eq!(project(both).as_deref(), Some("p1"));
    assert_eq!(project(json!({ "task_id": "new" })), None);
    let open = platform(&ledger, naming(None, json!({ "task_id": "same" })));
    assert_eq!(open.project_id, None);
    assert!(open.settled.uncertain.contains(Kind::Task));
    let both = Candidates::These(["p1".into(), "p2".into()].into());
    assert_eq!(open.settled.candidates, both);
    // Nothing was learnt by that: it is as uncertain as before.
    let again = platform(&ledger, naming(None, json!({ "task_id": "same" })));
    assert_eq!(again.settled.candidates, both);
}

#[test]
fn a_things_home_is_told_with_each_event() {
    let ledger = Ledger::new(100);
    let home = |event: &Event, kind| event.home(kind).map(str::to_owned);
    // Agents are known without a project and work in many.
    platform(&ledger, naming(None, json!({ "agent_id": "shared" })));
    let working = platform(
        &ledger,
        naming(Some("p1"), json!({ "agent_id": "shared", "task_id": "t" })),
    );
    assert_eq!(home(&working, Kind::Agent), None);
    assert_eq!(home(&working, Kind::Task).as_deref(), Some("p1"));
    // One that was first named in a project is that project's, and another's of the same id is another one.
    for project in ["p1", "p2"] {
        let own = platform(
            &ledger,
            naming(Some(project), json!({ "agent_id": "writer" })),
        );
        assert_eq!(home(&own, Kind::Agent).as_deref(), Some(project));
    }
    platform(&ledger, naming(Some("p1"), json!({ "agent_id": "lone" })));
    let lone = platform(&ledger, naming(None, json!({ "agent_id": "lone" })));
    assert_eq!((&lone.project_id, home(&lone, Kind::Agent)), (&None, None));
    let of_p1 = Candidates::These(["p1".into()].into());
    assert_eq!(lone.settled.candidates, of_p1);
    // A task that had no project comes into one, and takes its owner along.
    let alone = naming(None, json!({ "task_id": "later", "owner_id": "ann" }));
    assert_eq!(home(&platform(&ledger, alone), Kind::Task), None);
    let adopted = platform(&ledger, naming(Some("p2"), json!({ "task_id": "later" })));
    assert!(adopted.settled.adopts(Kind::Task));
    assert_eq!(adopted.settled.owner_of(Kind::Task), Some("ann"));
    let then = platform(&ledger, naming(None, json!({ "task_id": "later" })));
    assert_eq!(then.project_id.as_deref(), Some("p2"));
    assert!(!then.settled.adopts(Kind::Task));
    // A limited producer always means its own.
    let own = limited(
        &ledger,
        "p1",
        naming(Some("p1"), json!({ "agent_id": "shared" })),
    )
    .unwrap();
    assert_eq!(home(&own, Kind::Agent).as_deref(), Some("p1"));
}

#[test]
fn a_project_goes_by_its_name_or_board_only_where_it_is_settled() {
    let ledger = Ledger::new(100);
    let named = json!({ "type": "project.created", "project_id": "p2", "data": { "project_name": "Apollo" } });
    platform(&ledger, event(named));
    let by_name = json!({ "type": "project.updated", "data": { "project_state": { "board_id": "b", "project_name": "Apollo" } } });
    let by_board =
        json!({ "type": "project.updated", "data": { "project_state": { "board_id": "p2" } } });
    for value in [&by_name, &by_board] {
        let project = platform(&ledger, event(value.clone())).project_id;
        assert_eq!(project.as_deref(), Some("p2"), "{value}");
        assert_eq!(
            limited(&ledger, "p1", event(value.clone())).err(),
            Some("forbidden")
        );
    }
    let without = json!({ "type": "project.updated", "data": { "project_name": "Apollo" } });
    assert_eq!(
        limited(&ledger, "p1", event(without.clone())).err(),
        Some("forbidden")
    );
    // Nor does a name that a limited producer gives its project draw others' events there.
    let taking = json!({ "type": "project.created", "project_id": "p1", "data": { "project_name": "Gemini" } });
    limited(&ledger, "p1", event(taking)).unwrap();
    let theirs = json!({ "type": "project.updated", "data": { "project_name": "Gemini" } });
    assert_eq!(platform(&ledger, event(theirs)).project_id, None);
}

#[test]
fn a_limited_producer_names_one_of_its_projects_and_no_other_one_in_any_spelling() {
    let ledger = Ledger::new(100);
    for value in [
        json!({ "type": "task.created", "data": { "task_id": "t" } }),
        json!({ "type": "task.created", "project_id": "p2" }),
        json!({ "type": "task.created", "project_id": "p1", "data": { "project_id": "p2" } }),
        json!({ "type": "task.created", "project_id": "p1", "data": { "projectId": "p2" } }),
        json!({ "type": "agent.run.started", "project_id": "p1", "run": { "id": "r", "projectId": "p2" } }),
        json!({ "type": "project.completed", "project_id": "p1", "data": { "project_state": { "board_id": "p2" } } }),
        json!({ "type": "task.created", "projectId": "p2", "data": {} }),
        json!({ "event": "task_progress", "metadata": { "project_id": "p2" } }),
    ] {
        let refused = limited(&ledger, "p1", event(value.clone()));
        assert_eq!(refused.err(), Some("forbidden"), "{value}");
    }
    let own = json!({ "type": "task.created", "data": { "metadata": { "project_id": "p1" } } });
    let own = limited(&ledger, "p1", event(own)).unwrap();
    assert!(own.settled.confined && own.project_id.as_deref() == Some("p1"));
    assert_eq!(&*own.settled.producer, "user:of-p1");
}

#[test]
fn claiming_first_or_after_a_flood_gives_nothing_of_anothers() {
    let ledger = Ledger::new(50);
    for kind in ["run_id", "execution_id", "job_id", "workflow_id", "task_id"] {
        // First come.
        let claim = naming(Some("p1"), json!({ kind: "early", "owner_id": "mallory" }));
        limited(&ledger, "p1", claim).unwrap();
        // Of another project's, and then again after a flood.
        let theirs = || naming(Some("p2"), json!({ kind: "run-of-bob", "user_id": "bob" }));
        platform(&ledger, theirs());
        for n in 0..500 {
            limited(
                &ledger,
                "p1",
                naming(Some("p1"), json!({ kind: format!("n{n}") })),
            )
            .unwrap();
        }
        let claim = naming(
            Some("p1"),
            json!({ kind: "run-of-bob", "owner_id": "mallory" }),
        );
        limited(&ledger, "p1", claim).ok();
        for (project, id) in [
            (Some("p2"), "early"),
            (None, "early"),
            (Some("p2"), "run-of-bob"),
            (None, "run-of-bob"),
        ] {
            let event = platform(
                &ledger,
                naming(project, json!({ kind: id, "user_id": "bob" })),
            );
            assert_ne!(event.project_id.as_deref(), Some("p1"), "{kind} {id}");
            let owners: Vec<_> = event.settled.owners.iter().map(|o| &*o.owner).collect();
            assert_eq!(owners, ["bob"], "{kind} {project:?} {id}");
            // Its own producer is let in as before.
            let own = naming(Some("p2"), json!({ kind: id, "owner_id": "bob" }));
            limited(&ledger, "p2", own).unwrap();
        }
    }
}

#[test]
fn what_is_forgotten_may_be_anybodys_and_no_limited_producer_becomes_its_owner() {
    let ledger = Ledger::new(3);
    for n in 0..10 {
        platform(
            &ledger,
            naming(
                Some("p2"),
                json!({ "run_id": format!("r{n}"), "user_id": "bob" }),
            ),
        );
    }
    let forgotten = platform(&ledger, naming(None, json!({ "run_id": "r0" })));
    assert_eq!(forgotten.settled.candidates, Candidates::Unknown);
    ledger.look(Kind::Run, "r0", |seats| assert_eq!(seats, Seats::Unknown));
    let claim = naming(Some("p1"), json!({ "run_id": "r0", "owner_id": "mallory" }));
    let claimed = limited(&ledger, "p1", claim).unwrap();
    assert_eq!(claimed.settled.owner_of(Kind::Run), None);
}

#[test]
fn what_is_saved_goes_on_as_it_was_within_other_limits() {
    let ledger = Ledger::new(100);
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
    let text = serde_json::to_string(&ledger.save()).unwrap();
    let read = |max| Ledger::of_saved(serde_json::from_str(&text).unwrap(), max);
    let again = read(100);
    assert_eq!(
        serde_json::to_value(again.save()).unwrap(),
        serde_json::to_value(ledger.save()).unwrap()
    );
    let event = || naming(None, json!({ "run_id": "r", "execution_id": "x" }));
    assert_eq!(platform(&again, event()), platform(&ledger, event()));
    for n in 0..5 {
        platform(
            &ledger,
            naming(Some("p1"), json!({ "run_id": format!("r{n}") })),
        );
    }
    let text = serde_json::to_string(&ledger.save()).unwrap();
    let small = Ledger::of_saved(serde_json::from_str(&text).unwrap(), 2);
    let lost = platform(&small, naming(None, json!({ "run_id": "r9" })));
    assert_eq!(
        lost.settled.candidates,
        Candidates::Unknown,
        "some had to be forgotten"
    );
}

#[test]
fn learning_what_was_settled_teaches_what_settling_taught() {
    let (live, folded) = (Ledger::new(100), Ledger::new(100));
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
        // As it comes from the journal.
        let kept = Event::from_stored(&event.to_stored()).unwrap();
        assert_eq!(&kept, event);
        folded.learn(&kept);
    }
    assert_eq!(
        serde_json::to_value(folded.save()).unwrap(),
        serde_json::to_value(live.save()).unwrap()
    );
}

/// The speaker: the platform, or the producer of a project.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Platform(Option<&'static str>),
    Of(&'static str),
}

fn any_said() -> impl Strategy<Value = (Who, Value)> {
    let who = prop::sample::select(
        &[
            Who::Platform(None),
            Who::Platform(Some("p1")),
            Who::Platform(Some("p2")),
            Who::Of("p1"),
            Who::Of("p2"),
        ][..],
    );
    let id = || prop::option::of(prop::sample::select(&["x", "y"][..]));
    let user = || prop::option::of(prop::sample::select(&["ann", "bob", "mallory"][..]));
    let ids = (id(), id(), id(), id(), id(), id(), user(), user());
    (who, ids).prop_map(|(who, (agent, task, execution, workflow, run, job, user, owner))| {
        let data = json!({
            "agent_id": agent, "task_id": task, "execution_id": execution, "workflow_id": workflow,
            "run_id": run, "job_id": job, "user_id": user, "owner_id": owner,
        });
        (who, data)
    })
}

proptest! {
    /// The events of everybody but one project's limited producer are settled alike whether that one speaks or not.
    #[test]
    fn nothing_that_is_settled_depends_on_another_projects_producer(said in prop::collection::vec(any_said(), 1..40)) {
        let settle = |without: Option<Who>| -> Vec<_> {
            let ledger = Ledger::new(1_000);
            let heard = said.iter().filter(|(who, _)| Some(*who) != without);
            heard.map(|(who, data)| (*who, match who {
                Who::Platform(project) => Ok(platform(&ledger, naming(*project, data.clone()))),
                Who::Of(project) => limited(&ledger, project, naming(Some(project), data.clone())),
            })).collect()
        };
        let all = settle(None);
        for gone in [Who::Of("p1"), Who::Of("p2")] {
            let mut others = all.clone();
            others.retain(|(who, _)| *who != gone);
            prop_assert_eq!(&others, &settle(Some(gone)));
        }
    }
}
