//! Events as JSON again: for the journal, and for history.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{Dialect, Event, EventName, Ids, Object, Priority, Settled, fields};
use crate::{emission::Emission, error::Error, timestamp::Timestamp};

/// The stored form of an event, written without a copy of it.
#[derive(Serialize)]
struct Stored<'a> {
    /// Finds an event again that is published twice.
    id: &'a str,
    /// The written name, for observers.
    #[serde(rename = "type")]
    name: &'a str,
    /// The name that tables match; a dialect may have another one than the written.
    canonical: &'a str,
    /// The event's own time.
    timestamp: Timestamp,
    source: &'a str,
    /// The producer's wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    /// The facts.
    data: &'a Object,
    metadata: &'a Object,
    /// Seneca's lines are worded by it.
    dialect: &'a str,
    /// Tells a repetition from another event with the same id.
    #[serde(skip_serializing_if = "is_zero")]
    content: u64,
    /// The emission of an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    emission: Option<Value>,
}

/// The fields that are known only when the event is accepted, written after the others.
#[derive(Serialize)]
struct Kept<'a> {
    /// The settled project.
    project_id: Option<&'a str>,
    /// The other settled facts, which no later event changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<&'a Settled>,
}

/// Bytes of an ordinary event's text.
const USUAL_BYTES: usize = 768;

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Event {
    /// The canonical event for history, as the contract describes it.
    pub fn to_public(&self) -> Object {
        let mut out = Object::new();
        out.insert("id".into(), Value::from(&*self.id));
        out.insert("type".into(), self.name.raw().into());
        out.insert("timestamp".into(), self.timestamp.to_string().into());
        out.insert("source".into(), Value::from(&*self.source));
        out.insert("project_id".into(), self.project_id.as_deref().into());
        if !self.settled.producer.is_empty() {
            out.insert("producer".into(), Value::from(&*self.settled.producer));
        }
        if let Some(priority) = self.priority {
            out.insert("priority".into(), priority.as_str().into());
        }
        out.insert("data".into(), Value::Object(self.data.clone()));
        out.insert("metadata".into(), Value::Object(self.metadata.clone()));
        if let Some(emission) = &self.emission {
            out.insert("emission".into(), emission.to_public());
        }
        out
    }

    /// The whole event for the journal: [`Event::from_stored`] gives the same event back.
    pub fn to_stored(&self) -> String {
        let mut text = self.to_stored_unsettled();
        self.write_settled(&mut text);
        text
    }

    /// The same without the settled facts.
    pub fn to_stored_unsettled(&self) -> String {
        let stored = Stored {
            id: &self.id,
            name: self.name.raw(),
            canonical: self.name.canonical(),
            timestamp: self.timestamp,
            source: &self.source,
            priority: self.priority,
            data: &self.data,
            metadata: &self.metadata,
            dialect: self.dialect.as_str(),
            content: self.content,
            emission: self.emission.as_ref().map(|emission| emission.to_stored()),
        };
        // Nearly all events fit, with what is settled later: the text grows no more than once.
        let mut text = Vec::with_capacity(USUAL_BYTES);
        // Maps with text keys and JSON values: writing them can't fail.
        serde_json::to_writer(&mut text, &stored).ok();
        String::from_utf8(text).unwrap_or_default()
    }

    /// Completes the text of [`Event::to_stored_unsettled`] by the facts that were settled since.
    pub fn write_settled(&self, text: &mut String) {
        let kept = Kept {
            project_id: self.project_id.as_deref(),
            settled: (self.settled != Settled::default()).then_some(&self.settled),
        };
        let kept = serde_json::to_string(&kept).unwrap_or_default();
        // Two objects become one.
        text.pop();
        text.push(',');
        text.push_str(kept.get(1..).unwrap_or("}"));
    }

    /// Reads what [`Event::to_stored`] wrote.
    ///
    /// # Errors
    /// `unknown_shape` when it was not written by this program.
    pub fn from_stored(text: &str) -> Result<Self, Error> {
        let foreign = || Error::new("unknown_shape", "this is no stored event");
        let mut object: Object = serde_json::from_str(text).map_err(|_| foreign())?;
        let mut take = |key: &str| object.remove(key);
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => Ok(text),
            _ => Err(foreign()),
        };
        let map = |value: Option<Value>| match value {
            Some(Value::Object(map)) => Ok(map),
            _ => Err(foreign()),
        };
        let name = EventName::with_canonical(&text(take("type"))?, &text(take("canonical"))?);
        let emission = match take("emission") {
            Some(stored) => Some(Emission::of_stored(name.raw(), stored).ok_or_else(foreign)?),
            None => None,
        };
        let data = map(take("data"))?;
        let settled = match take("settled") {
            Some(settled) => serde_json::from_value(settled).map_err(|_| foreign())?,
            None => Settled::default(),
        };
        Ok(Self {
            id: text(take("id"))?.into(),
            ids: Ids::find(&data, name.family()),
            content: take("content").and_then(|v| v.as_u64()).unwrap_or(0),
            settled,
            emission: emission.map(Arc::new),
            name,
            timestamp: take("timestamp")
                .as_ref()
                .and_then(fields::read_timestamp)
                .ok_or_else(foreign)?,
            source: text(take("source"))?.into(),
            project_id: text(take("project_id")).ok().map(Into::into),
            priority: text(take("priority"))
                .ok()
                .as_deref()
                .and_then(Priority::from_name),
            data,
            metadata: map(take("metadata"))?,
            dialect: text(take("dialect"))?.parse().map_err(|_| foreign())?,
        })
    }
}

impl Dialect {
    /// The dialect's name in the journal.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
