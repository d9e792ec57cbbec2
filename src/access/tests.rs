//! The permissions for rules × claims × events, and properties of all of them.

mod properties;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    access::authz::{Permissions, Policy},
    config::{Rule, Rules},
    event::{self, Event, ThingKind},
    ledger::{Bounds, Ledger, Restoring, Saving, Speaker},
    timestamp::Timestamp,
};

fn event(value: Value) -> Event {
    let intake = event::ParseContext {
        now: Timestamp::now(),
        producer: "test",
        max_depth: 8,
    };
    event::parse(value, &intake).unwrap()
}

/// An event that names these things.
fn naming(project: Option<&str>, data: Value) -> Event {
    let mut named = json!({ "type": "thing.happened", "project_id": project });
    named["data"] = data;
    event(named)
}

fn policy(rules: Rules, events: &[Event]) -> Arc<Policy> {
    let ledger = Ledger::new(rules.max_known.into());
    events.iter().for_each(|event| {
        settle(&ledger, event);
    });
    Arc::new(Policy {
        rules,
        ledger: ledger.into(),
    })
}

/// The event as one of a producer without limits is settled.
fn settle(ledger: &Ledger, event: &Event) -> Event {
    let (mut event, nobody) = (event.clone(), "".into());
    let speaker = Speaker {
        producer: &nobody,
        projects: None,
    };
    ledger.settle(&mut event, speaker).unwrap();
    event
}

/// The same, as if the ledger had learnt nothing from it.
fn settled(policy: &Policy, event: &Event) -> Event {
    let mut restoring = Restoring::new(Bounds::default());
    for line in Saving::new(policy.ledger.clone(), 0) {
        restoring.read(&line).unwrap();
    }
    settle(&restoring.finish().unwrap().0, event)
}

/// A client with these claims.
fn claiming(
    policy: &Arc<Policy>,
    user: Option<&str>,
    rooms: Option<&[&str]>,
    projects: Option<&[&str]>,
) -> Permissions {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Permissions::new(
        user.map(Into::into),
        rooms.map(owned),
        projects.map(owned),
        policy.clone(),
    )
    .unwrap()
}

#[test]
fn who_may_be_in_every_room_and_keeps_to_no_projects_sees_everything() {
    let policy = policy(Rules::default(), &[]);
    let sees = |rooms: &[&str], projects: Option<&[&str]>| {
        claiming(&policy, Some("ann"), Some(rooms), projects).is_everything()
    };
    assert!(sees(&["*"], None) && sees(&["project:p1", "**"], Some(&["*"])));
    assert!(!sees(&["*"], Some(&["p1"])), "it publishes for p1 only");
    assert!(!sees(&["*:*"], None) && !sees(&["project:*"], None));
    assert!(!claiming(&policy, Some("ann"), None, Some(&["*"])).is_everything());
}

