//! Calls of tools and of models that go on: facts of an agent that are the server's own, one for each call.
//!
//! A call begins with `tool.started` or `llm.started` and ends with its own end, with the end of its task, or when its agent leaves.

use compact_str::ToCompactString;
use serde_json::{Value, json};

use super::{
    facts::Facts,
    given::{call_key, is_call, is_thought, thought_key},
};
use crate::{
    event::Event,
    update::{model_call, model_call_id, model_status, tool_call_id, tool_name, tool_status},
};

impl Facts<'_> {
    /// Begins or ends the call that an event tells of.
    pub(super) fn call(&mut self, event: &Event) {
        let (Some(id), Some(status)) = (tool_call_id(&event.data), tool_status(&event.name)) else {
            return;
        };
        match (status, event.name.change_type()) {
            ("running", "started") => {
                let call = json!({
                    "tool_call_id": id,
                    "tool_name": tool_name(&event.data),
                    "task_id": event.task_id(),
                    "started_at": event.timestamp.to_string(),
                });
                self.open(&call_key(&id), &call.to_compact_string());
            }
            ("running", _) => {}
            _ => self.close(|key, _| key == call_key(&id)),
        }
    }

    /// Begins or ends the call of a model that an event tells of.
    pub(super) fn think(&mut self, event: &Event) {
        let (Some(id), Some(status)) = (model_call_id(&event.data), model_status(&event.name))
        else {
            return;
        };
        match (status, model_call(event)) {
            ("running", Some(call)) => {
                self.open_thought(&thought_key(&id), &call.to_compact_string());
            }
            _ => self.close(|key, _| key == thought_key(&id)),
        }
    }

    /// Ends the calls that an agent made for a task.
    pub(super) fn end_calls_of(&mut self, task: &str) {
        let is_one = |key: &str| is_call(key) || is_thought(key);
        self.close(|key, call| is_one(key) && task_of(call).as_deref() == Some(task));
    }

    /// Ends all calls of an agent.
    pub(super) fn end_calls(&mut self) {
        self.close(|key, _| is_call(key) || is_thought(key));
    }
}

fn task_of(call: &str) -> Option<String> {
    let call: Value = serde_json::from_str(call).ok()?;
    call.get("task_id")?.as_str().map(str::to_owned)
}
