//! The events of `astream_events` (`version="v2"`). Each names the runs above it, so several graphs may run at once.

use serde_json::{Value, json};

use super::{
    nodes::{node, top},
    repr,
    state::LangGraph,
    things::{Root, Writing},
};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{as_type, field, id, text, words},
        output::{By, Output},
    },
};

impl LangGraph {
    pub(super) fn read_event(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let (name, own) = (
            text(&message, "event").unwrap_or_default(),
            id(&message, "run_id")?,
        );
        let above = message.get("parent_ids").and_then(Value::as_array);
        let root = above.and_then(|ids| ids.first()?.as_str()).unwrap_or(own);
        let (name, own, root) = (name.to_owned(), own.to_owned(), root.to_owned());
        let depth = above.map_or(0, Vec::len);
        if depth == 0 && name == "on_chain_start" {
            self.root_started(&own, &message, out);
            return Ok(());
        }
        self.number(&root, out);
        let run = self.roots.get(&root).map(|known| known.run.clone());
        let run = run.unwrap_or_else(|| root.clone());
        if depth == 0 && name == "on_chain_stream" && self.is_interrupt(&run, &message, out) {
            return Ok(());
        }
        if depth == 0 && matches!(name.as_str(), "on_chain_end" | "on_chain_error") {
            self.root_ended(&root, &message, out);
            return Ok(());
        }
        let metadata = field(&message, "metadata").and_then(Value::as_object);
        let about = |key: &str| metadata.and_then(|about| text(about, key));
        let place = about("langgraph_checkpoint_ns").unwrap_or_default();
        let is_node = depth == 1
            && !place.is_empty()
            && !place.contains('|')
            && text(&message, "name") == about("langgraph_node");
        let by = By {
            run: Some(run.clone()),
            ..self.by_place(top(place))
        };
        match name.as_str() {
            "on_chain_start" if is_node && !node(place).starts_with("__") => {
                let agent = about("lc_agent_name").unwrap_or(node(place)).to_owned();
                self.begin_task(place, &agent, &run, Some(&own), out);
            }
            "on_chain_end" | "on_chain_error" if self.is_task_of(place, &own) => {
                let failed = (name == "on_chain_error").then(|| fault(&message));
                self.end_task(place, failed.as_deref(), out);
            }
            "on_chat_model_start" | "on_llm_start" => {
                let called = json!({
                    "call_id": own, "model": about("ls_model_name"), "provider": about("ls_provider"),
                });
                out.tell_of(&by, "llm.started", called);
            }
            "on_chat_model_stream" | "on_llm_stream" => self.piece(&own, &by, message, out),
            "on_chat_model_end" | "on_llm_end" => self.model_ended(&own, &by, &message, out),
            "on_chat_model_error" | "on_llm_error" => {
                let failed = json!({ "call_id": own, "model": about("ls_model_name"), "error": fault(&message) });
                out.tell_of(&by, "llm.failed", failed);
            }
            "on_tool_start" => {
                let started = json!({
                    "tool_call_id": own, "tool_name": text(&message, "name"), "args": inside(&message, "input"),
                });
                out.tell_of(&by, "tool.started", started);
            }
            "on_tool_end" => {
                let result = inside(&message, "output").map(spoken);
                let ended = json!({
                    "tool_call_id": own, "tool_name": text(&message, "name"), "result": result,
                });
                out.tell_of(&by, "tool.completed", ended);
            }
            "on_tool_error" => {
                let failed = json!({
                    "tool_call_id": own, "tool_name": text(&message, "name"), "error": fault(&message),
                });
                out.tell_of(&by, "tool.failed", failed);
            }
            "on_retriever_start" | "on_retriever_end" => {
                let kind = match name.as_str() {
                    "on_retriever_start" => "retrieval.started",
                    _ => "retrieval.completed",
                };
                let looked = json!({ "name": text(&message, "name"), "retrieval_id": own });
                out.tell_of(&by, kind, looked);
            }
            "on_custom_event" => {
                let name = text(&message, "name").unwrap_or_default();
                let custom = json!({ "name": name, "value": message.get("data") });
                out.tell_of(&by, &format!("custom.{}", as_type(name)), custom);
            }
            _ => out.keep(&name, message, Some(&run)),
        }
        Ok(())
    }

