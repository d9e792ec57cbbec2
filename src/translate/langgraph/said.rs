//! Texts and tools of the streaming protocol.

use serde_json::{Value, json};

use super::{
    state::LangGraph,
    things::{Said, Writing},
};
use crate::translate::{fields::words, output::Output};

impl LangGraph {
    pub(super) fn tool(&mut self, run: &str, said: &Said<'_>, out: &mut Output<'_>) {
        let data = said.data;
        let text = |key: &str| data.get(key).and_then(Value::as_str);
        let Some(own) = text("tool_call_id") else {
            return;
        };
        self.at_work(run, &said.namespace, None, out);
        let by = self.by_namespace(run, &said.namespace);
        let (kind, facts) = match text("event").unwrap_or_default() {
            "tool-started" => ("tool.started", json!({ "args": data.get("input") })),
            "tool-output-delta" => ("tool.progress", json!({ "message": text("delta") })),
            "tool-finished" => {
                let output = data.get("output");
                let result = output.and_then(words).map(Value::String);
                (
                    "tool.completed",
                    json!({ "result": result.as_ref().or(output) }),
                )
            }
            "tool-error" => (
                "tool.failed",
                json!({ "error": text("message"), "error_type": text("code") }),
            ),
            _ => return,
        };
        let mut facts = facts;
        facts["tool_call_id"] = own.into();
        facts["tool_name"] = json!(text("tool_name"));
        out.tell_of(&by, kind, facts);
    }

    pub(super) fn message(&mut self, run: &str, said: &Said<'_>, out: &mut Output<'_>) {
        // Within a process the metadata stands beside the message.
        let (payload, about) = match said.data {
            Value::Array(parts) => (parts.first().unwrap_or(&Value::Null), parts.get(1)),
            data => (data, None),
        };
        let about = |key: &str| about.and_then(|about| about.get(key)?.as_str());
        let place = about("langgraph_checkpoint_ns")
            .unwrap_or(&said.namespace)
            .to_owned();
        let text = |key: &str| payload.get(key).and_then(Value::as_str);
        let key = format!("{}/{place}", said.namespace);
        match text("event") {
            Some("message-start") => {
                let agent = about("lc_agent_name").filter(|_| !place.contains('|'));
                self.at_work(run, &place, agent, out);
                let by = self.by_namespace(run, &place);
                let own = text("id").unwrap_or(&key).to_owned();
                self.texts.remove(&key);
                let mut writing = Writing::new(&own, by.clone());
                let model = payload.get("metadata");
                let model = |name: &str| model.and_then(|of| of.get(name)?.as_str());
                writing.model = model("model").or(about("ls_model_name")).map(str::to_owned);
                writing.provider = model("provider")
                    .or(about("ls_provider"))
                    .map(str::to_owned);
                self.texts.insert(&key, writing);
                let role = match text("role") {
                    Some("human") => "user",
                    Some("system") => "system",
                    _ => "assistant",
                };
                let started = json!({ "message_id": own, "role": role, "kind": "text" });
                out.tell_of(&by, "agent.message.started", started);
            }
            Some("content-block-delta") => {
                let delta = payload.get("delta").unwrap_or(&Value::Null);
                let piece = |name: &str| delta.get(name).and_then(Value::as_str);
                let (kind, name, content) = match piece("type") {
                    Some("text-delta") => ("agent.message.appended", "text", piece("text")),
                    Some("reasoning-delta") => {
                        ("agent.reasoning.appended", "reasoning", piece("reasoning"))
                    }
                    _ => return,
                };
                if let (Some(writing), Some(content)) = (self.texts.get_mut(&key), content) {
                    writing.has_thought |= name == "reasoning";
                    let piece = json!({
                        "message_id": writing.message, "content": content, "kind": name,
                    });
                    out.tell_of(&writing.by, kind, piece);
                }
            }
            Some("message-finish" | "error") => self.finish_message(&key, payload, out),
            // A message that was not streamed.
            None if text("type") == Some("ai") => {
                let own = text("id").unwrap_or(&key).to_owned();
                let content = payload.get("content").and_then(words).unwrap_or_default();
                if content.is_empty() {
                    return;
                }
                self.at_work(run, &place, None, out);
                let by = self.by_namespace(run, &place);
                let started = json!({ "message_id": own, "role": "assistant", "kind": "text" });
                out.tell_of(&by, "agent.message.started", started);
                let whole = json!({ "message_id": own, "content": content, "kind": "text" });
                out.tell_of(&by, "agent.message.appended", whole);
                let ended = json!({ "message_id": own, "kind": "text" });
                out.tell_of(&by, "agent.message.completed", ended);
            }
            _ => {}
        }
    }

    fn finish_message(&mut self, key: &str, payload: &Value, out: &mut Output<'_>) {
        let Some(writing) = self.texts.remove(key) else {
            return;
        };
        let by = &writing.by;
        let thought = writing.has_thought.then_some("reasoning");
        for kind in thought.into_iter().chain(["text"]) {
            let ended = json!({ "message_id": writing.message, "kind": kind });
            out.tell_of(by, "agent.message.completed", ended);
        }
        let call = json!({
            "call_id": writing.message, "model": writing.model, "provider": writing.provider,
        });
        let mut call = call;
        if payload.get("event").and_then(Value::as_str) == Some("error") {
            call["error"] = json!(payload.get("message"));
            out.tell_of(by, "llm.failed", call);
        } else if let Some(usage) = payload.get("usage").filter(|usage| usage.is_object()) {
            for name in ["input_tokens", "output_tokens"] {
                call[name] = json!(usage.get(name));
            }
            let detail = |of: &str, name: &str| json!(usage.get(of).and_then(|of| of.get(name)));
            call["cached_tokens"] = detail("input_token_details", "cache_read");
            call["reasoning_tokens"] = detail("output_token_details", "reasoning");
            out.tell_of(by, "llm.completed", call);
        }
    }
}
