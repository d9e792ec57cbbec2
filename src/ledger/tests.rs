//! The projects and owners of events, and that no project's producer changes another's.

mod names;
mod saved;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    event::{self, Candidates, Event},
    timestamp::Timestamp,
};

fn event(value: Value) -> Event {
    let intake = event::ParseContext {
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

/// Settles an event of a producer without limits.
fn platform(ledger: &Ledger, mut event: Event) -> Event {
    let producer: Arc<str> = "key:platform".into();
    let speaker = Speaker {
        producer: &producer,
        projects: None,
    };
    ledger.settle(&mut event, speaker).unwrap();
    event
}

/// Settles an event of a producer for one project.
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
    // One thing decides what another leaves open.
    let both = json!({ "task_id": "same", "run_id": "r" });
    assert_eq!(project(both).as_deref(), Some("p1"));
    assert_eq!(project(json!({ "task_id": "new" })), None);
    let open = platform(&ledger, naming(None, json!({ "task_id": "same" })));
    assert_eq!(open.project_id, None);
    assert!(open.settled.uncertain.contains(ThingKind::Task));
    let both = Candidates::These(["p1".into(), "p2".into()].into());
    assert_eq!(open.settled.candidates, both);
    // The ledger learnt nothing by that: the project is as uncertain as before.
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
    assert_eq!(home(&working, ThingKind::Agent), None);
    assert_eq!(home(&working, ThingKind::Task).as_deref(), Some("p1"));
    // A thing that was first named in a project is that project's, and another's of the same id is another thing.
    for project in ["p1", "p2"] {
        let own = platform(
            &ledger,
            naming(Some(project), json!({ "agent_id": "writer" })),
        );
        assert_eq!(home(&own, ThingKind::Agent).as_deref(), Some(project));
    }
    platform(&ledger, naming(Some("p1"), json!({ "agent_id": "lone" })));
    let lone = platform(&ledger, naming(None, json!({ "agent_id": "lone" })));
    assert_eq!(
        (&lone.project_id, home(&lone, ThingKind::Agent)),
        (&None, None)
    );
    let of_p1 = Candidates::These(["p1".into()].into());
    assert_eq!(lone.settled.candidates, of_p1);
    // A task without a project comes into one, and takes its owner along.
    let alone = naming(None, json!({ "task_id": "later", "owner_id": "ann" }));
    assert_eq!(home(&platform(&ledger, alone), ThingKind::Task), None);
    let adopted = platform(&ledger, naming(Some("p2"), json!({ "task_id": "later" })));
    assert!(adopted.settled.adopts(ThingKind::Task));
    assert_eq!(adopted.settled.owner_of(ThingKind::Task), Some("ann"));
    let then = platform(&ledger, naming(None, json!({ "task_id": "later" })));
    assert_eq!(then.project_id.as_deref(), Some("p2"));
    assert!(!then.settled.adopts(ThingKind::Task));
    // A limited producer always means its own project's thing.
    let own = limited(
        &ledger,
        "p1",
        naming(Some("p1"), json!({ "agent_id": "shared" })),
    )
    .unwrap();
    assert_eq!(home(&own, ThingKind::Agent).as_deref(), Some("p1"));
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
        // The first one to name it.
        let claim = naming(Some("p1"), json!({ kind: "early", "owner_id": "mallory" }));
        limited(&ledger, "p1", claim).unwrap();
        // The other project names it first, and then again after a flood.
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
            // Its own producer is accepted as before.
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
    ledger.look(ThingKind::Run, "r0", |seats| {
        assert_eq!(seats, Seats::Unknown);
    });
    let claim = naming(Some("p1"), json!({ "run_id": "r0", "owner_id": "mallory" }));
    let claimed = limited(&ledger, "p1", claim).unwrap();
    assert_eq!(claimed.settled.owner_of(ThingKind::Run), None);
}

/// The lines of a ledger, in a sorted order.
fn saved(ledger: &Arc<Ledger>) -> Vec<String> {
    let mut lines: Vec<String> = Saving::new(ledger.clone(), 0).collect();
    lines.sort_unstable();
    lines
}

/// The ledger as it is restored within a bound.
fn within(ledger: &Arc<Ledger>, max: usize) -> Ledger {
    let mut restoring = Restoring::new(Bounds {
        things: max,
        ..Bounds::default()
    });
    for line in Saving::new(ledger.clone(), 7) {
        assert!(!restoring.is_whole());
        restoring.read(&line).unwrap();
    }
    let (ledger, learnt) = restoring.finish().unwrap();
    assert_eq!(learnt, Some(7));
    ledger
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
    /// A ledger is saved while it goes on learning: the last records teach it nothing new when it learns them again.
    #[test]
    fn what_is_learnt_again_teaches_nothing_else(said in prop::collection::vec(any_said(), 1..40), last in 1..10_usize) {
        let ledger = Arc::new(Ledger::new(1_000));
        let platforms = said.iter().filter_map(|(who, data)| match who {
            Who::Platform(project) => Some(platform(&ledger, naming(*project, data.clone()))),
            Who::Of(_) => None,
        });
        let settled: Vec<_> = platforms.collect();
        let before = saved(&ledger);
        for event in &settled[settled.len().saturating_sub(last)..] {
            ledger.learn(event);
        }
        prop_assert_eq!(before, saved(&ledger));
    }

    /// The events of all other producers are settled alike, whether or not one project's limited producer speaks.
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
