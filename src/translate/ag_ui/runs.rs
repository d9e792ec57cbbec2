//! Runs: the agent at work on a task, its end, questions to people, tokens.

use serde_json::{Value, json};

use super::{
    state::AgUi,
    things::{Paused, Run},
};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{cut, field, id, text, words},
        output::{By, Output},
    },
};

/// Characters of a task's name.
const NAME_LENGTH: usize = 120;
/// Questions of one run that are remembered.
const MAX_QUESTIONS: usize = 64;

impl AgUi {
    pub(super) fn run_started(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let (thread, run) = (id(message, "threadId")?, id(message, "runId")?);
        self.end_messages(out);
        out.begin(run);
        self.thread = Some(thread.to_owned());
        let parent = text(message, "parentRunId");
        let input = field(message, "input").and_then(Value::as_object);
        self.resume(run, parent, input, out);
        self.subagents.clear();
        self.messages.clear();
        self.calls.clear();
        self.run = Some(Run {
            id: run.to_owned(),
            is_over: false,
        });
        let by = self.by_subagent(None);
        let asked = input.and_then(last_user_text);
        let name = asked.map_or_else(|| by.agent.clone(), |asked| cut(&asked, NAME_LENGTH));
        let started = json!({
            "name": name, "session_id": thread, "parent_run_id": parent, "agent_id": by.agent,
        });
        out.tell(
            "workflow.run.started",
            with(started, json!({ "run_id": run })),
        );
        let arrived =
            json!({ "agent_id": by.agent, "agent_name": by.agent, "kind": "agent", "run_id": run });
        out.tell("agent.registered", arrived);
        out.tell_of(&by, "task.assigned", json!({ "task_name": name }));
        Ok(())
    }

    /// Ends the run that waited, if this one goes on with it: what was asked is answered.
    fn resume(
        &mut self,
        run: &str,
        parent: Option<&str>,
        input: Option<&Object>,
        out: &mut Output<'_>,
    ) {
        let answers: Vec<&Object> = input
            .and_then(|input| field(input, "resume"))
            .and_then(Value::as_array)
            .map(|answers| answers.iter().filter_map(Value::as_object).collect())
            .unwrap_or_default();
        let goes_on = |paused: &Paused| {
            paused.run != run && (!answers.is_empty() || parent == Some(paused.run.as_str()))
        };
        let paused = self.paused.take().filter(goes_on);
        let mut asked = paused.as_ref().map_or(Vec::new(), |p| p.questions.clone());
        for answer in answers.iter().take(MAX_QUESTIONS) {
            let Some(request) = text(answer, "interruptId") else {
                continue;
            };
            let at = asked.iter().position(|(question, _)| question == request);
            let by = at.map_or_else(By::default, |at| asked.remove(at).1);
            let received = json!({
                "request_id": request, "outcome": text(answer, "status").unwrap_or("resolved"),
                "answer": field(answer, "payload"),
            });
            out.tell_of(&by, "input.received", received);
        }
        let Some(paused) = paused else { return };
        for (question, by) in asked {
            let received = json!({ "request_id": question, "outcome": "continued" });
            out.tell_of(&by, "input.received", received);
        }
        let on = json!({ "continued_by": run });
        out.tell_of(&paused.by, "task.completed", on.clone());
        out.tell(
            "workflow.run.completed",
            with(on, json!({ "run_id": paused.run })),
        );
    }

    pub(super) fn run_finished(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let Some(by) = self.ending(&message, out) else {
            // The run had its end already.
            self.keep("run_finished", message, out);
            return Ok(());
        };
        let outcome = field(&message, "outcome").and_then(Value::as_object);
        let how = outcome.and_then(|outcome| text(outcome, "type"));
        self.tell_usage(&by, &message, out);
        match how {
            Some("interrupt") => self.pause(&by, outcome, out),
            Some("cancelled") => {
                out.tell_of(&by, "task.cancelled", json!({}));
                out.tell("workflow.run.cancelled", json!({ "run_id": by.run }));
            }
            _ => {
                let result = field(&message, "result");
                out.tell_of(&by, "task.completed", json!({ "result": result }));
                out.tell("workflow.run.completed", json!({ "run_id": by.run }));
            }
        }
        Ok(())
    }

