//! The events that one message becomes.

use serde_json::{Value, json};

use super::{
    Language, StreamContext,
    numbering::{Numbering, hash},
};
use crate::event::Object;

/// Bytes of an event's id.
const MAX_ID: usize = 128;

/// The way in which a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It became events.
    Told,
    /// It is kept as it is, and gives no update.
    Kept,
    /// The same; its type is none that the protocol has.
    Unknown,
}

impl Treatment {
    /// The name of the treatment, for the counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Kept => "kept",
            Self::Unknown => "unknown",
        }
    }
}

/// The events of one message, at least one.
#[derive(Debug)]
pub struct Translation {
    /// The events, as JSON of the plain door.
    pub events: Vec<Object>,
    /// The way in which the message was taken.
    pub treatment: Treatment,
}

/// The agent that does something, with its task and run.
#[derive(Debug, Clone, Default)]
pub(super) struct By {
    pub(super) agent: String,
    pub(super) task: Option<String>,
    pub(super) run: Option<String>,
}

/// Collects the events of one message.
#[derive(Debug)]
pub(super) struct Output<'o> {
    language: Language,
    pub(super) context: &'o StreamContext,
    pub(super) numbering: &'o mut Numbering,
    /// The beginning of the ids of this message's events, once it was asked for.
    id: Option<Option<String>>,
    timestamp: Option<Value>,
    metadata: Option<Value>,
    events: Vec<Object>,
    treatment: Treatment,
}

impl<'o> Output<'o> {
    pub(super) fn new(
        language: Language,
        context: &'o StreamContext,
        numbering: &'o mut Numbering,
    ) -> Self {
        Self {
            language,
            context,
            numbering,
            id: None,
            timestamp: None,
            metadata: None,
            events: Vec::new(),
            treatment: Treatment::Told,
        }
    }

    /// The time that the message says.
    pub(super) fn at(&mut self, timestamp: Option<&Value>) {
        self.timestamp = timestamp.filter(|t| !t.is_null()).cloned();
    }

    /// Facts about the message itself.
    pub(super) fn noting(&mut self, metadata: Option<&Value>) {
        self.metadata = metadata.filter(|m| m.is_object()).cloned();
    }

    /// Begins a run, of which this is the first message.
    pub(super) fn begin(&mut self, run: &str) {
        self.numbering.begin(self.language, self.context, run);
        self.id = None;
    }

    /// The message has an id of its own.
    pub(super) fn named(&mut self, own: &str) {
        self.id = Some(self.numbering.named(own));
    }

    /// Tells an event; facts that are `null` are left out.
    pub(super) fn tell(&mut self, kind: &str, data: Value) {
        let mut event = Object::new();
        let id = self.id.get_or_insert_with(|| self.numbering.next());
        if let Some(id) = id {
            // Numbered by type: the others of a message may depend on what went before the run.
            let is_same = |told: &&Object| told.get("type").and_then(Value::as_str) == Some(kind);
            let nth = self.events.iter().filter(is_same).count();
            let whole = format!("{id}/{kind}/{nth}");
            let whole = match whole.len() <= MAX_ID {
                true => whole,
                false => format!("{id}/{:016x}/{nth}", hash(&[kind])),
            };
            event.insert("id".into(), whole.into());
        }
        event.insert("type".into(), kind.into());
        if let Some(timestamp) = &self.timestamp {
            event.insert("timestamp".into(), timestamp.clone());
        }
        if let Some(project) = &self.context.project {
            event.insert("project_id".into(), (&**project).into());
        }
        let mut facts = facts(data);
        facts.retain(|_, value| !value.is_null());
        event.insert("data".into(), facts.into());
        if let Some(metadata) = &self.metadata {
            event.insert("metadata".into(), metadata.clone());
        }
        self.events.push(event);
    }

    /// Tells an event of an agent.
    pub(super) fn tell_of(&mut self, by: &By, kind: &str, data: Value) {
        let mut facts = facts(data);
        let named = [
            ("agent_id", Some(&by.agent)),
            ("task_id", by.task.as_ref()),
            ("run_id", by.run.as_ref()),
        ];
        for (key, id) in named {
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                facts.entry(key).or_insert_with(|| id.as_str().into());
            }
        }
        self.tell(kind, facts.into());
    }

    /// Keeps a message as it is.
    pub(super) fn keep(&mut self, name: &str, message: Object, run: Option<&str>) {
        let family = self.language.family();
        let kind = format!("{family}.{}", super::fields::as_type(name));
        let mut facts = message;
        facts.remove("type");
        if self.language == Language::LangGraph {
            // Its fields are named like those of an event.
            facts = Object::from_iter([("raw".to_owned(), facts.into())]);
        } else {
            facts.remove("timestamp");
            facts.remove("metadata");
        }
        if let Some(run) = run {
            facts.entry("run_id").or_insert_with(|| json!(run));
        }
        self.treatment = Treatment::Kept;
        self.tell(&kind, facts.into());
    }

    /// Keeps a message that the protocol doesn't know.
    pub(super) fn keep_unknown(&mut self, name: &str, message: Object, run: Option<&str>) {
        self.keep(name, message, run);
        self.treatment = Treatment::Unknown;
    }

    /// Whether nothing was told yet.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn finish(self) -> Translation {
        Translation {
            events: self.events,
            treatment: self.treatment,
        }
    }
}

/// Facts: those of an object, or the one that a value is.
fn facts(data: Value) -> Object {
    match data {
        Value::Object(facts) => facts,
        other => Object::from_iter([("value".to_owned(), other)]),
    }
}
