//! The bodies of updates of questions that agents ask people.

use super::super::{
    input::{input_status, request_id},
    writer::Writer,
};
use crate::event::{Event, Object};

pub(super) fn input(event: &Event, data: &Object, out: &mut Writer) {
    out.field("request_id", &request_id(event));
    out.first("kind", &[data.get("kind"), Some(&"input_required".into())]);
    out.field("status", &input_status(&event.name));
    for key in ["message", "options", "schema", "tool_call_id", "expires_at"] {
        out.first(key, &[data.get(key)]);
    }
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    out.field("run_id", &event.run_id());
    for key in ["answer", "outcome", "answered_by"] {
        out.first(key, &[data.get(key)]);
    }
    out.field("data", data);
}
