//! The table row by row, rules, coalescing.

mod coalescing;
mod harmless;
mod joinable;
mod lean;
mod models;
mod plans;
mod rows;
mod rule_shapes;
mod rules;
mod running;
mod table;
mod texts;
mod vocabulary;

use std::time::Duration;

use serde_json::{Value, json};

use super::{Envelope, Planned, Table, TransformOptions, UpdateShape, render};
use crate::{
    channel::Listening,
    event::{Event, ParseContext, parse},
    timestamp::Timestamp,
};

const THROTTLE: Duration = Duration::from_millis(100);
const TEXT_THROTTLE: Duration = Duration::from_millis(33);
const USAGE_THROTTLE: Duration = Duration::from_secs(1);

fn table() -> Table {
    Table::new(TransformOptions {
        throttle: THROTTLE,
        text_throttle: TEXT_THROTTLE,
        usage_throttle: USAGE_THROTTLE,
        rules: Vec::new(),
    })
}

fn event(value: Value) -> Event {
    let intake = ParseContext {
        now: Timestamp::now(),
        producer: "test",
        max_depth: 32,
    };
    parse(value, &intake).expect("an event")
}

#[allow(clippy::needless_pass_by_value)]
fn of(name: &str, data: Value) -> Event {
    event(
        json!({ "type": name, "id": "e1", "timestamp": "2026-01-02T03:04:05.678Z", "source": "tests", "data": data }),
    )
}

fn shown(planned: &Planned, event: &Event) -> Value {
    let envelope = Envelope {
        cursor: "c",
        coalesced: 1,
        data: None,
        since: None,
    };
    let event = planned.event.as_deref().unwrap_or(event);
    serde_json::from_str(&render(planned, event, &envelope, UpdateShape::Full))
        .expect("an update is JSON")
}

fn plan(table: &Table, event: &Event) -> Vec<(Planned, Value)> {
    let planned = table.plan(event, Listening::NONE);
    planned
        .into_iter()
        .map(|p| (p.clone(), shown(&p, event)))
        .collect()
}
