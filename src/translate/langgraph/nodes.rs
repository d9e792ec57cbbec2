//! Nodes of the root graph: agents, each with a task while it runs.

use serde_json::{Value, json};

use super::{repr, state::LangGraph, things::NodeTask};
use crate::{
    event::Object,
    translate::{
        fields::{cut, text, words},
        output::{By, Output},
    },
};

/// Characters of a question.
const QUESTION_LENGTH: usize = 500;
/// Questions of one task that are remembered.
const MAX_QUESTIONS: usize = 64;

/// The place of the root graph's node in a place in the checkpoints: `writer:e57f` of `writer:e57f|tools:3f2a`.
pub(super) fn top(place: &str) -> &str {
    place.split('|').next().unwrap_or_default()
}

/// The node of a place.
pub(super) fn node(place: &str) -> &str {
    place.split(':').next().unwrap_or_default()
}

impl LangGraph {
    /// The node at this place goes to work. It may have before: after an interrupt, or after it failed.
    pub(super) fn begin_task(
        &mut self,
        place: &str,
        agent: &str,
        run: &str,
        chain: Option<&str>,
        out: &mut Output<'_>,
    ) {
        let known = self.tasks.remove(place);
        let (attempts, questions) =
            known.map_or((0, Vec::new()), |known| (known.attempts, known.questions));
        let task = NodeTask {
            agent: agent.to_owned(),
            run: run.to_owned(),
            chain: chain.map(str::to_owned),
            attempts: attempts + 1,
            questions: Vec::new(),
        };
        self.tasks.insert(place, task);
        let by = By {
            agent: agent.to_owned(),
            task: Some(place.to_owned()),
            run: Some(run.to_owned()),
        };
        if attempts == 0 {
            let arrived = json!({ "agent_name": agent, "kind": "node" });
            let without_task = By {
                task: None,
                ..by.clone()
            };
            out.tell_of(&without_task, "agent.registered", arrived);
            out.tell_of(&by, "task.assigned", json!({ "task_name": node(place) }));
            return;
        }
        for question in &questions {
            let received = json!({ "request_id": question, "outcome": "resolved" });
            out.tell_of(&by, "input.received", received);
        }
        if questions.is_empty() {
            out.tell_of(&by, "task.retried", json!({ "attempt": attempts + 1 }));
        }
        out.tell_of(&by, "task.started", json!({}));
    }

    /// The task at this place is over, well or not.
    pub(super) fn end_task(&mut self, place: &str, error: Option<&str>, out: &mut Output<'_>) {
        let by = self.by_place(place);
        if self.tasks.remove(place).is_none() {
            return;
        }
        match error {
            None => out.tell_of(&by, "task.completed", json!({})),
            Some(error) => out.tell_of(&by, "task.failed", json!({ "error": error })),
        }
    }

    /// The tasks of a run that are open.
    pub(super) fn tasks_of(&self, run: &str) -> Vec<String> {
        let of_run = self.tasks.iter().filter(|(_, task)| task.run == run);
        of_run.map(|(place, _)| place.to_owned()).collect()
    }

    /// The agent at a place, with its task.
    pub(super) fn by_place(&self, place: &str) -> By {
        match self.tasks.get(place) {
            Some(task) => By {
                agent: task.agent.clone(),
                task: Some(place.to_owned()),
                run: Some(task.run.clone()),
            },
            None => By {
                agent: node(place).to_owned(),
                task: (!place.is_empty()).then(|| place.to_owned()),
                run: None,
            },
        }
    }

    /// People are asked, and the nodes of a run that are not over wait.
    pub(super) fn interrupt(&mut self, run: &str, interrupts: &[Value], out: &mut Output<'_>) {
        let waiting = self.tasks_of(run);
        // Which of several asks is not said.
        let by = match waiting.as_slice() {
            [place] => self.by_place(place),
            _ => By {
                run: Some(run.to_owned()),
                ..By::default()
            },
        };
        let mut first = None;
        for (nth, interrupt) in interrupts.iter().enumerate().take(MAX_QUESTIONS) {
            let (id, question) = asked(interrupt);
            let id = id.unwrap_or_else(|| format!("{run}/interrupt/{nth}"));
            let question = cut(&question, QUESTION_LENGTH);
            let requested =
                json!({ "request_id": id, "kind": "input_required", "message": question });
            out.tell_of(&by, "input.requested", requested);
            first.get_or_insert(question);
            if let [place] = waiting.as_slice()
                && let Some(task) = self.tasks.get_mut(place)
            {
                task.questions.push(id);
            }
        }
        let blocker = first.unwrap_or_else(|| "waits for an answer".to_owned());
        for place in &waiting {
            let blocked = json!({ "blocker": blocker });
            out.tell_of(&self.by_place(place), "task.blocked", blocked);
        }
    }
}

/// The id and the words of an interrupt, as an object or as Python writes one.
fn asked(interrupt: &Value) -> (Option<String>, String) {
    match interrupt {
        Value::Object(object) => (
            ["id", "interrupt_id"]
                .iter()
                .find_map(|key| text(object, key))
                .map(str::to_owned),
            said(object),
        ),
        Value::String(written) => (
            repr::field(written, "id"),
            ["question", "message"]
                .iter()
                .find_map(|key| repr::item(written, key))
                .or_else(|| repr::field(written, "value"))
                .unwrap_or_else(|| written.clone()),
        ),
        other => (None, other.to_string()),
    }
}

/// What an interrupt asks.
fn said(object: &Object) -> String {
    let value = ["value", "payload"]
        .iter()
        .find_map(|key| object.get(*key))
        .unwrap_or(&Value::Null);
    words(value).unwrap_or_else(|| value.to_string())
}
