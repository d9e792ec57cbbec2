//! Reads one part after the other.

use super::state::Vercel;
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{id, id_if_any, needed, text},
        output::Output,
    },
};

impl Vercel {
    /// Tells what a part says.
    pub(in crate::translate) fn read(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let kind = needed(&message, "type")?.to_owned();
        check(&kind, &message)?;
        let is_first = std::mem::take(&mut self.is_first);
        if kind == "start" && !is_first && self.is_inner_start(&message) {
            self.keep(&kind, message, out);
            return Ok(());
        }
        if kind == "start" {
            self.begin(text(&message, "messageId"), out);
            return Ok(());
        }
        if !self.is_open() {
            // Parts of an end come after it, too; all others begin a run that nobody announced.
            let is_of_end = matches!(
                kind.as_str(),
                "finish" | "abort" | "error" | "finish-step" | "message-metadata"
            );
            if is_of_end && (self.run.is_some() || kind != "error") {
                self.keep(&kind, message, out);
                return Ok(());
            }
            self.begin(None, out);
        }
        match kind.as_str() {
            "start-step" => self.step_started(out),
            "finish-step" => self.step_finished(message, out),
            "finish" => self.finished(&message, out),
            "abort" => self.aborted(&message, out),
            "error" => self.failed(&message, out),
            "text-start" | "reasoning-start" => self.text_started(&kind, &message, out),
            "text-delta" | "reasoning-delta" => self.text_goes_on(&kind, &message, out),
            "text-end" | "reasoning-end" => self.text_ended(&kind, &message, out),
            "tool-input-start" => self.call_started(&message, out),
            "tool-input-available" => self.call_is_whole(&message, out),
            "tool-input-error" | "tool-output-error" => self.call_failed(&message, out),
            "tool-output-available" => self.call_answered(&message, out),
            "tool-output-denied" => self.call_denied(&message, out),
            "tool-approval-request" => self.asked(&message, out),
            "tool-approval-response" => self.answered(&message, out),
            "source-url" | "source-document" => self.source(&message, out),
            "file" | "reasoning-file" => self.file(&message, out),
            kind if kind
                .strip_prefix("data-")
                .is_some_and(|name| !name.is_empty()) =>
            {
                self.data(kind, &message, out);
            }
            "tool-input-delta" | "message-metadata" => self.keep(&kind, message, out),
            kind => {
                let run = self.run.as_ref().map(|run| run.id.as_str());
                out.keep_unknown(kind, message, run);
            }
        }
        Ok(())
    }
}

/// Checks the fields without which a part says nothing, before anything changes.
fn check(kind: &str, message: &Object) -> Result<(), Error> {
    let ids: &[&str] = match kind {
        "text-start" | "text-delta" | "text-end" | "reasoning-start" | "reasoning-delta"
        | "reasoning-end" => &["id"],
        "tool-input-start" | "tool-input-available" | "tool-input-error" => {
            &["toolCallId", "toolName"]
        }
        "tool-input-delta"
        | "tool-output-available"
        | "tool-output-error"
        | "tool-output-denied" => &["toolCallId"],
        "tool-approval-request" => &["approvalId", "toolCallId"],
        "tool-approval-response" => &["approvalId"],
        _ => &[],
    };
    for key in ids {
        id(message, key)?;
    }
    let texts: &[&str] = match kind {
        "text-delta" | "reasoning-delta" => &["delta"],
        "error" | "tool-input-error" | "tool-output-error" => &["errorText"],
        "file" | "reasoning-file" | "source-url" => &["url"],
        _ => &[],
    };
    for key in texts {
        needed(message, key)?;
    }
    id_if_any(message, "messageId").map(drop)
}
