//! The bodies of updates of an agent's tools, and of work that passes to another agent.

use serde_json::Value;

use super::super::{
    tool::{preview, tool_call_id, tool_name, tool_status},
    writer::Writer,
};
use crate::event::{Event, Object};

pub(super) fn tool(event: &Event, data: &Object, out: &mut Writer) {
    out.field("tool_call_id", &tool_call_id(data));
    out.field("tool_name", &tool_name(data));
    out.field("status", &tool_status(&event.name));
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    out.field("run_id", &event.run_id());
    out.first("duration_ms", &[data.get("duration_ms")]);
    out.field("args_preview", &preview(data.get("args")));
    out.field("result_preview", &preview(data.get("result")));
    out.first("error", &[data.get("error")]);
    out.field("data", data);
}

/// The way of a call: to the tool, and back from it.
pub(super) fn way(event: &Event, data: &Object) -> (Option<Value>, Option<Value>) {
    let tool = tool_name(data).map(Value::from);
    match tool_status(&event.name) {
        Some("running") => (None, tool),
        _ => (tool, None),
    }
}

pub(super) fn handoff(event: &Event, data: &Object, out: &mut Writer) {
    for key in ["from_agent_id", "to_agent_id"] {
        out.first(key, &[data.get(key)]);
    }
    out.first("kind", &[data.get("kind"), Some(&"handoff".into())]);
    out.first("reason", &[data.get("reason")]);
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    out.field("run_id", &event.run_id());
    out.field("data", data);
}