#[test]
fn rules_and_claims() {
    let known = [
        naming(
            Some("p1"),
            json!({ "task_id": "t1", "run_id": "r1", "agent_id": "a1" }),
        ),
        naming(Some("p2"), json!({ "task_id": "t2", "agent_id": "a2" })),
        naming(
            Some("p1"),
            json!({ "task_id": "same", "agent_id": "a3", "job_id": "j3" }),
        ),
        naming(
            Some("p2"),
            json!({ "task_id": "same", "agent_id": "a3", "job_id": "j3" }),
        ),
        naming(None, json!({ "execution_id": "e1", "user_id": "ann" })),
        naming(None, json!({ "execution_id": "e2", "owner_id": "bob" })),
    ];
    let default = policy(Rules::default(), &known);
    let by_project = policy(
        Rules {
            agent: Rule::Project,
            ..Rules::default()
        },
        &known,
    );
    let open = policy(
        Rules {
            project: Rule::All,
            ..Rules::default()
        },
        &known,
    );
    let ann = claiming(&default, Some("ann"), None, Some(&["p1"]));
    let strict = claiming(&by_project, Some("ann"), None, Some(&["p1"]));
    let both = claiming(&by_project, Some("eve"), None, Some(&["p?"]));
    let all = claiming(&open, Some("ann"), None, None);
    let named = claiming(&default, None, Some(&["execution:e*", "task:t2"]), None);
    let none = claiming(&default, None, None, None);
    // The event, and whether ann, strict, both, all, named and none see it.
    let table: &[(Option<&str>, Value, [bool; 6])] = &[
        (None, json!({}), [true; 6]),
        (
            Some("p1"),
            json!({}),
            [true, true, true, true, false, false],
        ),
        (
            Some("p2"),
            json!({}),
            [false, false, true, true, false, false],
        ),
        // A task belongs to its project; until that is known, everybody may see it.
        (
            None,
            json!({ "task_id": "t1" }),
            [true, true, true, true, false, false],
        ),
        (
            None,
            json!({ "task_id": "t2" }),
            [false, false, true, true, true, false],
        ),
        (
            None,
            json!({ "task_id": "t9" }),
            [true, true, true, true, false, true],
        ),
        // Two projects have a task of this name: the event's project counts, and without one the client must see both.
        (
            Some("p1"),
            json!({ "task_id": "same" }),
            [true, true, true, true, false, false],
        ),
        (
            Some("p2"),
            json!({ "task_id": "same" }),
            [false, false, true, true, false, false],
        ),
        (
            None,
            json!({ "task_id": "same" }),
            [false, false, true, true, false, false],
        ),
        (
            Some("p2"),
            json!({ "task_id": "t1" }),
            [false, false, true, true, false, false],
        ),
        (
            Some("p2"),
            json!({ "job_id": "j3" }),
            [false, false, true, true, false, false],
        ),
        (
            None,
            json!({ "job_id": "j3" }),
            [false, false, true, true, false, false],
        ),
        // Everybody may see agents, unless a rule says otherwise.
        (
            None,
            json!({ "agent_id": "a1" }),
            [true, true, true, true, false, true],
        ),
        (
            None,
            json!({ "agent_id": "a2" }),
            [true, false, true, true, false, true],
        ),
        (
            None,
            json!({ "agent_id": "a3" }),
            [true, false, true, true, false, true],
        ),
        (
            None,
            json!({ "agent_id": "a1", "task_id": "t2" }),
            [false, false, true, true, true, false],
        ),
        // Things with an owner.
        (
            None,
            json!({ "execution_id": "e1" }),
            [true, true, false, true, true, false],
        ),
        (
            None,
            json!({ "execution_id": "e2" }),
            [false, false, false, false, true, false],
        ),
        (
            None,
            json!({ "execution_id": "e9" }),
            [false, false, false, false, true, false],
        ),
        (
            None,
            json!({ "run_id": "r1" }),
            [true, true, true, true, false, false],
        ),
        (
            None,
            json!({ "user_id": "ann" }),
            [true, true, false, true, false, false],
        ),
        (
            Some("p2"),
            json!({ "user_id": "ann" }),
            [true, true, true, true, false, false],
        ),
    ];
    for (project, data, expected) in table {
        let event = settled(&default, &naming(*project, data.clone()));
        let seen = [&ann, &strict, &both, &all, &named, &none]
            .map(|permissions| permissions.may_see(&event));
        assert_eq!(seen, *expected, "{project:?} {data}");
        assert!(Permissions::everything().may_see(&event));
    }
}

#[test]
fn a_workflow_that_several_run_is_nobodys_window_on_the_others() {
    let run = |execution: &str, who: Value| {
        let mut data = json!({ "execution_id": execution, "workflow_id": "w" });
        data.as_object_mut()
            .unwrap()
            .extend(who.as_object().unwrap().clone());
        naming(None, data)
    };
    for key in ["user_id", "owner_id"] {
        let (anns, bobs) = (
            run("e1", json!({ key: "ann" })),
            run("e2", json!({ key: "bob" })),
        );
        let policy = policy(Rules::default(), &[]);
        let anns = settle(&policy.ledger, &anns);
        let ann = claiming(&policy, Some("ann"), None, None);
        assert!(
            ann.may_enter(ThingKind::Workflow, None, "w"),
            "so far it is hers"
        );
        let bobs = settle(&policy.ledger, &bobs);
        assert!(!ann.may_enter(ThingKind::Workflow, None, "w"));
        assert!(ann.may_see(&anns) && !ann.may_see(&bobs), "{key}");
        let bob = claiming(&policy, Some("bob"), None, None);
        assert!(bob.may_see(&bobs) && !bob.may_see(&anns), "{key}");
        let said = naming(None, json!({ "workflow_id": "w", "owner_id": "ann" }));
        settle(&policy.ledger, &said);
        assert!(
            ann.may_enter(ThingKind::Workflow, None, "w"),
            "now it is said"
        );
    }
}

#[test]
fn what_is_forgotten_is_shown_to_fewer() {
    let rules = Rules {
        max_known: 2_u64.try_into().unwrap(),
        ..Rules::default()
    };
    let of = |task: &str, project| naming(project, json!({ "task_id": task }));
    let known = [
        of("t0", Some("p2")),
        of("t1", Some("p2")),
        of("t2", Some("p2")),
    ];
    let some_lost = policy(rules, &known);
    let spy = claiming(&some_lost, Some("ann"), None, Some(&["p1"]));
    let sees = |policy: &Policy, spy: &Permissions, event| spy.may_see(&settled(policy, &event));
    assert!(!sees(&some_lost, &spy, of("t0", None)) && !sees(&some_lost, &spy, of("t1", None)));
    let restarted = policy(Rules::default(), &[]);
    let spy = claiming(&restarted, Some("ann"), None, Some(&["p1"]));
    assert!(
        sees(&restarted, &spy, of("t0", None)),
        "nothing is known yet"
    );
    restarted.ledger.lack_the_past();
    assert!(!sees(&restarted, &spy, of("t0", None)));
    assert!(sees(&restarted, &spy, of("t0", Some("p1"))));
}
