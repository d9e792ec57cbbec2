//! Questions to people, as their events change them.
//!
//! A question is open from `input.requested` until the first `input.received` or `input.expired`: what comes after that
//! closes nothing and changes no answer. Its audience is that of its event, the agent and the task included.

use compact_str::CompactString;

use super::{
    facts::Facts,
    folded::State,
    given::{ASKED_BY, ASKER_HOME, CLOSED_BY},
    meant::{about, home, text},
    questions,
    store::{Key, Map},
};
use crate::{
    access::authz::Audience,
    event::{Event, ThingKind},
    update::{input_status, request_id},
};

/// Bytes of a request's id: a longer one is no question of the state.
const MAX_ID: usize = 256;

/// The facts of a closed question: no others are needed for its answer, which has room by that.
const OF_CLOSED: [&str; 10] = [
    "request_id",
    "kind",
    "agent_id",
    "task_id",
    "run_id",
    "tool_call_id",
    "requested_at",
    ASKED_BY,
    ASKER_HOME,
    CLOSED_BY,
];

/// Opens or closes a question.
pub(super) fn input(state: &mut State, event: &Event) {
    let (Some(status), Some(id)) = (input_status(&event.name), request_id(event)) else {
        return;
    };
    if id.len() > MAX_ID {
        state.kept.was_too_long();
        return;
    }
    let project = event.project_id.as_ref();
    let key = Key::new(&id, project.map(|project| state.kept.project(project)));
    let about = Audience::of(event, |_| true);
    match status {
        "open" => open(state, event, key, &about),
        status => close(state, event, key, &about, status),
    }
    touch_agent(state, event);
}

fn open(state: &mut State, event: &Event, key: Key, about: &Audience) {
    let id = key.id.clone();
    let agent = event.agent_id();
    let at_home = agent.and_then(|agent| home(state, event, ThingKind::Agent, agent, 0).project);
    state.kept.change(Map::Inputs, key, about, |facts| {
        // A question that is asked again is a new one.
        facts.begin_anew();
        facts.lay_over(
            &event.data,
            &[
                "requestId",
                "status",
                "answer",
                "outcome",
                "answered_by",
                "source",
                "target",
                "project_id",
            ],
        );
        facts.set("request_id", id.as_str());
        facts.set_first("kind", "input_required");
        facts.set_some("agent_id", agent);
        facts.set_some("task_id", event.task_id());
        facts.set_some("run_id", event.run_id());
        facts.set("status", "open");
        if !event.settled.producer.is_empty() {
            facts.set(ASKED_BY, &*event.settled.producer);
        }
        facts.set_some(ASKER_HOME, at_home.as_deref());
        facts.set("requested_at", event.timestamp.to_string());
        facts.set("updated_at", event.timestamp.to_string());
    });
}

fn close(state: &mut State, event: &Event, key: Key, about: &Audience, status: &str) {
    let Some(key) = questions::meant(&state.kept.store, key, event.settled.confined) else {
        return;
    };
    state.kept.change(Map::Inputs, key, about, |facts| {
        facts.keep_only(&OF_CLOSED);
        facts.set("status", status);
        closing(facts, event, status);
        facts.set(CLOSED_BY, &*event.id);
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// The facts that an event says of the end of a question.
fn closing(facts: &mut Facts<'_>, event: &Event, status: &str) {
    let outcome = match status {
        "expired" => "expired",
        _ => "answered",
    };
    facts.set("outcome", text(event, "outcome").unwrap_or(outcome));
    facts.set_some("answer", event.data.get("answer").cloned());
    facts.set_some("answered_by", text(event, "answered_by"));
}

/// Notes the agent, which may be told of for the first time.
fn touch_agent(state: &mut State, event: &Event) {
    let Some(id) = event.agent_id() else { return };
    let key = home(state, event, ThingKind::Agent, id, 0);
    let about = about(event);
    let id = CompactString::from(id);
    state.kept.change(Map::Agents, key, &about, |facts| {
        facts.set("agent_id", id.as_str());
        facts.set_some("name", text(event, "agent_name"));
        facts.set("updated_at", event.timestamp.to_string());
    });
}
