//! Calls of tools. The pieces of their arguments are joined, and told when they are whole.

use serde_json::{Value, json};

use super::{state::AgUi, things::Call};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{field, id, text, without},
        output::{By, Output},
    },
};

impl AgUi {
    pub(super) fn call_started(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let (own, name) = (id(message, "toolCallId")?, id(message, "toolCallName")?);
        self.open_call(own, name, message, false, out);
        Ok(())
    }

    fn open_call(
        &mut self,
        own: &str,
        name: &str,
        message: &Object,
        is_chunked: bool,
        out: &mut Output<'_>,
    ) {
        let call = Call {
            name: name.to_owned(),
            subagent: text(message, "subagentRunId").map(str::to_owned),
            args: String::new(),
            is_cut: false,
            is_chunked,
        };
        self.calls.insert(own, call);
        let started = json!({
            "tool_call_id": own, "tool_name": name, "parent_message_id": text(message, "parentMessageId"),
        });
        out.tell_of(&self.by(message), "tool.started", started);
    }

    pub(super) fn call_goes_on(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = id(&message, "toolCallId")?;
        self.join(own, text(&message, "delta").unwrap_or_default());
        self.keep("tool_call_args", message, out);
        Ok(())
    }

    /// Joins a piece of the arguments of a call, as far as there is room.
    fn join(&mut self, own: &str, piece: &str) {
        let held: usize = self.calls.iter().map(|(_, call)| call.args.len()).sum();
        let fits = held + piece.len() <= self.limits.joined;
        let Some(call) = self.calls.get_mut(own) else {
            return;
        };
        match fits && !call.is_cut {
            true => call.args.push_str(piece),
            false => {
                call.is_cut = true;
                self.pieces += 1;
            }
        }
    }

    pub(super) fn call_ended(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = id(message, "toolCallId")?;
        let by = self.by_call(own, message);
        self.tell_args(&by, own, out);
        Ok(())
    }

    /// Tells the arguments of a call, which are whole.
    fn tell_args(&mut self, by: &By, own: &str, out: &mut Output<'_>) {
        let call = self.calls.get_mut(own);
        let (name, args, is_cut) = match call {
            Some(call) => {
                call.is_chunked = false;
                let args = std::mem::take(&mut call.args);
                (Some(call.name.clone()), args, call.is_cut)
            }
            None => (None, String::new(), false),
        };
        let args = match serde_json::from_str(&args) {
            _ if args.is_empty() => Value::Null,
            Ok(args) => args,
            Err(_) => args.into(),
        };
        let whole = json!({
            "tool_call_id": own, "tool_name": name, "args": args,
            "args_cut": is_cut.then_some(true),
        });
        out.tell_of(by, "tool.progress", whole);
    }

    /// A chunk: it begins a call, or goes on with one.
    pub(super) fn call_chunk(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = self.call_of_chunk(&message)?;
        if self.calls.get(&own).is_none() {
            let name = id(&message, "toolCallName")?;
            self.open_call(&own, name, &message, true, out);
        }
        self.join(&own, text(&message, "delta").unwrap_or_default());
        if out.is_empty() {
            self.keep("tool_call_chunk", message, out);
        }
        Ok(())
    }

    /// The call that a chunk is of: the one that it names, or the one of the chunk before.
    pub(super) fn call_of_chunk(&self, message: &Object) -> Result<String, Error> {
        let own = match text(message, "toolCallId") {
            Some(own) => own.to_owned(),
            None => {
                let subagent = text(message, "subagentRunId");
                let mut open = self
                    .calls
                    .iter()
                    .filter(|(_, call)| call.is_chunked && call.subagent.as_deref() == subagent);
                let last = open.next_back().map(|(own, _)| own.to_owned());
                last.ok_or_else(|| {
                    without(message, "toolCallId", "text (and no chunk goes before it)")
                })?
            }
        };
        if self.calls.get(&own).is_none() {
            id(message, "toolCallName")?;
        }
        Ok(own)
    }

    /// Ends the calls that came in chunks, when something else of the same agent comes.
    pub(super) fn end_call_chunks(&mut self, kind: &str, message: &Object, out: &mut Output<'_>) {
        let subagent = text(message, "subagentRunId");
        let goes_on = match kind {
            "TOOL_CALL_CHUNK" => self.call_of_chunk(message).ok(),
            _ => None,
        };
        let ended: Vec<String> = self
            .calls
            .iter()
            .filter(|(own, call)| {
                call.is_chunked
                    && call.subagent.as_deref() == subagent
                    && goes_on.as_deref() != Some(*own)
            })
            .map(|(own, _)| own.to_owned())
            .collect();
        for own in ended {
            let by = self.by_call(&own, message);
            self.tell_args(&by, &own, out);
        }
    }

    pub(super) fn call_answered(
        &mut self,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = id(message, "toolCallId")?;
        let by = self.by_call(own, message);
        let name = self.calls.remove(own).map(|call| call.name);
        let answered = json!({
            "tool_call_id": own, "tool_name": name, "result": field(message, "content"),
        });
        out.tell_of(&by, "tool.completed", answered);
        Ok(())
    }

    /// The agent that made a call: its beginning says it.
    fn by_call(&self, own: &str, message: &Object) -> By {
        match self.calls.get(own) {
            Some(call) => self.by_subagent(call.subagent.as_deref()),
            None => self.by(message),
        }
    }
}
