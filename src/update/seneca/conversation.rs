//! The conversation event: one event as Seneca's pages see it, with a speaker, a listener and a text.
//!
//! Log lines are read as Seneca itself reads them; everything else by the same rules. A structured line of a kind that
//! Seneca does not know is not part of the conversation. The speaker, the listener and the kind are borrowed and cost
//! nothing; the text and the metadata are built only when an update is written.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{read, words};
use crate::{
    event::{Dialect, Event, Object},
    timestamp::Timestamp,
};

/// Marcus' own name in the conversation.
const MARCUS: &str = "marcus";
/// The speaker when the record does not say.
const UNKNOWN: &str = "unknown";

/// One line of the conversation.
#[derive(Debug, Clone, Copy)]
pub struct ConversationEvent<'a> {
    /// The source of the text and the metadata, which are written later.
    event: &'a Event,
    /// The rule of Seneca's by which the event is read.
    rule: Rule,
    /// Seneca's name of the kind; pages colour and filter by it.
    pub event_type: &'a str,
    /// The speaker.
    pub source: &'a str,
    /// The listener.
    pub target: &'a str,
    /// The confidence of the speaker, 0 to 1; only decisions have one.
    pub confidence: Option<f64>,
}

/// Seneca's rules, one for each shape that it words differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Worker,
    Thinking,
    Decision,
    Kanban,
    Assignment,
    Progress,
    Blocker,
    State,
    Ping,
    Pong,
    Record,
    Bus,
}

/// The conversation event of `event`, or `None` if Seneca drops such lines.
pub fn conversation_fields(event: &Event) -> Option<ConversationEvent<'_>> {
    ConversationEvent::of(event)
}

impl<'a> ConversationEvent<'a> {
    /// See [`conversation_fields`].
    pub fn of(event: &'a Event) -> Option<Self> {
        let rule = Rule::of(event)?;
        let raw = event.name.raw();
        let data = &event.data;
        let worker = || read::agent(event).unwrap_or(UNKNOWN);
        let says = |key| read::text(data, key);
        let kind = says("conversation_type").unwrap_or_default();
        let (event_type, source, target) = match rule {
            Rule::Worker if kind.contains("worker_to_pm") => ("worker_message", worker(), MARCUS),
            Rule::Worker => ("worker_message", MARCUS, worker()),
            Rule::Thinking => ("pm_thinking", MARCUS, "internal"),
            Rule::Decision => ("pm_decision", MARCUS, "decision"),
            Rule::Kanban if kind.contains("pm_to_kanban") => {
                ("kanban_request", MARCUS, "kanban_board")
            }
            Rule::Kanban => ("kanban_response", "kanban_board", MARCUS),
            Rule::Assignment => ("task_assignment", MARCUS, worker()),
            Rule::Progress => ("progress_update", worker(), MARCUS),
            Rule::Blocker => ("blocker_report", worker(), MARCUS),
            Rule::State => ("system_state", MARCUS, "system"),
            Rule::Ping => (raw, says("source").unwrap_or("mcp_client"), MARCUS),
            Rule::Pong => (raw, MARCUS, "mcp_client"),
            Rule::Record => (
                raw,
                says("source").unwrap_or(UNKNOWN),
                says("target").unwrap_or(UNKNOWN),
            ),
            Rule::Bus => (raw, speaker(event), listener(event)),
        };
        let confidence = match rule {
            Rule::Decision | Rule::Bus => read::confidence(data),
            _ => None,
        };
        Some(Self {
            event,
            rule,
            event_type,
            source,
            target,
            confidence,
        })
    }

