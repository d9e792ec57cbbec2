//! Questions to people, open and closed.

use super::*;
use crate::projections::state::{Asker, Question, QuestionStatus};

fn tell(state: &mut State, kind: &str, project: Option<&str>, data: &Value) {
    let at = "2026-01-02T03:04:05.678Z";
    state.apply(&event(
        json!({ "type": kind, "project_id": project, "timestamp": at, "data": data }),
    ));
}

fn asked(state: &mut State, project: Option<&str>, id: &str) {
    let data = json!({ "request_id": id, "message": "Publish?", "options": ["yes"], "agent_id": "a", "status": 7,
        "answer": "forged" });
    tell(state, "input.requested", project, &data);
}

fn question(state: &State, project: Option<&str>, id: &str) -> Option<Question> {
    let asker = Asker {
        permissions: &Permissions::everything(),
        verified: "",
    };
    state.picture().question(&asker, project, id).unwrap()
}

fn status_of(state: &State, agent: &str) -> Value {
    json_of(state, None)["agents"][agent]["status"].clone()
}

#[test]
fn a_question_is_open_until_the_first_word_that_closes_it() {
    let mut state = fresh(at_most(100));
    let work = json!({ "task_id": "t1", "agent_id": "a" });
    tell(&mut state, "task.assigned", Some("p"), &work);
    assert_eq!(status_of(&state, "a"), "working");
    asked(&mut state, Some("p"), "q1");
    asked(&mut state, Some("p"), "q2");
    let shown = json_of(&state, None);
    assert_eq!(
        shown["inputs"]["q1"],
        json!({ "id": "q1", "project_id": "p", "request_id": "q1", "message": "Publish?", "options": ["yes"],
            "kind": "input_required", "agent_id": "a", "agent_project_id": "p", "status": "open",
            "requested_at": "2026-01-02T03:04:05.678Z", "updated_at": "2026-01-02T03:04:05.678Z" })
    );
    assert_eq!(
        (&shown["counts"]["inputs"], status_of(&state, "a")),
        (&json!(2), json!("waiting"))
    );
    let yes = json!({ "request_id": "q1", "answer": "yes", "answered_by": "ann", "agent_id": "a" });
    tell(&mut state, "input.received", Some("p"), &yes);
    let no = json!({ "request_id": "q1", "answer": "no" });
    tell(&mut state, "input.received", Some("p"), &no);
    tell(&mut state, "input.expired", Some("p"), &no);
    assert_eq!(status_of(&state, "a"), "waiting", "there is another one");
    // The word that closes one need not name the agent.
    let expired = json!({ "request_id": "q2" });
    tell(&mut state, "input.expired", Some("p"), &expired);
    assert_eq!(status_of(&state, "a"), "working");
    assert_eq!(json_of(&state, None)["inputs"], json!({}));
    let closed = question(&state, Some("p"), "q1").unwrap();
    assert_eq!(
        (
            closed.status,
            closed.is_open,
            &closed.facts["answer"],
            &closed.facts["outcome"],
            closed.facts.get("options")
        ),
        (
            QuestionStatus::Received,
            false,
            &json!("yes"),
            &json!("answered"),
            None
        )
    );
    // What is asked again is open again, without the answer of before.
    asked(&mut state, Some("p"), "q1");
    let again = question(&state, Some("p"), "q1").unwrap();
    assert!(
        again.is_open && !again.facts.contains_key("answer"),
        "{again:?}"
    );
    // Also for those who see what both events are about.
    let other = json!({ "request_id": "q1", "message": "Or not?" });
    tell(&mut state, "input.requested", Some("p"), &other);
    let now = question(&state, Some("p"), "q1").unwrap();
    assert_eq!(
        (&now.facts["message"], now.facts.get("agent_id")),
        (&json!("Or not?"), None)
    );
    asked(&mut state, Some("p"), "q1");
    // An agent that is gone waits for nobody.
    tell(
        &mut state,
        "agent.unregistered",
        Some("p"),
        &json!({ "agent_id": "a" }),
    );
    assert_eq!(status_of(&state, "a"), "offline");
}

