//! Texts, reasoning, sources, files and the application's own data.

use serde_json::{Value, json};

use super::state::{Text, Vercel};
use crate::{
    event::Object,
    translate::{
        fields::{as_type, field, text},
        output::Output,
    },
};

/// Bytes of an address that is passed on: a file may be in it.
const MAX_URL: usize = 2_048;

fn kind_of(part: &str) -> &'static str {
    match part.starts_with("reasoning") {
        true => "reasoning",
        false => "text",
    }
}

impl Vercel {
    /// The message of a part. The ids of parts are only of use within their step, so messages are numbered.
    fn message(&mut self, part: &str, kind: &str, out: &mut Output<'_>) -> String {
        if let Some(open) = self.texts.get(part) {
            return open.message.clone();
        }
        self.open_message(part, kind, out)
    }

    fn open_message(&mut self, part: &str, kind: &str, out: &mut Output<'_>) -> String {
        let (own, kind) = (self.numbered(), kind_of(kind));
        let message = own.clone();
        self.texts.insert(part, Text { message, kind });
        let started = json!({ "message_id": own, "role": "assistant", "kind": kind });
        out.tell_of(&self.by(), "agent.message.started", started);
        own
    }

    /// The id of the next message or file of the run.
    fn numbered(&mut self) -> String {
        let Some(run) = &mut self.run else {
            return String::new();
        };
        run.parts += 1;
        format!("{}/{}", run.id, run.parts)
    }

    pub(super) fn text_started(&mut self, kind: &str, message: &Object, out: &mut Output<'_>) {
        let part = text(message, "id").unwrap_or_default();
        self.texts.remove(part);
        self.open_message(part, kind, out);
    }

    pub(super) fn text_goes_on(&mut self, kind: &str, message: &Object, out: &mut Output<'_>) {
        let own = self.message(text(message, "id").unwrap_or_default(), kind, out);
        let told = match kind_of(kind) {
            "reasoning" => "agent.reasoning.appended",
            _ => "agent.message.appended",
        };
        let piece = json!({
            "message_id": own, "content": text(message, "delta"), "kind": kind_of(kind),
        });
        out.tell_of(&self.by(), told, piece);
    }

    pub(super) fn text_ended(&mut self, kind: &str, message: &Object, out: &mut Output<'_>) {
        let part = text(message, "id").unwrap_or_default();
        let own = self.message(part, kind, out);
        self.texts.remove(part);
        let ended = json!({ "message_id": own, "kind": kind_of(kind) });
        out.tell_of(&self.by(), "agent.message.completed", ended);
    }

    pub(super) fn source(&mut self, message: &Object, out: &mut Output<'_>) {
        let (title, url) = (text(message, "title"), text(message, "url"));
        let source = json!({
            "name": title.or(url), "source_id": text(message, "sourceId"),
            "url": url.filter(|url| url.len() <= MAX_URL),
            "mime": text(message, "mediaType"), "file_name": text(message, "filename"),
        });
        out.tell_of(&self.by(), "retrieval.source", source);
    }

    pub(super) fn file(&mut self, message: &Object, out: &mut Output<'_>) {
        let url = text(message, "url").unwrap_or_default();
        let is_short = url.len() <= MAX_URL && !url.starts_with("data:");
        let name = url
            .rsplit('/')
            .next()
            .filter(|name| is_short && !name.is_empty());
        let artifact = json!({
            "artifact_id": self.numbered(), "name": name.unwrap_or("file"),
            "mime": text(message, "mediaType"), "url": is_short.then_some(url),
        });
        out.tell_of(&self.by(), "artifact.created", artifact);
    }

    /// The application's own data: an event of its name.
    pub(super) fn data(&mut self, kind: &str, message: &Object, out: &mut Output<'_>) {
        let name = kind.strip_prefix("data-").unwrap_or(kind);
        let custom = json!({
            "name": name, "value": field(message, "data"), "part_id": text(message, "id"),
            "transient": message.get("transient").filter(|is| *is == &Value::Bool(true)),
        });
        out.tell_of(&self.by(), &format!("custom.{}", as_type(name)), custom);
    }
}
