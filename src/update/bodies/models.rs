//! The bodies of updates of model calls, of sums of their usage, and of checks.

use serde_json::Value;

use super::super::{
    model_call::{CALLS, model_call_id, model_name, model_status},
    tool::preview,
    usage::shown,
    usage_scope::{SCOPE, fields, scope_of},
    writer::Writer,
};
use crate::event::{Event, Object};

/// Numbers of a call: what can't be one is `null` here, and stays in the data as it was said.
const NUMBERS: [&str; 10] = [
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_usd",
    "duration_ms",
    "ttft_ms",
    "status_code",
    "attempt",
    "retry_in_ms",
];

pub(super) fn model(event: &Event, data: &Object, out: &mut Writer) {
    out.field("call_id", &model_call_id(data));
    out.field("model", &model_name(data));
    out.first("provider", &[data.get("provider")]);
    out.field("status", &model_status(&event.name));
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    out.field("run_id", &event.run_id());
    for key in NUMBERS {
        out.field(key, &shown(data, key));
    }
    for key in ["finish_reason", "error", "will_retry"] {
        out.first(key, &[data.get(key)]);
    }
    calls(event, data, out);
    out.object("data", |out| call_data(data, out));
}

/// The calls that a coalesced update tells of. Data that was not coalesced is a producer's own, and has no list.
pub(in super::super) fn calls(event: &Event, data: &Object, out: &mut Writer) {
    let is_coalesced = !std::ptr::eq(data, &event.data);
    if let Some(calls) = data.get(CALLS).filter(|_| is_coalesced) {
        out.field("calls", calls);
    }
}

pub(in super::super) fn call_data(data: &Object, out: &mut Writer) {
    out.spread(data, &[CALLS]);
}

/// The thing that a sum is of.
pub(super) fn scope(event: &Event) -> Option<(&'static str, &str)> {
    scope_of(&event.data).map(|(scope, id)| (scope.as_str(), id))
}

pub(in super::super) fn usage(data: &Object, out: &mut Writer) {
    out.first("scope", &[data.get(SCOPE)]);
    out.spread(&fields(data), &[]);
}

pub(super) fn check(event: &Event, data: &Object, out: &mut Writer) {
    out.field("name", &name(event, data));
    out.field("check", event.name.family());
    out.field("change_type", event.name.change_type());
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    out.field("run_id", &event.run_id());
    out.field("score", &shown(data, "score").or_else(|| negative(data)));
    out.first("reason", &[data.get("reason"), data.get("message")]);
    out.field("result_preview", &preview(data.get("result")));
    out.field("data", data);
}

/// The name of the check; an event without one goes by its family.
fn name<'d>(event: &'d Event, data: &'d Object) -> &'d str {
    let named = data.get("name").and_then(Value::as_str);
    named
        .filter(|name| !name.is_empty())
        .unwrap_or(event.name.family())
}

/// A score, other than a count, may be below zero.
fn negative(data: &Object) -> Option<Value> {
    data.get("score").filter(|score| score.is_number()).cloned()
}
