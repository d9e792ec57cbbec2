//! Faults that only a part of a request has, and spans that could be taken for each other.

use serde_json::{Value, json};

use super::tests_load::{BATCH, NAMELESS, agent, memory, named, read, request, span, told};
use crate::config::Content;

#[test]
fn one_odd_field_costs_its_span_alone() {
    let good = span(1, 0, 9, &agent("ada"));
    for (field, odd) in [
        ("name", json!(5)),
        ("links", json!([null])),
        ("links", json!([{ "traceId": 5 }])),
        ("attributes", json!({})),
        ("status", json!({ "message": 5 })),
        ("events", json!("x")),
        ("traceId", json!(5)),
    ] {
        let mut bad = span(2, 0, 9, &agent("bad"));
        bad[field] = odd;
        let request = request(&[bad, good.clone()]);
        assert_eq!((request.spans.len(), request.odd), (1, 1), "{field}");
        assert!(request.fault.is_some());
    }
    // Numbers of 32 bits may be written as text, too.
    for (flags, is_remote) in [
        (json!("512"), true),
        (json!(512), true),
        (json!("257"), false),
        (Value::Null, false),
    ] {
        let mut flagged = span(2, 1, 9, &[]);
        flagged["flags"] = flags;
        assert_eq!(read(&[flagged])[0].is_local_root(), is_remote);
    }
}

#[test]
fn spans_of_one_id_in_two_traces_are_two() {
    let mut other = span(1, 0, 9, &agent("ada"));
    other["traceId"] = format!("{:032x}", 8).into();
    let mut call = span(2, 1, 9, &NAMELESS);
    let mut other_call = call.clone();
    other_call["traceId"] = format!("{:032x}", 8).into();
    for call in [&mut call, &mut other_call] {
        let said = json!([{ "role": "assistant", "parts": [{ "type": "text", "content": "Hi" }] }]);
        let said = json!({ "key": "gen_ai.output.messages", "value": { "stringValue": said.to_string() } });
        call["attributes"].as_array_mut().unwrap().push(said);
    }
    let all = [span(1, 0, 9, &agent("ada")), other, call, other_call];
    let events = told(&mut memory(Content::Preview), &read(&all), BATCH);
    for (name, key) in [
        ("task.assigned", "task_id"),
        ("llm.completed", "call_id"),
        ("agent.message.appended", "message_id"),
    ] {
        let found = named(&events, name);
        assert_eq!(found.len(), 2, "{name}");
        assert_ne!(found[0]["data"][key], found[1]["data"][key], "{name}");
        assert_ne!(found[0]["id"], found[1]["id"], "{name}");
    }
}

#[test]
fn values_in_a_text_that_is_json_count_too() {
    let many = format!("[{}1]", "[1],".repeat(6_000));
    let few = format!("[{}]", " ".repeat(20_000));
    for (key, text, cut) in [
        ("gen_ai.output.messages", &many, 1),
        ("metadata", &many, 1),
        ("gen_ai.output.messages", &few, 0),
        ("gen_ai.tool.call.result", &many, 0),
    ] {
        let request = request(&[span(1, 0, 9, &[(key, text)])]);
        assert_eq!((request.cut.values, request.spans.len()), (cut, 1), "{key}");
    }
    // A value counts with all that is in it.
    let mut lists = span(1, 0, 9, &[]);
    let list =
        json!({ "arrayValue": { "values": vec![json!({ "stringValue": "x".repeat(100) }); 100] } });
    lists["attributes"] = json!([{ "key": "gen_ai.output.messages", "value": list }]);
    assert!(read(&[lists])[0].held() > 10_000);
    let mut raises = span(1, 0, 9, &[]);
    let message =
        json!({ "key": "exception.message", "value": { "stringValue": "x".repeat(10_000) } });
    raises["events"] = json!([{ "name": "exception", "attributes": [message] }]);
    assert!(read(&[raises])[0].held() > 10_000);
}
