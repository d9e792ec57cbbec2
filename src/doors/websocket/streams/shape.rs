//! The shape of the streams' events: `{type, job|run|step|nodeState|message, timestamp, errorMessage?}`, and for all
//! other events `{type, data, timestamp}`.

use serde_json::Value;

use crate::{delivery::Outgoing, doors::websocket::shaped::whole, event::Object};

/// Fields of an update that its event in the stream has too.
const COMMON: [&str; 5] = ["timestamp", "id", "cursor", "source_type", "coalesced"];
/// Fields that an update has in its data whether or not the producer said them.
const FILLED: [&str; 17] = [
    "execution_id",
    "run_id",
    "job_id",
    "node_id",
    "node_execution_id",
    "node_name",
    "message",
    "message_id",
    "role",
    "content",
    "status",
    "stage",
    "progress",
    "progress_percentage",
    "completed_nodes",
    "total_nodes",
    "current_node",
];
/// Keys of a text that is appended.
const TEXT: [&str; 3] = ["content", "delta", "text"];

/// An update as an event of the streams, in JSON. A message that tells of no event stays as it is, with its name.
pub(super) fn text(update: &Outgoing) -> String {
    let read = || {
        let event = update.event_type()?;
        let fields = serde_json::from_str::<Object>(&update.json).ok()?;
        Some(Value::Object(event_of(event, fields)).to_string())
    };
    read().unwrap_or_else(|| whole(update))
}

/// The type as the event services write it.
fn own_name(event: &str) -> &str {
    match event {
        "workflow.node.state.updated" => "workflow.node_state.updated",
        other => other,
    }
}

fn event_of(event: &str, mut fields: Object) -> Object {
    let mut out = Object::new();
    out.insert("type".into(), own_name(event).into());
    let data = match fields.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Object::new(),
    };
    let said = unfilled(data, fields.get("nulls"));
    let coalesced = fields.contains_key("coalesced");
    let failure = failure(event, &fields, &said);
    match subject(event) {
        Some("nodeState") => node(said, &mut out),
        Some(key) => {
            let object = object(key, said, coalesced);
            out.insert(key.into(), Value::Object(object));
        }
        None => drop(out.insert("data".into(), Value::Object(said))),
    }
    for key in COMMON {
        if let Some(value) = fields.remove(key) {
            out.insert(key.into(), value);
        }
    }
    if let Some(failure) = failure {
        out.insert("errorMessage".into(), failure);
    }
    out
}

/// The key of the thing that an event of these families is about.
fn subject(event: &str) -> Option<&'static str> {
    let mut words = event.split('.');
    Some(match (words.next()?, words.next()?, words.next()?) {
        ("ingest", "job", _) => "job",
        ("agent" | "workflow", "run", _) => "run",
        ("agent", "step", _) => "step",
        ("agent", "message" | "reasoning", _) => "message",
        ("workflow", "node", _) => "nodeState",
        _ => return None,
    })
}

/// The data as the producer said it: an update has `null` for fields of its table that nobody said.
fn unfilled(mut data: Object, nulls: Option<&Value>) -> Object {
    let nulls = nulls.and_then(Value::as_array);
    let is_said = |key: &str| nulls.is_some_and(|nulls| nulls.iter().any(|null| null == key));
    data.retain(|key, value| !value.is_null() || !FILLED.contains(&&**key) || is_said(key));
    data
}

/// The object that an event is about: the producer's own, or else its data.
fn object(key: &str, mut data: Object, coalesced: bool) -> Object {
    let mut own = match data.remove(key) {
        Some(Value::Object(own)) => own,
        Some(other) => {
            data.insert(key.into(), other);
            return data;
        }
        None => return data,
    };
    let is_message = key == "message";
    let lacks_text = is_message && !TEXT.iter().any(|key| own.contains_key(*key));
    // Of several events, one may have said beside the object what another said inside of it.
    for (key, value) in data {
        // The update says by itself what the event's name says of a text.
        let named = is_message && matches!(&*key, "kind" | "final");
        if coalesced || named || (lacks_text && matches!(&*key, "content" | "role")) {
            own.entry(key).or_insert(value);
        }
    }
    own
}

