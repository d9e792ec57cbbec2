//! Reads one message after the other.

use super::{
    state::AgUi,
    types::{BESIDE, TYPES},
};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{id, id_if_any, needed},
        output::Output,
    },
};

impl AgUi {
    /// Tells what a message says.
    pub(in crate::translate) fn read(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let kind = needed(&message, "type")?.to_owned();
        id_if_any(&message, "subagentRunId")?;
        out.at(message.get("timestamp"));
        out.noting(message.get("metadata"));
        if !BESIDE.contains(&kind.as_str()) {
            self.check(&kind, &message)?;
            self.end_chunks(&kind, &message, out);
        }
        match kind.as_str() {
            "RUN_STARTED" => self.run_started(&message, out),
            "RUN_FINISHED" => self.run_finished(message, out),
            "RUN_ERROR" => self.run_failed(message, out),
            "STEP_STARTED" | "STEP_FINISHED" => self.step(&kind, &message, out),
            "SUBAGENT_STARTED" => self.subagent_started(&message, out),
            "SUBAGENT_FINISHED" => self.subagent_finished(&message, out),
            "SUBAGENT_ERROR" => self.subagent_failed(&message, out),
            "TEXT_MESSAGE_START" | "REASONING_MESSAGE_START" => {
                self.message_started(&kind, &message, out)
            }
            "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT" => {
                self.message_goes_on(&kind, &message, out)
            }
            "TEXT_MESSAGE_END" | "REASONING_MESSAGE_END" => {
                self.message_ended(&kind, &message, out)
            }
            "TEXT_MESSAGE_CHUNK" | "REASONING_MESSAGE_CHUNK" => {
                self.message_chunk(&kind, message, out)
            }
            "TOOL_CALL_START" => self.call_started(&message, out),
            "TOOL_CALL_ARGS" => self.call_goes_on(message, out),
            "TOOL_CALL_END" => self.call_ended(&message, out),
            "TOOL_CALL_CHUNK" => self.call_chunk(message, out),
            "TOOL_CALL_RESULT" => self.call_answered(&message, out),
            "ACTIVITY_SNAPSHOT" | "ACTIVITY_DELTA" => self.activity(&message, out),
            "CUSTOM" => self.custom(&message, out),
            kind if TYPES.contains(&kind) => {
                self.keep(kind, message, out);
                Ok(())
            }
            kind => {
                let run = self.run.as_ref().map(|run| run.id.as_str());
                out.keep_unknown(&kind.to_ascii_lowercase(), message, run);
                Ok(())
            }
        }
    }

    /// Checks the fields without which a message says nothing, before anything changes.
    fn check(&self, kind: &str, message: &Object) -> Result<(), Error> {
        let ids: &[&str] = match kind {
            "RUN_STARTED" => &["threadId", "runId"],
            "SUBAGENT_STARTED" => &["subagentRunId", "name"],
            "SUBAGENT_FINISHED" | "SUBAGENT_ERROR" => &["subagentRunId"],
            "TOOL_CALL_START" => &["toolCallId", "toolCallName"],
            "TOOL_CALL_ARGS" | "TOOL_CALL_END" | "TOOL_CALL_RESULT" => &["toolCallId"],
            "TEXT_MESSAGE_START"
            | "TEXT_MESSAGE_CONTENT"
            | "TEXT_MESSAGE_END"
            | "REASONING_MESSAGE_START"
            | "REASONING_MESSAGE_CONTENT"
            | "REASONING_MESSAGE_END" => &["messageId"],
            "STEP_STARTED" | "STEP_FINISHED" => &["stepName"],
            "CUSTOM" => &["name"],
            _ => &[],
        };
        for key in ids {
            id(message, key)?;
        }
        let texts: &[&str] = match kind {
            "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT" | "TOOL_CALL_ARGS" => &["delta"],
            "RUN_ERROR" | "SUBAGENT_ERROR" => &["message"],
            _ => &[],
        };
        for key in texts {
            needed(message, key)?;
        }
        // A chunk that goes on with the last one names nothing.
        for key in [
            "messageId",
            "toolCallId",
            "toolCallName",
            "runId",
            "parentRunId",
        ] {
            id_if_any(message, key)?;
        }
        if kind == "TEXT_MESSAGE_CHUNK" || kind == "REASONING_MESSAGE_CHUNK" {
            self.message_of_chunk(kind, message)?;
        }
        if kind == "TOOL_CALL_CHUNK" {
            self.call_of_chunk(message)?;
        }
        Ok(())
    }
}
