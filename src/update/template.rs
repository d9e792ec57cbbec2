//! Templates of rules: text with placeholders like `{data.agent_id}`, which an event fills.

use serde::Serialize;
use serde_json::Value;

use crate::{
    access::authz::room_name,
    event::{self, Event, Object},
};

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Place(Vec<String>),
}

/// The value that a place has.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Found<'e> {
    /// All of an event's data.
    Object(&'e Object),
    /// A part of it.
    Part(&'e Value),
    /// Another fact of the event, or text with values in it.
    Made(Value),
}

impl Found<'_> {
    /// The value as an object.
    pub(super) fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::Part(value) => value.as_object(),
            Self::Made(value) => value.as_object(),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Part(Value::Null) | Self::Made(Value::Null))
    }

    /// The value as text; `null` is empty.
    fn push_to(&self, out: &mut String) {
        match self {
            Self::Object(object) => {
                out.push_str(&serde_json::to_string(object).unwrap_or_default());
            }
            Self::Part(Value::Null) | Self::Made(Value::Null) => {}
            Self::Part(Value::String(text)) => out.push_str(text),
            Self::Made(Value::String(text)) => out.push_str(text),
            Self::Part(other) => out.push_str(&other.to_string()),
            Self::Made(other) => out.push_str(&other.to_string()),
        }
    }
}

/// The first words that a placeholder may begin with.
const ROOTS: [&str; 8] = [
    "data",
    "metadata",
    "type",
    "id",
    "timestamp",
    "source",
    "project_id",
    "change_type",
];

impl Template {
    /// Reads a template; the error names the fault.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (place, after) = behind
                .split_once('}')
                .ok_or_else(|| format!("{text:?} has a {{ without }}"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let path: Vec<String> = place.trim().split('.').map(str::to_owned).collect();
            let root = path.first().map(String::as_str).unwrap_or_default();
            if !ROOTS.contains(&root)
                || path.iter().any(String::is_empty)
                || (path.len() > 1 && !is_deep(root))
            {
                return Err(format!(
                    "{{{place}}} is no place: use data.…, metadata.…, type, id, timestamp, source, project_id or change_type"
                ));
            }
            parts.push(Part::Place(path));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The whole data of an event.
    pub(super) fn data() -> Self {
        Self(vec![Part::Place(vec!["data".into()])])
    }

    /// Whether an event fills anything in.
    pub(super) fn has_places(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Place(_)))
    }

    /// Whether an event's value is the first that stands in it.
    pub(super) fn begins_with_place(&self) -> bool {
        matches!(self.0.first(), Some(Part::Place(_)))
    }

    /// Whether all of an event's data or metadata stands in it, which is a value and no name.
    pub(super) fn has_whole_object(&self) -> bool {
        let is_whole = |path: &[String]| path.len() == 1 && is_deep(&path[0]);
        self.0
            .iter()
            .any(|part| matches!(part, Part::Place(path) if is_whole(path)))
    }

    /// Whether its value may be an object: it is one place, of which that can be said.
    pub(super) fn may_be_object(&self) -> bool {
        matches!(self.0.as_slice(), [Part::Place(path)] if is_deep(&path[0]))
    }

    /// The text with the same filling in each place.
    pub(super) fn filled<'t>(&'t self, filling: &'t str) -> String {
        let text = |part: &'t Part| match part {
            Part::Text(text) => text.as_str(),
            Part::Place(_) => filling,
        };
        self.0.iter().map(text).collect()
    }

    /// The template as a value: if it is a single placeholder, the value keeps its type.
    pub(super) fn value<'e>(&self, event: &'e Event, data: &'e Object) -> Found<'e> {
        match self.0.as_slice() {
            [Part::Place(path)] => look_up(path, event, data),
            _ => Found::Made(self.text(event, data).into()),
        }
    }

    /// The template as text; missing values are empty.
    pub(super) fn text(&self, event: &Event, data: &Object) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(path) => look_up(path, event, data).push_to(&mut out),
            }
        }
        out
    }

    /// The template as the name of a room. A value after the kind is an id, and is written as ids are in names.
    pub(super) fn room(&self, event: &Event, data: &Object) -> String {
        let mut name = String::new();
        for part in &self.0 {
            let mut filling = String::new();
            match part {
                Part::Text(text) => {
                    name.push_str(text);
                    continue;
                }
                Part::Place(path) => look_up(path, event, data).push_to(&mut filling),
            }
            let kind = name.split_once(':').map(|(kind, _)| kind);
            match kind.and_then(event::ThingKind::from_name) {
                Some(kind) => room_name::write_id(&mut name, kind, &filling),
                None => name.push_str(&filling),
            }
        }
        room_name::canonical(&name).into_owned()
    }

    /// Whether the event fills every placeholder.
    pub(super) fn is_filled(&self, event: &Event) -> bool {
        self.0.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Place(path) => !look_up(path, event, &event.data).is_null(),
        })
    }
}

/// Whether a place with this first word has more words.
fn is_deep(root: &str) -> bool {
    matches!(root, "data" | "metadata")
}

fn look_up<'e>(path: &[String], event: &'e Event, data: &'e Object) -> Found<'e> {
    let Some((root, path)) = path.split_first() else {
        return Found::Made(Value::Null);
    };
    Found::Made(match root.as_str() {
        "data" => return descend(data, path),
        "metadata" => return descend(&event.metadata, path),
        "type" => event.name.raw().into(),
        "id" => Value::from(&*event.id),
        "timestamp" => event.timestamp.to_string().into(),
        "source" => Value::from(&*event.source),
        "project_id" => event.project_id.as_deref().into(),
        "change_type" => event.name.change_type().into(),
        _ => Value::Null,
    })
}

fn descend<'e>(object: &'e Object, path: &[String]) -> Found<'e> {
    let Some((key, path)) = path.split_first() else {
        return Found::Object(object);
    };
    let mut value = object.get(key);
    for key in path {
        value = value.and_then(|v| v.get(key));
    }
    Found::Part(value.unwrap_or(&Value::Null))
}