/// The state of a node: as an object, and its fields beside the type.
fn node(mut data: Object, out: &mut Object) {
    let own = ["nodeState", "node"].iter().find_map(|key| {
        let own = data.get(*key)?.as_object()?.clone();
        data.remove(*key);
        Some(own)
    });
    let state = own.unwrap_or_else(|| data.clone());
    for (key, value) in data.into_iter().chain(state.clone()) {
        if !COMMON.contains(&&*key) {
            out.entry(key).or_insert(value);
        }
    }
    out.insert("nodeState".into(), Value::Object(state));
}

/// The reason of a failure, where the producer gives one.
fn failure(event: &str, fields: &Object, said: &Object) -> Option<Value> {
    let given = fields.get("errorMessage").or(said.get("errorMessage"));
    let in_data = || {
        let failed = event.ends_with(".failed").then_some(said)?;
        let keys = ["error_message", "error"].iter();
        keys.filter_map(|key| failed.get(*key))
            .find(|reason| reason.is_string())
    };
    given
        .filter(|reason| !reason.is_null())
        .or_else(in_data)
        .cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(event: &str, update: Value) -> Value {
        let Value::Object(fields) = update else {
            return Value::Null;
        };
        Value::Object(event_of(event, fields))
    }

    #[test]
    fn what_the_producer_did_not_say_is_not_told() {
        let update = json!({ "type": "execution_update", "timestamp": "t", "id": "e", "cursor": "c", "nulls": ["stage"],
            "source_type": "workflow_run_updated", "priority": "normal", "run_status": "running",
            "data": { "execution_id": "r", "status": "running", "progress_percentage": null, "current_node": null, "stage": null, "x": null } });
        assert_eq!(
            of("workflow.run.updated", update),
            json!({ "type": "workflow.run.updated", "timestamp": "t", "id": "e", "cursor": "c", "source_type": "workflow_run_updated",
                "run": { "execution_id": "r", "status": "running", "stage": null, "x": null } })
        );
    }

    #[test]
    fn a_node_that_says_nothing_has_no_message() {
        let update =
            json!({ "id": "e", "timestamp": "t", "data": { "node_id": "n", "message": null } });
        let told = of("workflow.node.started", update);
        assert_eq!(told["nodeState"], json!({ "node_id": "n" }));
        assert!(told.get("message").is_none());
    }

    #[test]
    fn a_text_says_that_it_is_a_thought_and_whole() {
        let update = json!({ "data": { "message_id": "m", "kind": "reasoning", "final": true, "message": { "id": "m", "content": "Hm." } } });
        let told = of("agent.reasoning.appended", update);
        let message = json!({ "id": "m", "content": "Hm.", "kind": "reasoning", "final": true });
        assert_eq!(told["message"], message);
    }

    #[test]
    fn what_one_of_several_said_beside_the_object_is_in_it() {
        let update = json!({ "coalesced": 2, "data": { "job_id": "j", "stage": "B", "job": { "id": "j", "progress": 1 } } });
        let told = of("ingest.job.updated", update);
        let job = json!({ "id": "j", "progress": 1, "job_id": "j", "stage": "B" });
        assert_eq!(told["job"], job);
    }

    #[test]
    fn a_nodes_fields_take_the_place_of_none_of_the_events() {
        let state = json!({ "id": "n-7", "node_id": "n", "type": "tool", "timestamp": "then", "status": "running" });
        let update = json!({ "id": "e", "timestamp": "t", "data": { "node_id": "n", "status": "running", "nodeState": state } });
        let told = of("workflow.node.state.updated", update);
        assert_eq!(
            told,
            json!({ "type": "workflow.node_state.updated", "id": "e", "timestamp": "t", "node_id": "n", "status": "running", "nodeState": state })
        );
    }
}
