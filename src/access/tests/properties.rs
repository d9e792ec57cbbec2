//! Properties of all rules, claims and events.

use proptest::prelude::*;
use serde_json::json;

use super::{claiming, naming, policy, settle, settled};
use crate::{
    access::authz::Permissions,
    config::{Rule, Rules},
    event::{Event, ThingKind},
};

/// Ids are few, so that things of one name meet.
fn any_event() -> impl Strategy<Value = Event> {
    let id = |names: &'static [&'static str]| prop::option::of(prop::sample::select(names));
    let ids = (
        id(&["p1", "p2", "p3"]),
        id(&["a1", "a2"]),
        id(&["x", "t1", "t2"]),
        id(&["x", "e1"]),
        id(&["w1"]),
        id(&["x", "r1"]),
        id(&["x", "j1"]),
        id(&["ann", "bob"]),
        id(&["ann", "bob"]),
    );
    ids.prop_map(|(project, agent, task, execution, workflow, run, job, user, owner)| {
        let data = json!({
            "agent_id": agent, "task_id": task, "execution_id": execution, "workflow_id": workflow,
            "run_id": run, "job_id": job, "user_id": user, "owner_id": owner,
        });
        naming(project, data)
    })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let rule = || prop::sample::select(&[Rule::All, Rule::Project, Rule::Owner][..]);
    let project = prop::sample::select(&[Rule::All, Rule::Claim][..]);
    (project, rule(), rule(), rule(), rule(), 1_u64..6).prop_map(
        |(project, agent, task, execution, run, max_known)| Rules {
            project,
            agent,
            task,
            execution,
            run,
            max_known: max_known.try_into().unwrap(),
            ..Rules::default()
        },
    )
}

/// A list of claims, and one that has these and more.
fn any_claims(names: &'static [&'static str]) -> impl Strategy<Value = [Vec<&'static str>; 2]> {
    let some = || prop::collection::vec(prop::sample::select(names), 0..3);
    (some(), some()).prop_map(|(fewer, further)| {
        let more = fewer.iter().chain(&further).copied().collect();
        [fewer, more]
    })
}

proptest! {
    #[test]
    fn more_claims_show_no_less(
        rules in any_rules(),
        known in prop::collection::vec(any_event(), 0..12),
        events in prop::collection::vec(any_event(), 1..12),
        projects in any_claims(&["p1", "p2", "p*"]),
        rooms in prop::option::of(any_claims(&["project:p1", "task:*", "execution:e1", "agent:a1"])),
    ) {
        let policy = policy(rules, &known);
        let [few, many] = [0, 1].map(|n| {
            let rooms = rooms.as_ref().map(|rooms| &rooms[n][..]);
            claiming(&policy, Some("ann"), rooms, Some(&projects[n]))
        });
        let nobody = claiming(&policy, None, Some(&[]), None);
        for event in events.iter().chain(&known) {
            let event = &settle(&policy.ledger, event);
            prop_assert!(!few.may_see(event) || many.may_see(event), "{few:?} sees {event:?}, {many:?} doesn't");
            prop_assert!(Permissions::everything().may_see(event));
            let mut names_something = false;
            event.things(&mut |_, _| names_something = true);
            prop_assert_eq!(nobody.may_see(event), !names_something);
        }
    }

    #[test]
    fn without_claims_one_sees_only_what_names_no_ruled_thing(
        known in prop::collection::vec(any_event(), 0..12),
        events in prop::collection::vec(any_event(), 1..12),
    ) {
        let policy = policy(Rules::default(), &known);
        let nobody = claiming(&policy, None, None, None);
        for event in &events {
            let event = &settled(&policy, event);
            let mut ruled = event.project_id.is_some();
            event.things(&mut |kind, _| ruled |= match kind {
                ThingKind::Agent => false,
                // Everybody may see a thing of which no project is known.
                ThingKind::Task => event.settled.uncertain.contains(kind),
                _ => true,
            });
            prop_assert_eq!(nobody.may_see(event), !ruled, "{:?}", event);
            let in_projects = |e: &Event| e.project_id.is_some() && e.task_id().is_some();
            let tasks_project = known.iter().any(|e| in_projects(e) && e.task_id() == event.task_id());
            prop_assert!(!tasks_project || ruled, "{:?}", event);
        }
    }

    #[test]
    fn what_names_one_project_and_no_owner_is_for_those_who_may_see_that(
        known in prop::collection::vec(any_event(), 0..12),
        task in prop::sample::select(&["x", "t1", "t2"][..]),
    ) {
        let policy = policy(Rules::default(), &known);
        let spy = claiming(&policy, Some("eve"), None, Some(&["p1", "p3"]));
        let of = |project| settled(&policy, &naming(Some(project), json!({ "task_id": task })));
        prop_assert!(!spy.may_see(&of("p2")));
        prop_assert!(spy.may_see(&of("p1")));
    }
}
