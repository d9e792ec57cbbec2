//! Templates of rules: text with placeholders like `{data.agent_id}`, which an event fills.

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
            let deep = matches!(root, "data" | "metadata");
            if !ROOTS.contains(&root)
                || path.iter().any(String::is_empty)
                || (path.len() > 1 && !deep)
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

    /// The template as a value: if it is a single placeholder, the value keeps its type.
    pub(super) fn value(&self, event: &Event, data: &Object) -> Value {
        match self.0.as_slice() {
            [Part::Place(path)] => look_up(path, event, data),
            _ => self.text(event, data).into(),
        }
    }

    /// The template as text; missing values are empty.
    pub(super) fn text(&self, event: &Event, data: &Object) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(path) => match look_up(path, event, data) {
                    Value::Null => {}
                    Value::String(text) => out.push_str(&text),
                    other => out.push_str(&other.to_string()),
                },
            }
        }
        out
    }

    /// The template as the name of a room. A value after the kind is an id, and is written as ids are in names.
    pub(super) fn room(&self, event: &Event, data: &Object) -> String {
        let mut name = String::new();
        for part in &self.0 {
            let filling = match part {
                Part::Text(text) => {
                    name.push_str(text);
                    continue;
                }
                Part::Place(path) => match look_up(path, event, data) {
                    Value::Null => continue,
                    Value::String(text) => text,
                    other => other.to_string(),
                },
            };
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

fn look_up(path: &[String], event: &Event, data: &Object) -> Value {
    let Some((root, path)) = path.split_first() else {
        return Value::Null;
    };
    match root.as_str() {
        "data" => descend(data, path),
        "metadata" => descend(&event.metadata, path),
        "type" => event.name.raw().into(),
        "id" => Value::from(&*event.id),
        "timestamp" => event.timestamp.to_string().into(),
        "source" => Value::from(&*event.source),
        "project_id" => event.project_id.as_deref().into(),
        "change_type" => event.name.change_type().into(),
        _ => Value::Null,
    }
}

fn descend(object: &Object, path: &[String]) -> Value {
    let Some((key, path)) = path.split_first() else {
        return Value::Object(object.clone());
    };
    let mut value = object.get(key);
    for key in path {
        value = value.and_then(|v| v.get(key));
    }
    value.cloned().unwrap_or(Value::Null)
}