    /// Names this message's events by its place among those of its root.
    fn number(&mut self, root: &str, out: &mut Output<'_>) {
        if let Some(known) = self.roots.get_mut(root) {
            out.begin("");
            out.named(&format!("{root}:{}", known.count));
            known.count += 1;
        }
    }

    fn root_started(&mut self, own: &str, message: &Object, out: &mut Output<'_>) {
        let metadata = field(message, "metadata").and_then(Value::as_object);
        let thread = metadata
            .and_then(|about| text(about, "thread_id"))
            .or(out.context.thread.as_deref())
            .map(str::to_owned);
        let name = text(message, "name").unwrap_or("graph").to_owned();
        // The graph that was sent again goes on with nothing, not even with itself.
        self.roots.remove(own);
        let waits =
            |known: &Root| known.is_paused && known.thread.is_some() && known.thread == thread;
        let before = self.roots.take_where(|_, known| waits(known)).pop();
        let went_on = before.is_some();
        let root = Root {
            run: before.map_or_else(|| own.to_owned(), |(_, before)| before.run),
            name,
            thread,
            is_paused: false,
            count: 0,
        };
        let facts = json!({ "run_id": root.run, "name": root.name, "session_id": root.thread });
        if !went_on {
            for place in self.tasks_of(own) {
                self.tasks.remove(&place);
            }
        }
        self.roots.insert(own, root);
        self.number(own, out);
        match went_on {
            true => out.tell("workflow.run.resumed", facts),
            false => out.tell("workflow.run.started", facts),
        }
    }

    fn root_ended(&mut self, own: &str, message: &Object, out: &mut Output<'_>) {
        let is_paused = self.roots.get(own).is_some_and(|root| root.is_paused);
        let root = match is_paused {
            true => self.roots.get(own).cloned(),
            false => self.roots.remove(own),
        };
        let run = root.as_ref().map_or(own, |root| root.run.as_str());
        let session = root.as_ref().and_then(|root| root.thread.clone());
        let facts = json!({ "run_id": run, "session_id": session });
        if is_paused {
            out.tell("workflow.run.paused", facts);
        } else if text(message, "event") == Some("on_chain_error") {
            let failed = json!({ "run_id": run, "error": fault(message) });
            out.tell("workflow.run.failed", failed);
        } else {
            for place in self.tasks_of(run) {
                self.end_task(&place, None, out);
            }
            out.tell("workflow.run.completed", facts);
        }
    }

    /// Whether a piece of the root graph's stream says that people are asked; tells it then.
    fn is_interrupt(&mut self, run: &str, message: &Object, out: &mut Output<'_>) -> bool {
        let chunk = inside(message, "chunk").and_then(Value::as_object);
        let asked = chunk.and_then(|chunk| chunk.get("__interrupt__"));
        let Some(asked) = asked.and_then(Value::as_array).cloned() else {
            return false;
        };
        self.interrupt(run, &asked, out);
        let of_run = self.roots.iter().find(|(_, root)| root.run == run);
        let own = of_run.map(|(own, _)| own.to_owned());
        if let Some(root) = own.and_then(|own| self.roots.get_mut(&own)) {
            root.is_paused = true;
        }
        true
    }

    fn is_task_of(&self, place: &str, chain: &str) -> bool {
        let task = self.tasks.get(place);
        task.is_some_and(|task| task.chain.as_deref() == Some(chain))
    }

    /// The next piece of a text.
    fn piece(&mut self, own: &str, by: &By, message: Object, out: &mut Output<'_>) {
        let said = inside(&message, "chunk").and_then(said).unwrap_or_default();
        if said.is_empty() {
            out.keep("on_chat_model_stream", message, by.run.as_deref());
            return;
        }
        self.begin_text(own, own, by, out);
        let piece = json!({ "message_id": own, "content": said, "kind": "text" });
        out.tell_of(by, "agent.message.appended", piece);
    }