    /// The event's id, which tells two lines apart.
    pub fn id(&self) -> &'a str {
        &self.event.id
    }

    /// The time of the event.
    pub fn timestamp(&self) -> Timestamp {
        self.event.timestamp
    }

    /// The text for people.
    pub fn message(&self) -> Cow<'a, str> {
        let data = &self.event.data;
        let says = |key| read::text(data, key);
        let shown =
            |key, absent: &str| data.get(key).map_or_else(|| absent.to_owned(), read::plain);
        let written = |key| match data.get(key) {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => text.into(),
            Some(other) => other.to_string().into(),
        };
        match self.rule {
            Rule::Worker => written("message"),
            Rule::Thinking => written("thought"),
            Rule::Decision => read::decision_text(data).into(),
            Rule::Kanban => written("action"),
            Rule::Blocker => written("blocker_description"),
            Rule::Assignment => format!(
                "Task {} assigned",
                read::task(self.event).unwrap_or(UNKNOWN)
            )
            .into(),
            Rule::Progress => {
                let message = says("message").unwrap_or_default();
                format!("{}% - {message}", shown("progress", "0")).into()
            }
            Rule::State => "System state update".into(),
            Rule::Ping | Rule::Pong | Rule::Record | Rule::Bus => {
                if let Some(message) = says("message") {
                    return message.into();
                }
                match self.rule {
                    Rule::Ping => format!("Ping: {}", shown("echo", "pong")).into(),
                    Rule::Pong => format!(
                        "Pong: {} (Status: {})",
                        shown("echo", "pong"),
                        shown("status", UNKNOWN)
                    )
                    .into(),
                    Rule::Bus => words::of(self.event)
                        .unwrap_or_else(|| json_text(data))
                        .into(),
                    _ => json_text(data).into(),
                }
            }
        }
    }

    /// The facts beside the message.
    pub fn metadata(&self) -> Object {
        let data = &self.event.data;
        let value = |key| read::value_or(data, key, Value::Null);
        let list = |key| read::value_or(data, key, json!([]));
        let map = |key| read::object_or_empty(data, key);
        let count = |key| read::value_or(data, key, json!(0));
        let own = match self.rule {
            Rule::Worker => map("metadata"),
            Rule::Thinking => map("context"),
            Rule::Decision => json!({
                "rationale": read::value_or(data, "rationale", json!("")),
                "alternatives": list("alternatives_considered"),
                "decision_factors": map("decision_factors"),
            }),
            Rule::Kanban => {
                json!({"data": map("data"), "processing_steps": list("processing_steps")})
            }
            Rule::Assignment => json!({
                "task_details": map("task_details"),
                "assignment_score": value("assignment_score"),
                "dependency_analysis": map("dependency_analysis"),
            }),
            Rule::Progress => json!({
                "task_id": value("task_id"),
                "status": value("status"),
                "metrics": map("metrics"),
            }),
            Rule::Blocker => json!({
                "task_id": value("task_id"),
                "severity": value("severity"),
                "suggested_solutions": list("suggested_solutions"),
            }),
            Rule::State => json!({
                "active_workers": count("active_workers"),
                "tasks_in_progress": count("tasks_in_progress"),
                "tasks_completed": count("tasks_completed"),
                "tasks_blocked": count("tasks_blocked"),
                "system_metrics": map("system_metrics"),
            }),
            Rule::Ping | Rule::Pong | Rule::Record | Rule::Bus => {
                let mut record = data.clone();
                record.insert("type".into(), self.event.name.raw().into());
                record.insert("timestamp".into(), self.event.timestamp.to_string().into());
                Value::Object(record)
            }
        };
        let Value::Object(mut facts) = own else {
            return Object::new();
        };
        for key in read::CONFIDENCE {
            if let Some(said) = facts.get_mut(key).filter(|said| !said.is_number()) {
                *said = read::score(said).into();
            }
        }
        facts
    }

    /// All fields but the id and the timestamp, which every update has anyway.
    pub fn fields(&self) -> Object {
        let mut out = Object::new();
        out.insert("source".into(), self.source.into());
        out.insert("target".into(), self.target.into());
        out.insert("event_type".into(), self.event_type.into());
        out.insert("message".into(), self.message().into());
        out.insert("metadata".into(), self.metadata().into());
        out.insert("confidence".into(), self.confidence.into());
        out.insert("duration_ms".into(), Value::Null);
        out
    }

    /// As [`fields`](Self::fields), with what the `/conversations` page looks for elsewhere: `type` for the
    /// four kinds that it filters by (any other `type` would hide the line), the confidence and the alternatives' names in the metadata.
    pub fn page_fields(&self) -> Object {
        let mut out = self.fields();
        let kind = self.filter_key();
        if matches!(
            kind,
            "worker_message" | "pm_decision" | "pm_thinking" | "blocker"
        ) {
            out.insert("type".into(), kind.into());
        }
        if let Some(Value::Object(metadata)) = out.get_mut("metadata") {
            if let Some(score) = self.confidence {
                let said = metadata.entry("confidence_score").or_insert(Value::Null);
                if said.is_null() {
                    *said = score.into();
                }
            }
            if let Some(task) = read::task(self.event) {
                metadata.entry("task_id").or_insert(task.into());
            }
            if let Some(alternatives) = metadata.get_mut("alternatives") {
                *alternatives = alternatives::shown(alternatives);
            }
        }
        out
    }

    /// The whole line as REST gives it, in the page's form.
    pub fn to_object(&self) -> Object {
        let mut out = self.page_fields();
        out.insert("id".into(), self.id().into());
        out.insert("timestamp".into(), self.timestamp().to_string().into());
        out
    }

    /// The key of the page's type filter.
    pub fn filter_key(&self) -> &'a str {
        match self.event_type {
            "blocker_report" => "blocker",
            other => other,
        }
    }
}

impl Rule {
    fn of(event: &Event) -> Option<Self> {
        let name = event.name.canonical();
        let structured = match name {
            "worker.communication" => Some(Self::Worker),
            "pm.thinking" => Some(Self::Thinking),
            "pm.decision" => Some(Self::Decision),
            "kanban.interaction" => Some(Self::Kanban),
            "blocker.reported" => Some(Self::Blocker),
            _ => None,
        };
        let ping = match name {
            "ping.request" => Some(Self::Ping),
            "ping.response" => Some(Self::Pong),
            _ => None,
        };
        match event.dialect {
            Dialect::Conversation => structured.or(match name {
                "task.assignment" => Some(Self::Assignment),
                "progress.update" => Some(Self::Progress),
                "system.state" => Some(Self::State),
                _ => None,
            }),
            Dialect::RealtimeLog => Some(ping.unwrap_or(Self::Record)),
            // These names exist only for structured lines, so a bus event of that name has the same keys.
            _ => Some(structured.or(ping).unwrap_or(Self::Bus)),
        }
    }
}

/// The speaker of a bus event.
fn speaker(event: &Event) -> &str {
    read::text(&event.data, "source")
        .or(Some(&*event.source).filter(|s| !s.is_empty()))
        .unwrap_or(UNKNOWN)
}

/// The listener of a bus event: as the record says; else the agent that it is about; an agent itself speaks to Marcus.
fn listener(event: &Event) -> &str {
    let source = speaker(event);
    let agent = read::agent(event);
    match (read::text(&event.data, "target"), agent) {
        (Some(target), _) => target,
        (None, Some(agent)) if agent != source => agent,
        (None, Some(_)) => MARCUS,
        (None, None) if source.starts_with("agent") || source.starts_with("worker") => MARCUS,
        (None, None) => UNKNOWN,
    }
}

/// The record itself as text, when it has no words of its own.
fn json_text(data: &Object) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

mod alternatives;
#[cfg(test)]
mod tests;