    pub(super) fn run_failed(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let Some(by) = self.ending(&message, out) else {
            self.keep("run_error", message, out);
            return Ok(());
        };
        let error =
            json!({ "error": text(&message, "message"), "error_type": text(&message, "code") });
        out.tell_of(&by, "task.failed", error.clone());
        out.tell(
            "workflow.run.failed",
            with(error, json!({ "run_id": by.run })),
        );
        Ok(())
    }

    /// Ends the run, and says of whom it was; none if its end was told before.
    fn ending(&mut self, message: &Object, out: &mut Output<'_>) -> Option<By> {
        if self.run.as_ref().is_some_and(|run| run.is_over) {
            return None;
        }
        self.end_messages(out);
        let run = self.run.get_or_insert_with(|| Run {
            id: text(message, "runId").unwrap_or("run").to_owned(),
            is_over: false,
        });
        run.is_over = true;
        Some(self.by_subagent(None))
    }

    /// The run waits for people.
    fn pause(&mut self, by: &By, outcome: Option<&Object>, out: &mut Output<'_>) {
        let interrupts = outcome
            .and_then(|outcome| field(outcome, "interrupts"))
            .and_then(Value::as_array);
        let mut questions = Vec::new();
        let mut first = None;
        for interrupt in interrupts.into_iter().flatten().take(MAX_QUESTIONS) {
            let Some(interrupt) = interrupt.as_object() else {
                continue;
            };
            let Some(request) = text(interrupt, "id") else {
                continue;
            };
            let asker = self.by(interrupt);
            let reason = text(interrupt, "reason").unwrap_or("input_required");
            let words = text(interrupt, "message").unwrap_or(reason);
            let question = json!({
                "request_id": request, "kind": reason, "message": words,
                "schema": field(interrupt, "responseSchema"),
                "tool_call_id": text(interrupt, "toolCallId"),
                "expires_at": field(interrupt, "expiresAt"),
            });
            out.tell_of(&asker, "input.requested", question);
            first.get_or_insert_with(|| words.to_owned());
            questions.push((request.to_owned(), asker));
        }
        let blocker = first.unwrap_or_else(|| "waits for an answer".to_owned());
        out.tell_of(by, "task.blocked", json!({ "blocker": blocker }));
        out.tell("workflow.run.paused", json!({ "run_id": by.run }));
        self.paused = by.run.clone().map(|run| Paused {
            run,
            by: by.clone(),
            questions,
        });
    }

    /// The tokens of the whole run, by model.
    fn tell_usage(&self, by: &By, message: &Object, out: &mut Output<'_>) {
        let usage = field(message, "usage").and_then(Value::as_array);
        let entries = usage.into_iter().flatten().filter_map(Value::as_object);
        for (nth, entry) in entries.enumerate().take(MAX_QUESTIONS) {
            let run = by.run.as_deref().unwrap_or("run");
            let tokens = json!({
                "call_id": format!("{run}/usage/{nth}"), "total": true,
                "provider": text(entry, "provider"), "model": text(entry, "model"),
                "input_tokens": field(entry, "inputTokens"),
                "output_tokens": field(entry, "outputTokens"),
                "cached_tokens": field(entry, "cachedInputTokens"),
                "cache_write_tokens": field(entry, "cacheWriteInputTokens"),
                "reasoning_tokens": field(entry, "reasoningTokens"),
            });
            out.tell_of(by, "llm.completed", tokens);
        }
    }
}

/// The last text of the user in the input of a run.
fn last_user_text(input: &Object) -> Option<String> {
    let messages = field(input, "messages")?.as_array()?;
    let of_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    words(messages.iter().rfind(of_user)?.get("content")?)
}

/// The facts of both.
fn with(facts: Value, more: Value) -> Value {
    match (facts, more) {
        (Value::Object(mut facts), Value::Object(more)) => {
            facts.extend(more);
            facts.into()
        }
        (facts, _) => facts,
    }
}
