//! Calls of models, as their events tell them, and the update of several calls of one agent.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::event::{Event, EventName, Object};

/// The keys of a call's id and of its model.
const CALL: [&str; 2] = ["call_id", "callId"];
const MODEL: [&str; 3] = ["model", "model_name", "modelName"];

/// The key of the calls that a coalesced update tells of. No producer's field has it: data that is coalesced has the
/// server's own list there.
pub(super) const CALLS: &str = "\u{1}calls";

/// The key of the agent's name.
const NAME: &str = "agent_name";

/// The name of the model.
pub(crate) fn model_name(data: &Object) -> Option<&str> {
    let mut names = MODEL.iter().filter_map(|key| data.get(*key)?.as_str());
    names.find(|name| !name.is_empty())
}

fn own_id(data: &Object) -> Option<Cow<'_, str>> {
    CALL.iter().find_map(|key| match data.get(*key)? {
        Value::String(id) if !id.is_empty() => Some(Cow::from(id)),
        Value::Number(id) => Some(id.to_string().into()),
        _ => None,
    })
}

/// The id of the call; the model's name stands for one that has none.
pub(crate) fn model_call_id(data: &Object) -> Option<Cow<'_, str>> {
    own_id(data).or_else(|| model_name(data).map(Cow::from))
}

/// The status of a call after an event of it; none for other events of the family.
pub(crate) fn model_status(name: &EventName) -> Option<&'static str> {
    match name.canonical() {
        "llm.started" => Some("running"),
        "llm.completed" => Some("completed"),
        "llm.failed" => Some("failed"),
        _ => None,
    }
}

/// Whether an event sums up calls in the place of telling of one.
pub(crate) fn is_total(data: &Object) -> bool {
    match data.get("total") {
        Some(Value::Bool(total)) => *total,
        Some(Value::String(total)) => total == "true",
        _ => false,
    }
}

/// The call that an event tells of, as the state keeps it while it goes on.
pub(crate) fn model_call(event: &Event) -> Option<Value> {
    Some(json!({
        "call_id": model_call_id(&event.data)?,
        "model": model_name(&event.data),
        "task_id": event.task_id(),
        "started_at": event.timestamp.to_string(),
    }))
}

/// A line of the list of calls.
fn line(event: &Event) -> Option<Value> {
    if is_total(&event.data) {
        return None;
    }
    let status = model_status(&event.name)?;
    match status {
        "running" => {
            let mut call = model_call(event)?;
            call["status"] = status.into();
            Some(call)
        }
        _ => Some(json!({ "call_id": model_call_id(&event.data)?, "status": status })),
    }
}

/// The most calls that one update tells of: each further event is compared with all of them.
const MOST_CALLS: usize = 64;

/// Whether an update of several calls has no room for another one.
pub(crate) fn model_calls_full(data: &Object) -> bool {
    let lines = data.get(CALLS).and_then(Value::as_array);
    lines.is_some_and(|lines| lines.len() >= MOST_CALLS)
}

/// Adds a call to the list, as it stands now. The end of one that began within the list is told too: who hears it may have
/// known a call of that id before.
fn put(lines: &mut Vec<Value>, event: &Event) {
    let Some(line) = line(event) else { return };
    lines.retain(|l| l["call_id"] != line["call_id"]);
    lines.push(line);
}

/// The data of an update of several calls of one agent: that of the last event, and the calls that all of them tell of.
/// `earlier` is the data that was coalesced before `later`, or none if that is only the event `first`. The number is that
/// of the calls.
pub(crate) fn join_calls(earlier: Option<Object>, first: &Event, later: &Event) -> (Object, usize) {
    let mut lines = Vec::new();
    let name = earlier.as_ref().unwrap_or(&first.data).get(NAME).cloned();
    match earlier.and_then(|mut data| data.remove(CALLS)) {
        Some(Value::Array(before)) => lines = before,
        _ => put(&mut lines, first),
    }
    put(&mut lines, later);
    let (mut data, calls) = (later.data.clone(), lines.len());
    // Only the first event of an agent may say how it is called.
    if let Some(name) = name.filter(|_| !data.get(NAME).is_some_and(Value::is_string)) {
        data.insert(NAME.into(), name);
    }
    data.insert(CALLS.into(), lines.into());
    (data, calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &Value) -> Event {
        Event::new(
            EventName::new(name),
            data.as_object().cloned().unwrap_or_default(),
        )
    }

    #[test]
    fn several_calls_are_told_as_they_stand_at_the_end() {
        let call = |id: &str| json!({ "call_id": id, "model": "m", CALLS: "made up" });
        let events = [
            event("llm.started", &call("a")),
            event("llm.started", &call("b")),
            event("llm.completed", &call("before")),
            event("llm.completed", &call("b")),
            event(
                "llm.completed",
                &json!({ "model": "m", "total": true, "input_tokens": 5 }),
            ),
        ];
        let (mut data, mut first) = (None, &events[0]);
        for later in &events[1..] {
            data = Some(join_calls(data, first, later).0);
            first = later;
        }
        let data = data.unwrap();
        let lines = data[CALLS].as_array().unwrap();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line["call_id"].as_str(), line["status"].as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Some("a"), Some("running")),
                (Some("before"), Some("completed")),
                (Some("b"), Some("completed"))
            ]
        );
        assert_eq!(data["input_tokens"], 5, "the last event's own data");
    }

    #[test]
    fn an_update_tells_of_so_many_calls_and_no_more() {
        let call = |id: usize| {
            event(
                "llm.started",
                &json!({ "call_id": id.to_string(), "model": "m" }),
            )
        };
        let (mut data, _) = join_calls(None, &call(0), &call(1));
        for id in 2..MOST_CALLS {
            assert!(!model_calls_full(&data));
            data = join_calls(Some(data), &call(0), &call(id)).0;
        }
        assert!(model_calls_full(&data));
    }

    #[test]
    fn the_name_of_the_agent_is_told_if_any_of_the_events_says_it() {
        let named = event("llm.started", &json!({ "model": "m", "agent_name": "Ada" }));
        let other = event("llm.started", &json!({ "model": "n" }));
        let (data, _) = join_calls(None, &named, &other);
        let (data, _) = join_calls(Some(data), &other, &other);
        assert_eq!(data["agent_name"], "Ada");
        let (data, _) = join_calls(None, &other, &named);
        assert_eq!(data["agent_name"], "Ada");
    }

    #[test]
    fn a_call_without_an_id_goes_by_its_model_and_its_end_is_told() {
        let named = |name: &str| event(name, &json!({ "model": "m" }));
        let (data, calls) = join_calls(None, &named("llm.started"), &named("llm.failed"));
        assert_eq!((calls, &data[CALLS][0]["status"]), (1, &json!("failed")));
    }
}
