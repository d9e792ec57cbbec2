//! Calls of tools, and questions whether they may be made.

use serde_json::{Value, json};

use super::state::Vercel;
use crate::{
    event::Object,
    translate::{
        fields::{field, text},
        output::Output,
    },
};

impl Vercel {
    pub(super) fn call_started(&mut self, message: &Object, out: &mut Output<'_>) {
        self.open_call(message, None, out);
    }

    fn open_call(&mut self, message: &Object, args: Option<&Value>, out: &mut Output<'_>) {
        let own = text(message, "toolCallId").unwrap_or_default();
        let name = text(message, "toolName").unwrap_or_default();
        self.calls.insert(own, name.to_owned());
        let started = json!({
            "tool_call_id": own, "tool_name": name, "title": text(message, "title"), "args": args,
        });
        out.tell_of(&self.by(), "tool.started", started);
    }

    /// The arguments of a call are whole.
    pub(super) fn call_is_whole(&mut self, message: &Object, out: &mut Output<'_>) {
        let own = text(message, "toolCallId").unwrap_or_default();
        let args = field(message, "input");
        if self.calls.get(own).is_none() {
            self.open_call(message, args, out);
            return;
        }
        let whole = json!({
            "tool_call_id": own, "tool_name": text(message, "toolName"), "args": args,
        });
        out.tell_of(&self.by(), "tool.progress", whole);
    }

    pub(super) fn call_answered(&mut self, message: &Object, out: &mut Output<'_>) {
        let own = text(message, "toolCallId").unwrap_or_default();
        let is_preliminary = message.get("preliminary") == Some(&Value::Bool(true));
        let (kind, name) = match is_preliminary {
            true => ("tool.progress", self.calls.get(own).cloned()),
            false => ("tool.completed", self.calls.remove(own)),
        };
        let answered = json!({
            "tool_call_id": own, "tool_name": name, "result": field(message, "output"),
        });
        out.tell_of(&self.by(), kind, answered);
    }

    pub(super) fn call_failed(&mut self, message: &Object, out: &mut Output<'_>) {
        let own = text(message, "toolCallId").unwrap_or_default();
        let known = self.calls.remove(own);
        let failed = json!({
            "tool_call_id": own, "tool_name": text(message, "toolName").or(known.as_deref()),
            "args": field(message, "input"), "error": text(message, "errorText"),
        });
        out.tell_of(&self.by(), "tool.failed", failed);
    }

    pub(super) fn call_denied(&mut self, message: &Object, out: &mut Output<'_>) {
        let own = text(message, "toolCallId").unwrap_or_default();
        let denied = json!({
            "tool_call_id": own, "tool_name": self.calls.remove(own), "error": "not allowed",
        });
        out.tell_of(&self.by(), "tool.cancelled", denied);
    }

    /// A person is asked whether a call may be made.
    pub(super) fn asked(&mut self, message: &Object, out: &mut Output<'_>) {
        let call = text(message, "toolCallId").unwrap_or_default();
        let name = self.calls.get(call).map_or("this tool", String::as_str);
        let question = json!({
            "request_id": text(message, "approvalId"), "kind": "tool_call", "tool_call_id": call,
            "message": format!("May {name} be called?"), "options": ["yes", "no"],
        });
        out.tell_of(&self.by(), "input.requested", question);
    }

    pub(super) fn answered(&mut self, message: &Object, out: &mut Output<'_>) {
        let answer = message.get("approved").and_then(Value::as_bool);
        let outcome = match answer {
            Some(false) => "cancelled",
            _ => "resolved",
        };
        let received = json!({
            "request_id": text(message, "approvalId"), "answer": answer, "outcome": outcome,
            "reason": text(message, "reason"),
        });
        out.tell_of(&self.by(), "input.received", received);
    }
}
