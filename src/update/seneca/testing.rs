//! Events for the tests of this module.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    event::{Dialect, Event, EventName},
    timestamp::Timestamp,
};

/// An event of `dialect` with these facts; its source is `data.source`, else `marcus`.
pub(crate) fn event(dialect: Dialect, name: &str, data: Value) -> Event {
    let Value::Object(data) = data else {
        panic!("data is an object")
    };
    Event {
        id: "e1".into(),
        timestamp: at("2026-05-23T14:00:00Z"),
        source: data
            .get("source")
            .and_then(Value::as_str)
            .unwrap_or("marcus")
            .into(),
        dialect,
        ..Event::new(EventName::new(name), data)
    }
}

/// The same at another time.
pub(crate) fn event_at(time: &str, name: &str, data: Value) -> Arc<Event> {
    Arc::new(Event {
        timestamp: at(time),
        ..event(Dialect::Canonical, name, data)
    })
}

/// A point in time.
pub(crate) fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_micros(instant.as_microsecond())
}

/// One line of a log directory or of the bus.
pub(crate) fn line(text: &str, number: usize) -> Arc<Event> {
    let Value::Object(mut record) = serde_json::from_str(text).unwrap() else {
        panic!("a line is an object")
    };
    let timestamp = record.remove("timestamp").unwrap();
    let mut parsed = if let Some(name) = record.remove("event") {
        event(Dialect::Conversation, name.as_str().unwrap(), record.into())
    } else if let Some(name) = record.remove("type") {
        event(Dialect::RealtimeLog, name.as_str().unwrap(), record.into())
    } else {
        let name = record.remove("event_type").unwrap();
        let mut bus = event(
            Dialect::Canonical,
            name.as_str().unwrap(),
            record["data"].take(),
        );
        bus.source = record["source"].as_str().unwrap().into();
        bus
    };
    parsed.timestamp = at(timestamp.as_str().unwrap());
    parsed.id = format!("line-{number}").into();
    Arc::new(parsed)
}

/// A recorded stream of `tests/data`.
pub(crate) fn stream(name: &str) -> Vec<Arc<Event>> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().enumerate().map(|(i, l)| line(l, i)).collect()
}
