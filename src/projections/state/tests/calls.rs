//! Tool calls that go on, and hand-offs.

use super::*;

fn agent(state: &State, id: &str) -> Value {
    json_of(state, None)["agents"][id].clone()
}

fn tell(state: &mut State, kind: &str, data: &Value) {
    let at = "2026-01-02T03:04:05.678Z";
    state.apply(&event(
        json!({ "type": kind, "project_id": "p", "timestamp": at, "data": data }),
    ));
}

fn call(state: &mut State, kind: &str, id: &str, task: &str) {
    tell(
        state,
        kind,
        &json!({ "tool_call_id": id, "tool_name": format!("tool-{id}"), "agent_id": "a", "task_id": task }),
    );
}

fn open(state: &State) -> Vec<String> {
    let agent = agent(state, "a");
    let calls = agent["tool_calls"].as_array().cloned().unwrap_or_default();
    let ids = calls.iter().map(|call| call["tool_call_id"].as_str());
    ids.map(|id| id.unwrap().to_owned()).collect()
}

#[test]
fn a_call_goes_on_until_it_ends() {
    let mut state = fresh(at_most(100));
    call(&mut state, "tool.started", "c1", "t1");
    let working = agent(&state, "a");
    assert_eq!(
        (&working["tool"], &working["tool_calls"]),
        (
            &json!("tool-c1"),
            &json!([{ "tool_call_id": "c1", "tool_name": "tool-c1", "task_id": "t1", "started_at": "2026-01-02T03:04:05.678Z" }])
        )
    );
    assert_eq!(working["status"], Value::Null, "a call is no task");
    call(&mut state, "tool.started", "c2", "t1");
    call(&mut state, "tool.progress", "c1", "t1");
    call(&mut state, "tool.progress", "never-begun", "t1");
    assert_eq!(open(&state), ["c1", "c2"]);
    call(&mut state, "tool.completed", "c1", "t1");
    assert_eq!(agent(&state, "a")["tool"], "tool-c2");
    call(&mut state, "tool.failed", "c2", "t1");
    let rests = agent(&state, "a");
    assert!(rests.get("tool").is_none() && rests.get("tool_calls").is_none());
}

#[test]
fn calls_end_with_their_task_and_with_their_agent() {
    let mut state = fresh(at_most(100));
    for (id, task) in [("c1", "t1"), ("c2", "t2"), ("c3", "t1")] {
        call(&mut state, "tool.started", id, task);
    }
    let done = json!({ "task_id": "t1", "agent_id": "a" });
    tell(&mut state, "task.completed", &done);
    assert_eq!(open(&state), ["c2"]);
    tell(
        &mut state,
        "agent.unregistered",
        &json!({ "agent_id": "a" }),
    );
    assert!(open(&state).is_empty());
}

#[test]
fn calls_without_an_end_are_bounded_and_counted() {
    let limits = Limits {
        max_calls: 2,
        ..Limits::default()
    };
    let mut state = fresh(limits);
    for id in ["c1", "c2", "c3", "c2", "c4"] {
        call(&mut state, "tool.started", id, "t1");
    }
    assert_eq!(open(&state), ["c2", "c4"]);
    assert_eq!(state.dropped().calls, 2);
    // A call that does not fit is in no state.
    call(&mut state, "tool.started", &"x".repeat(9_000), "t1");
    assert_eq!((open(&state).len(), state.dropped().long), (2, 1));
}

#[test]
fn a_checkpoint_keeps_calls_and_no_producer_invents_one() {
    let mut state = fresh(at_most(100));
    call(&mut state, "tool.started", "c\u{1}1", "t1");
    let said = json!({ "agent_id": "a", "tool": "hammer", "tool_calls": 7, "\u{1}\u{2}x": "{}" });
    tell(&mut state, "agent.updated", &said);
    let again = State::from_checkpoint(&state.to_checkpoint(), &Limits::default()).unwrap();
    assert_eq!(
        json_of(&again, None)["agents"],
        json_of(&state, None)["agents"]
    );
    assert_eq!(agent(&again, "a")["tool"], "tool-c\u{1}1");
    call(&mut state, "tool.cancelled", "c\u{1}1", "t1");
    assert!(agent(&state, "a").get("tool").is_none());
}

