//! Updates in the pipeline's shape: as they are everywhere, with their times in seconds since 1970.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    delivery::{Outgoing, Shape, WireMessage},
    doors::{queue::Wire, websocket::shaped::shaped},
    error::Error,
    event::Object,
    timestamp::Timestamp,
};

/// The fields of a message that are times.
const TIMES: [&str; 2] = ["timestamp", "server_time"];

/// The pipeline's shape.
#[derive(Debug)]
pub(super) struct InSeconds;

pub(super) static IN_SECONDS: InSeconds = InSeconds;

impl Wire for InSeconds {
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>> {
        shaped(update, Shape::Pipeline, |name, fields| {
            Some(match name {
                "batch" => batch(fields),
                _ => in_seconds(name, fields),
            })
        })
    }

    fn refusal(&self, refusal: &Error, room: Option<&str>) -> Object {
        in_seconds("error", refusal.to_event(room))
    }
}

/// The seconds since 1970, with milliseconds.
pub(super) fn now() -> Value {
    seconds(Timestamp::now().as_micros().div_euclid(1_000))
}

fn seconds(millis: i64) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = millis as f64 / 1_000.0;
    json!(seconds)
}

/// A message with its own times as seconds; times inside of the data stay as their producer wrote them.
pub(super) fn in_seconds(name: &str, mut fields: Object) -> Object {
    for key in TIMES {
        if let Some(time) = fields.get_mut(key)
            && let Some(at) = time
                .as_str()
                .and_then(|t| t.parse::<jiff::Timestamp>().ok())
        {
            *time = seconds(at.as_millisecond());
        }
    }
    fields.entry("type").or_insert_with(|| name.into());
    fields
}

/// A batch: its updates stand in it as they would alone.
fn batch(mut fields: Object) -> Object {
    if let Some(Value::Array(updates)) = fields.get_mut("updates") {
        for update in updates {
            let name = update.get("event").and_then(Value::as_str);
            let name = name.unwrap_or_default().to_owned();
            // One in an application's own shape stays as it is, beside its name.
            if update.get("envelope") == Some(&Value::Bool(false)) {
                let payload = update.get_mut("payload").map(Value::take);
                *update = json!({ "type": name, "payload": payload });
            } else if let Some(Value::Object(payload)) = update.get_mut("payload").map(Value::take)
            {
                *update = Value::Object(in_seconds(&name, payload));
            }
        }
    }
    in_seconds("batch", fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_and_the_data_stays_as_it_is() {
        let fields = json!({ "timestamp": "2021-06-11T15:27:36.789Z", "data": { "timestamp": "2021-06-11T15:27:36Z" } });
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        let shaped = Value::Object(in_seconds("agent_update", fields));
        assert_eq!(shaped["timestamp"], json!(1_623_425_256.789));
        assert_eq!(shaped["type"], "agent_update");
        assert_eq!(shaped["data"]["timestamp"], "2021-06-11T15:27:36Z");
    }

    #[test]
    fn a_time_that_no_clock_shows_stays_a_text() {
        let mut fields = Object::new();
        fields.insert("timestamp".into(), "never".into());
        assert_eq!(in_seconds("x", fields)["timestamp"], "never");
    }
}
