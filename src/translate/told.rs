//! An event that a translator makes, as a producer would have written it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::timestamp::Timestamp;

/// An event on its way to the intake.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    name: &'static str,
    id: Option<String>,
    at: Option<Timestamp>,
    project: Option<Arc<str>>,
    source: Option<Arc<str>>,
    data: Map<String, Value>,
}

impl Told {
    /// An event of this type.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            id: None,
            at: None,
            project: None,
            source: None,
            data: Map::new(),
        }
    }

    /// The same with an id, by which a repetition is found.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same with the time at which it happened; without one it is the time of its arrival.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// The same in a project, told by a part of a program.
    #[must_use]
    pub fn of(mut self, project: &Arc<str>, source: &Arc<str>) -> Self {
        self.project = Some(project.clone());
        self.source = Some(source.clone());
        self
    }

    /// The same with one more fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    /// The same with one more fact, if it is known.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Its type.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its JSON.
    pub fn into_json(self) -> Value {
        let mut event = Map::new();
        event.insert("type".into(), self.name.into());
        if let Some(id) = self.id {
            event.insert("id".into(), id.into());
        }
        if let Some(at) = self.at {
            event.insert("timestamp".into(), at.to_string().into());
        }
        if let Some(project) = self.project {
            event.insert("project_id".into(), (*project).into());
        }
        if let Some(source) = self.source {
            event.insert("source".into(), (*source).into());
        }
        event.insert("data".into(), Value::Object(self.data));
        Value::Object(event)
    }
}
