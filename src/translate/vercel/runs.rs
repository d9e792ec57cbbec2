//! The run of a stream: its agent at work, its steps and its end.

use serde_json::{Value, json};

use super::state::{Run, Vercel};
use crate::{
    event::Object,
    translate::{
        fields::{field, text},
        output::{By, Output},
    },
};

impl Vercel {
    /// Begins a run. Its name is the message's, or else the one said beside the stream. A stream that has neither gets a
    /// new one, so it is never taken for another with the same words.
    pub(super) fn begin(&mut self, message: Option<&str>, out: &mut Output<'_>) {
        let named = message.filter(|id| !id.is_empty()).map(str::to_owned);
        let id = named
            .or_else(|| self.named.clone())
            .unwrap_or_else(|| out.numbering.mint());
        out.begin(&id);
        self.texts.clear();
        self.calls.clear();
        self.run = Some(Run {
            id,
            is_over: false,
            steps: 0,
            is_in_step: false,
            parts: 0,
        });
        let by = self.by();
        let name = self.agent.as_str();
        let arrived =
            json!({ "agent_id": name, "agent_name": name, "kind": "agent", "run_id": by.run });
        let started = json!({
            "run_id": by.run, "name": name, "agent_id": name, "session_id": self.thread,
        });
        out.tell("workflow.run.started", started);
        out.tell("agent.registered", arrived);
        out.tell_of(&by, "task.assigned", json!({ "task_name": "Answer" }));
    }

    pub(super) fn step_started(&mut self, out: &mut Output<'_>) {
        if let Some(run) = &mut self.run {
            run.steps += 1;
            run.is_in_step = true;
        }
        self.tell_step("workflow.node.started", out);
    }

    pub(super) fn step_finished(&mut self, message: Object, out: &mut Output<'_>) {
        let was_in_step = self
            .run
            .as_mut()
            .is_some_and(|run| std::mem::take(&mut run.is_in_step));
        match was_in_step {
            true => self.tell_step("workflow.node.completed", out),
            false => self.keep("finish-step", message, out),
        }
    }

    fn tell_step(&self, kind: &str, out: &mut Output<'_>) {
        let nth = self.run.as_ref().map_or(0, |run| run.steps);
        let by = self.by();
        let node = json!({
            "node_id": format!("step-{nth}"), "node_name": format!("Step {nth}"),
            "agent_id": by.agent, "run_id": by.run,
        });
        out.tell(kind, node);
    }

    pub(super) fn finished(&mut self, message: &Object, out: &mut Output<'_>) {
        let by = self.end(out);
        let reason = text(message, "finishReason");
        tell_usage(&by, message, reason, out);
        let facts = json!({ "finish_reason": reason });
        if reason == Some("error") {
            let error = json!({ "error": "the model failed", "finish_reason": reason });
            out.tell_of(&by, "task.failed", error.clone());
            out.tell("workflow.run.failed", of_run(&by, error));
            return;
        }
        out.tell_of(&by, "task.completed", facts.clone());
        out.tell("workflow.run.completed", of_run(&by, facts));
    }

    pub(super) fn aborted(&mut self, message: &Object, out: &mut Output<'_>) {
        let by = self.end(out);
        let facts = json!({ "reason": text(message, "reason") });
        out.tell_of(&by, "task.cancelled", facts.clone());
        out.tell("workflow.run.cancelled", of_run(&by, facts));
    }

    pub(super) fn failed(&mut self, message: &Object, out: &mut Output<'_>) {
        let by = self.end(out);
        let facts = json!({ "error": text(message, "errorText") });
        out.tell_of(&by, "task.failed", facts.clone());
        out.tell("workflow.run.failed", of_run(&by, facts));
    }

    /// The run is over; its texts are whole.
    fn end(&mut self, out: &mut Output<'_>) -> By {
        let by = self.by();
        for (_, text) in self.texts.take_where(|_, _| true) {
            let ended = json!({ "message_id": text.message, "kind": text.kind });
            out.tell_of(&by, "agent.message.completed", ended);
        }
        self.calls.clear();
        if let Some(run) = &mut self.run {
            run.is_over = true;
        }
        by
    }
}

/// The facts, with the run.
fn of_run(by: &By, facts: Value) -> Value {
    let mut facts = facts;
    if let Value::Object(facts) = &mut facts {
        facts.insert("run_id".into(), json!(by.run));
    }
    facts
}

/// The tokens, where the application says them among the message's metadata.
fn tell_usage(by: &By, message: &Object, reason: Option<&str>, out: &mut Output<'_>) {
    let Some(about) = field(message, "messageMetadata").and_then(Value::as_object) else {
        return;
    };
    let usage = ["totalUsage", "usage"]
        .iter()
        .find_map(|key| about.get(*key)?.as_object());
    let Some(usage) = usage.filter(|usage| usage.values().any(Value::is_number)) else {
        return;
    };
    let run = by.run.as_deref().unwrap_or("run");
    let tokens = json!({
        "call_id": format!("{run}/usage"), "total": true, "model": text(about, "model"),
        "input_tokens": field(usage, "inputTokens"), "output_tokens": field(usage, "outputTokens"),
        "reasoning_tokens": field(usage, "reasoningTokens"),
        "cached_tokens": field(usage, "cachedInputTokens"), "finish_reason": reason,
    });
    out.tell_of(by, "llm.completed", tokens);
}
