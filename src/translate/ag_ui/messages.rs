//! Texts and reasoning, as they are written.

use serde_json::json;

use super::{
    state::AgUi,
    things::{Message, kind_of},
};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{id, text, without},
        output::{By, Output},
    },
};

fn is_reasoning(kind: &str) -> bool {
    kind.starts_with("REASONING")
}

impl AgUi {
    pub(super) fn message_started(
        &mut self,
        kind: &str,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        self.open_message(kind, id(message, "messageId")?, message, false, out);
        Ok(())
    }

    fn open_message(
        &mut self,
        kind: &str,
        own: &str,
        message: &Object,
        is_chunked: bool,
        out: &mut Output<'_>,
    ) {
        let is_reasoning = is_reasoning(kind);
        let started = json!({
            "message_id": own, "role": text(message, "role").unwrap_or("assistant"),
            "kind": kind_of(is_reasoning), "name": text(message, "name"),
        });
        let opened = Message {
            is_reasoning,
            subagent: text(message, "subagentRunId").map(str::to_owned),
            is_chunked,
        };
        self.messages.insert(own, opened);
        out.tell_of(&self.by(message), "agent.message.started", started);
    }

    pub(super) fn message_goes_on(
        &mut self,
        kind: &str,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = id(message, "messageId")?;
        let by = self.by_message(own, message);
        append(
            &by,
            own,
            is_reasoning(kind),
            text(message, "delta").unwrap_or_default(),
            out,
        );
        Ok(())
    }

    pub(super) fn message_ended(
        &mut self,
        kind: &str,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = id(message, "messageId")?;
        let by = self.by_message(own, message);
        self.messages.remove(own);
        let ended = json!({ "message_id": own, "kind": kind_of(is_reasoning(kind)) });
        out.tell_of(&by, "agent.message.completed", ended);
        Ok(())
    }

    /// A chunk: it begins a message, or goes on with one.
    pub(super) fn message_chunk(
        &mut self,
        kind: &str,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let own = self.message_of_chunk(kind, &message)?;
        if self.messages.get(&own).is_none() {
            self.open_message(kind, &own, &message, true, out);
        }
        match text(&message, "delta") {
            Some(delta) => {
                let by = self.by_message(&own, &message);
                append(&by, &own, is_reasoning(kind), delta, out);
            }
            None if out.is_empty() => self.keep(kind, message, out),
            None => {}
        }
        Ok(())
    }

    /// The message that a chunk is of: the one that it names, or the one of the chunk before.
    pub(super) fn message_of_chunk(&self, kind: &str, message: &Object) -> Result<String, Error> {
        if let Some(own) = text(message, "messageId") {
            return Ok(own.to_owned());
        }
        let subagent = text(message, "subagentRunId");
        let mut open = self.messages.iter().filter(|(_, open)| {
            open.is_chunked
                && open.is_reasoning == is_reasoning(kind)
                && open.subagent.as_deref() == subagent
        });
        let last = open.next_back().map(|(own, _)| own.to_owned());
        last.ok_or_else(|| without(message, "messageId", "text (and no chunk goes before it)"))
    }

    /// Ends what came in chunks, when something else of the same agent comes.
    pub(super) fn end_chunks(&mut self, kind: &str, message: &Object, out: &mut Output<'_>) {
        let subagent = text(message, "subagentRunId");
        let goes_on = match kind {
            "TEXT_MESSAGE_CHUNK" | "REASONING_MESSAGE_CHUNK" => {
                self.message_of_chunk(kind, message).ok()
            }
            _ => None,
        };
        let ended = self.messages.take_where(|own, open| {
            open.is_chunked
                && open.subagent.as_deref() == subagent
                && goes_on.as_deref() != Some(own)
        });
        self.tell_ended(ended, out);
        self.end_call_chunks(kind, message, out);
    }

    /// Ends all messages of an agent.
    pub(super) fn end_messages_of(&mut self, subagent: Option<&str>, out: &mut Output<'_>) {
        let of_it = |_: &str, open: &Message| open.subagent.as_deref() == subagent;
        let ended = self.messages.take_where(of_it);
        self.tell_ended(ended, out);
    }

    /// Ends all messages.
    pub(super) fn end_messages(&mut self, out: &mut Output<'_>) {
        let ended = self.messages.take_where(|_, _| true);
        self.tell_ended(ended, out);
    }

    fn tell_ended(&self, ended: Vec<(String, Message)>, out: &mut Output<'_>) {
        for (own, message) in ended {
            let by = self.by_subagent(message.subagent.as_deref());
            let ended = json!({ "message_id": own, "kind": message.kind() });
            out.tell_of(&by, "agent.message.completed", ended);
        }
    }

    /// The agent that writes a message: its beginning says it.
    fn by_message(&self, own: &str, message: &Object) -> By {
        match self.messages.get(own) {
            Some(open) => self.by_subagent(open.subagent.as_deref()),
            None => self.by(message),
        }
    }
}

/// The next piece of a message.
fn append(by: &By, own: &str, is_reasoning: bool, delta: &str, out: &mut Output<'_>) {
    let kind = match is_reasoning {
        true => "agent.reasoning.appended",
        false => "agent.message.appended",
    };
    let piece = json!({ "message_id": own, "content": delta, "kind": kind_of(is_reasoning) });
    out.tell_of(by, kind, piece);
}
