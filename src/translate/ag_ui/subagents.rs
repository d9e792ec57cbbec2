//! Subagents: agents with a task that another agent of the run gave them.

use serde_json::{Value, json};

use super::{state::AgUi, things::Subagent};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{cut, field, id, text},
        output::Output,
    },
};

/// Characters of a task's name.
const NAME_LENGTH: usize = 120;

impl AgUi {
    pub(super) fn subagent_started(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let (own, name) = (id(message, "subagentRunId")?, id(message, "name")?);
        let parent = self.by_subagent(text(message, "parentSubagentRunId"));
        // One that goes on after it was suspended is the same agent.
        let known = self.subagents.get(own).map(|known| known.agent.clone());
        let is_new = known.is_none();
        let agent = known.unwrap_or_else(|| self.free_name(name));
        let subagent = Subagent {
            agent: agent.clone(),
            is_over: false,
        };
        self.subagents.insert(own, subagent);
        let description = text(message, "description");
        if is_new {
            let arrived = json!({
                "agent_id": agent, "agent_name": name, "kind": "agent", "parent_agent_id": parent.agent,
                "role": description.map(|role| cut(role, NAME_LENGTH)), "run_id": parent.run,
            });
            out.tell("agent.registered", arrived);
        }
        let handed = json!({
            "from_agent_id": parent.agent, "to_agent_id": agent, "agent_id": parent.agent,
            "kind": "delegation", "reason": description, "task_id": own, "run_id": parent.run,
            "tool_call_id": text(message, "parentToolCallId"),
        });
        out.tell("agent.handoff", handed);
        let task = json!({
            "task_name": cut(description.unwrap_or(name), NAME_LENGTH), "parent_task_id": parent.task,
            "parent_tool_call_id": text(message, "parentToolCallId"),
        });
        let by = self.by_subagent(Some(own));
        out.tell_of(&by, "task.assigned", task);
        Ok(())
    }

    pub(super) fn subagent_finished(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let by = self.by(message);
        let outcome = field(message, "outcome").and_then(Value::as_object);
        let is_suspended = outcome.and_then(|o| text(o, "type")) == Some("suspended");
        self.end_subagent(id(message, "subagentRunId")?, !is_suspended, out);
        if is_suspended {
            let asked = outcome.and_then(|outcome| field(outcome, "interruptIds"));
            let blocked = json!({ "blocker": "waits for an answer", "request_ids": asked });
            out.tell_of(&by, "task.blocked", blocked);
        } else {
            let result = json!({ "result": field(message, "result") });
            out.tell_of(&by, "task.completed", result);
        }
        Ok(())
    }

    pub(super) fn subagent_failed(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let by = self.by(message);
        self.end_subagent(id(message, "subagentRunId")?, true, out);
        let error =
            json!({ "error": text(message, "message"), "error_type": text(message, "code") });
        out.tell_of(&by, "task.failed", error);
        Ok(())
    }

    fn end_subagent(&mut self, own: &str, is_over: bool, out: &mut Output<'_>) {
        self.end_messages_of(Some(own), out);
        if let Some(subagent) = self.subagents.get_mut(own) {
            subagent.is_over = is_over;
        }
    }

    /// The name as an id, with a number if another of the run has it now.
    fn free_name(&self, name: &str) -> String {
        let main = self.main_agent();
        let is_taken = |wanted: &str| {
            let mut others = self.subagents.iter();
            main == wanted || others.any(|(_, other)| other.agent == wanted && !other.is_over)
        };
        if !is_taken(name) {
            return name.to_owned();
        }
        // There are fewer others than numbers.
        let mut numbered = (2..).map(|nth: u64| format!("{name}-{nth}"));
        numbered
            .find(|wanted| !is_taken(wanted))
            .unwrap_or_else(|| name.to_owned())
    }
}