#[test]
fn a_question_is_its_projects_and_one_without_a_project_is_found() {
    let mut state = fresh(at_most(100));
    asked(&mut state, Some("mine"), "q");
    asked(&mut state, Some("theirs"), "q");
    asked(&mut state, None, "nobodys");
    tell(
        &mut state,
        "input.received",
        Some("mine"),
        &json!({ "request_id": "q" }),
    );
    let open = |project| question(&state, project, "q").is_some_and(|q| q.is_open);
    assert_eq!((open(Some("mine")), open(Some("theirs"))), (false, true));
    let asker = Asker {
        permissions: &Permissions::everything(),
        verified: "",
    };
    let several = state.picture().question(&asker, None, "q");
    assert_eq!(several.unwrap_err().code, "bad_request");
    let seen = seen(&state, &["theirs"]);
    assert_eq!(seen["inputs"].as_object().unwrap().len(), 2, "{seen}");
    tell(
        &mut state,
        "input.received",
        Some("mine"),
        &json!({ "request_id": "nobodys" }),
    );
    assert!(!question(&state, None, "nobodys").unwrap().is_open);
}

#[test]
fn closed_questions_are_forgotten_first_and_a_checkpoint_keeps_all() {
    let limits = Limits {
        max_inputs: 8,
        ..Limits::default()
    };
    let mut state = fresh(limits.clone());
    for n in 0..8 {
        asked(&mut state, Some("p"), &format!("q{n}"));
    }
    tell(
        &mut state,
        "input.received",
        Some("p"),
        &json!({ "request_id": "q5", "answer": 1 }),
    );
    let again = State::from_checkpoint(&state.to_checkpoint(), &limits).unwrap();
    assert_eq!(
        json_of(&again, None)["inputs"],
        json_of(&state, None)["inputs"]
    );
    assert_eq!(question(&again, None, "q5").unwrap().facts["answer"], 1);
    asked(&mut state, Some("p"), "q8");
    assert!(question(&state, None, "q5").is_none());
    assert_eq!(json_of(&state, None)["counts"]["inputs"], 8);
    asked(&mut state, Some("p"), &"x".repeat(257));
    assert_eq!(state.dropped().long, 1);
    // The answer has room however much was asked.
    let much: serde_json::Map<String, Value> = (0..9)
        .map(|n| (format!("k{n}"), "x".repeat(8_000).into()))
        .collect();
    let mut data = json!({ "request_id": "q1", "agent_id": "a" });
    data.as_object_mut().unwrap().extend(much);
    tell(&mut state, "input.requested", Some("p"), &data);
    let long = json!({ "request_id": "q1", "agent_id": "a", "answer": "y".repeat(8_000) });
    tell(&mut state, "input.received", Some("p"), &long);
    assert_eq!(
        question(&state, None, "q1").unwrap().facts["answer"],
        long["answer"]
    );
}

#[test]
fn a_question_without_an_id_goes_by_its_events() {
    let mut state = fresh(at_most(100));
    state.apply(&event(
        json!({ "type": "input_requested", "id": "e1", "data": { "message": "?" } }),
    ));
    assert!(question(&state, None, "e1").unwrap().is_open);
    tell(&mut state, "input.received", None, &json!({ "answer": 1 }));
    assert!(
        question(&state, None, "e1").unwrap().is_open,
        "it names none"
    );
}

#[test]
fn a_run_waits_and_knows_its_parent_and_session() {
    let mut state = fresh(at_most(100));
    let run = |id: &str| json!({ "run": { "id": id, "parentRunId": "boss", "session_id": "s" } });
    tell(&mut state, "agent.run.started", Some("p"), &run("r"));
    tell(
        &mut state,
        "agent.run.paused",
        Some("p"),
        &json!({ "run_id": "r" }),
    );
    let shown = json_of(&state, None)["runs"]["r"].clone();
    assert_eq!(
        (
            &shown["status"],
            &shown["parent_run_id"],
            &shown["session_id"]
        ),
        (&json!("paused"), &json!("boss"), &json!("s"))
    );
    tell(
        &mut state,
        "agent.run.resumed",
        Some("p"),
        &json!({ "run_id": "r" }),
    );
    assert_eq!(json_of(&state, None)["runs"]["r"]["status"], "running");
}

#[test]
fn an_agent_says_what_it_is_and_who_made_it() {
    let mut state = fresh(at_most(100));
    let said =
        json!({ "agent_id": "a", "kind": "tool", "parent_agent_id": "boss", "status": "thinking" });
    tell(&mut state, "agent.registered", Some("p"), &said);
    let agent = json_of(&state, None)["agents"]["a"].clone();
    assert_eq!(
        (&agent["kind"], &agent["parent_agent_id"], &agent["status"]),
        (&json!("tool"), &json!("boss"), &json!("thinking"))
    );
}