    fn model_ended(&mut self, own: &str, by: &By, message: &Object, out: &mut Output<'_>) {
        let output = inside(message, "output");
        let was_told = self.texts.remove(own).is_some();
        let whole = output.and_then(said).filter(|said| !said.is_empty());
        let told_now = whole.filter(|_| !was_told);
        let has_begun = was_told || told_now.is_some();
        if let Some(said) = told_now {
            self.begin_text(own, own, by, out);
            self.texts.remove(own);
            let whole = json!({ "message_id": own, "content": said, "kind": "text" });
            out.tell_of(by, "agent.message.appended", whole);
        }
        if has_begun {
            out.tell_of(
                by,
                "agent.message.completed",
                json!({ "message_id": own, "kind": "text" }),
            );
        }
        let metadata = field(message, "metadata").and_then(Value::as_object);
        let about = |key: &str| metadata.and_then(|about| text(about, key));
        let completed = json!({
            "call_id": own, "provider": about("ls_provider"),
            "model": about("ls_model_name").map(str::to_owned).or_else(|| written(output, "model_name")),
            "input_tokens": tokens(output, "input_tokens"),
            "output_tokens": tokens(output, "output_tokens"),
            "finish_reason": written(output, "finish_reason"),
        });
        out.tell_of(by, "llm.completed", completed);
    }

    /// Begins a text, unless it has begun.
    pub(super) fn begin_text(&mut self, key: &str, own: &str, by: &By, out: &mut Output<'_>) {
        if self.texts.get(key).is_some() {
            return;
        }
        self.texts.insert(key, Writing::new(own, by.clone()));
        let started = json!({ "message_id": own, "role": "assistant", "kind": "text" });
        out.tell_of(by, "agent.message.started", started);
    }
}

fn inside<'m>(message: &'m Object, key: &str) -> Option<&'m Value> {
    field(message, "data")?.as_object()?.get(key)
}

/// The text of a message, as an object or as Python writes one.
fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(written) => repr::field(written, "content"),
        Value::Object(message) => words(message.get("content")?),
        _ => None,
    }
}

/// What a tool answered.
fn spoken(value: &Value) -> Value {
    said(value).map_or_else(|| value.clone(), Value::String)
}

fn fault(message: &Object) -> String {
    let error = inside(message, "error").or(inside(message, "output"));
    error.and_then(words).unwrap_or_else(|| "failed".to_owned())
}

/// Tokens that a model's answer counts.
fn tokens(output: Option<&Value>, key: &str) -> Option<u64> {
    match output? {
        Value::String(written) => repr::number(written, key),
        Value::Object(message) => message.get("usage_metadata")?.get(key)?.as_u64(),
        _ => None,
    }
}

/// A text about a model's answer.
fn written(output: Option<&Value>, key: &str) -> Option<String> {
    match output? {
        Value::String(written) => repr::item(written, key),
        Value::Object(message) => {
            let about = message.get("response_metadata")?.get(key)?;
            about.as_str().map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::{Language, StreamContext, TranslatorLimits, numbering::Numbering};

    const LIMITS: TranslatorLimits = TranslatorLimits {
        open: 8,
        joined: 64,
    };

    /// A text ends if it has begun, whatever else the message told before.
    #[test]
    fn only_a_text_that_has_begun_is_ended() {
        let answer = |content: &str| json!({ "data": { "output": { "content": content } } });
        for (is_begun, content, ends) in [
            (false, "", 0),
            (false, "Hello", 1),
            (true, "", 1),
            (true, "Hello", 1),
        ] {
            let (context, mut numbering) = (StreamContext::default(), Numbering::default());
            let mut out = Output::new(Language::LangGraph, &context, &mut numbering);
            let mut stream = LangGraph::new(LIMITS);
            let by = By::default();
            out.tell("agent.registered", json!({ "agent_id": "a" }));
            if is_begun {
                stream.begin_text("m", "m", &by, &mut out);
            }
            let message = answer(content).as_object().cloned().unwrap_or_default();
            stream.model_ended("m", &by, &message, &mut out);
            let events = out.finish().events;
            let count = |kind: &str| events.iter().filter(|e| e["type"] == kind).count();
            assert_eq!(
                count("agent.message.completed"),
                ends,
                "{is_begun} {content}"
            );
            assert_eq!(count("agent.message.started"), ends, "{is_begun} {content}");
        }
    }
}