#[test]
fn a_call_is_seen_by_those_who_see_its_project() {
    let mut state = fresh(at_most(100));
    let begin = |project: &str, id: &str| {
        json!({ "type": "tool.started", "project_id": project,
            "data": { "tool_call_id": id, "tool_name": id, "agent_id": "shared", "args": { "secret": project } } })
    };
    // An agent without a project works for all of them.
    state.apply(&event(
        json!({ "type": "agent.registered", "data": { "agent_id": "shared" } }),
    ));
    state.apply(&event(begin("mine", "c1")));
    state.apply(&event(begin("theirs", "c2")));
    let all = agent(&state, "shared");
    assert_eq!(all["tool_calls"].as_array().unwrap().len(), 2, "{all}");
    assert!(
        !all.to_string().contains("secret"),
        "arguments are no facts"
    );
    let mine = seen(&state, &["mine"]);
    let calls = mine["agents"]["shared"]["tool_calls"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[0]["tool_call_id"]), (1, &json!("c1")));
    assert!(!mine.to_string().contains("c2"), "{mine}");
}

#[test]
fn the_end_of_a_task_ends_no_call_that_was_begun_anew_for_another_one() {
    for (first, second, all_see_it) in [("mine", "theirs", true), ("theirs", "mine", false)] {
        let mut state = fresh(at_most(100));
        state.apply(&event(
            json!({ "type": "agent.registered", "data": { "agent_id": "shared" } }),
        ));
        for project in [first, second] {
            state.apply(&event(json!({ "type": "tool.started", "project_id": project,
                "data": { "tool_call_id": "c", "tool_name": "t", "agent_id": "shared", "task_id": format!("of-{project}") } })));
        }
        state.apply(&event(
            json!({ "type": "task.completed", "project_id": "mine",
            "data": { "task_id": "of-mine", "agent_id": "shared" } }),
        ));
        let goes_on = |projects: &[&str]| {
            let agent = &seen(&state, projects)["agents"]["shared"];
            agent["tool_calls"][0]["task_id"] == "of-theirs"
        };
        assert_eq!(
            (goes_on(&["mine"]), goes_on(&["theirs"])),
            (false, true),
            "{first} first"
        );
        assert_eq!(goes_on(&["mine", "theirs"]), all_see_it, "{first} first");
        assert_eq!(
            seen(&state, &["mine"])["agents"]["shared"].get("tool"),
            None
        );
    }
}

#[test]
fn a_handoff_says_whom_it_went_to_and_moves_no_task() {
    let mut state = fresh(at_most(100));
    let work = json!({ "task_id": "t1", "agent_id": "a" });
    tell(&mut state, "task.assigned", &work);
    let handoff = json!({ "from_agent_id": "a", "to_agent_id": "b", "task_id": "t1", "kind": "delegation", "reason": "r" });
    tell(&mut state, "agent.handoff", &handoff);
    let from = agent(&state, "a");
    assert_eq!(
        (&from["handed_to"], &from["task_id"], from.get("reason")),
        (&json!("b"), &json!("t1"), None)
    );
}

/// Spans tell of what happened in any order.
#[test]
fn events_that_come_late_say_nothing_new_of_what_came_after_them() {
    let mut state = fresh(at_most(100));
    for (at, to) in [
        ("03.500123", "b"),
        ("03.500", "c"),
        ("03.5009", "d"),
        ("02", "e"),
    ] {
        let data = json!({ "from_agent_id": "a", "to_agent_id": to });
        let moment = format!("2026-05-23T14:00:{at}Z");
        state.apply(&event(
            json!({ "type": "agent.handoff", "data": data, "timestamp": moment }),
        ));
    }
    let from = agent(&state, "a");
    let last = json!("2026-05-23T14:00:03.500900Z");
    assert_eq!(
        (&from["handed_to"], &from["handed_at"], &from["updated_at"]),
        (&json!("d"), &last, &last)
    );
}
