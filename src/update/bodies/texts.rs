//! The body of an update of an agent's text.

use serde_json::Value;

use super::super::{
    message::{self, Line, REASONING, Turn},
    status::within,
    writer::Writer,
};
use crate::event::{Event, Object};

/// The object inside the data that may have a text's fields.
const INNER: [&str; 1] = ["message"];

pub(super) fn message(event: &Event, data: &Object, out: &mut Writer) {
    if let Some(line) = message::line(event) {
        return out.object("data", |out| said(line, event, data, out));
    }
    let find = |key| within(data, &INNER, key);
    out.object("data", |out| {
        out.field("run_id", &event.run_id());
        out.field("message_id", &event.message_id());
        out.first("role", &[find("role")]);
        // A begin and an end need no text: a front-end that joins whatever comes joins nothing.
        let none = Value::from("");
        let absent = (message::turn(event) != Some(Turn::Appended)).then_some(&none);
        out.first(
            "content",
            &[find("content"), find("delta"), find("text"), absent],
        );
        let mut said = vec!["run_id", "message_id", "role", "content"];
        said.extend(turn(event, data, out));
        out.spread(data, &said);
    });
}

/// Writes a line of Marcus' conversation: a text of its own, by its event's id.
fn said(line: Line, event: &Event, data: &Object, out: &mut Writer) {
    let (from, to) = line.ends(event.agent_id());
    out.field("run_id", &event.run_id());
    out.field("message_id", &*event.id);
    out.field("role", "assistant");
    let none = Value::from("");
    out.first("content", &[data.get(line.text()), Some(&none)]);
    out.field("agent_id", &from);
    out.field("to_agent_id", &to);
    let mut own = vec![
        "run_id",
        "message_id",
        "role",
        "content",
        "agent_id",
        "to_agent_id",
        line.text(),
    ];
    own.extend(turn(event, data, out));
    out.spread(data, &own);
}

/// Writes what the event's name says of the text, or its data; gives the keys.
pub(in super::super) fn turn(event: &Event, data: &Object, out: &mut Writer) -> Vec<&'static str> {
    let mut said = Vec::new();
    if message::is_reasoning(event, data) {
        out.field("kind", REASONING);
        said.push("kind");
    }
    if message::is_final(event, data) {
        out.field("final", &true);
        said.push("final");
    }
    said
}

/// The id of the message that a text is part of.
pub(super) fn id(event: &Event) -> Option<&str> {
    match message::line(event) {
        Some(_) => Some(&event.id),
        None => event.message_id(),
    }
}

/// The way of a text: to the agent that it is for, else into its run.
pub(super) fn way(event: &Event, data: &Object) -> (Option<Value>, Option<Value>) {
    if let Some(line) = message::line(event) {
        let (from, to) = line.ends(event.agent_id());
        return (from.map(Into::into), to.map(Into::into));
    }
    let to = data.get("to_agent_id").filter(|to| to.is_string());
    match to {
        Some(to) => (event.agent_id().map(Into::into), Some(to.clone())),
        None => (None, event.run_id().map(Into::into)),
    }
}
