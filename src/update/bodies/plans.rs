//! The bodies of updates of artifacts and plans.

use super::super::{
    artifact::{artifact_id, artifact_name, artifact_status},
    plan::plan_id,
    writer::Writer,
};
use crate::event::{Event, Object};

pub(super) fn artifact(event: &Event, data: &Object, out: &mut Writer) {
    out.field("artifact_id", &artifact_id(data));
    out.field("name", &artifact_name(data));
    out.field("status", &artifact_status(&event.name));
    for key in ["mime", "bytes", "url", "path"] {
        out.first(key, &[data.get(key)]);
    }
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    out.field("run_id", &event.run_id());
    out.field("data", data);
}

pub(super) fn plan(event: &Event, data: &Object, out: &mut Writer) {
    out.field("plan_id", &plan_id(event));
    out.field("agent_id", &event.agent_id());
    out.field("run_id", &event.run_id());
    out.field("data", data);
}
