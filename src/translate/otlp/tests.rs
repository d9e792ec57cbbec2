//! The recorded bodies in any order, and what no recording has: limits, faults, parents that come late or never.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::*;
use crate::{
    access::authz::Permissions,
    config::Content,
    event,
    ledger::{Ledger, Speaker},
    projections::state::{Limits, State},
    timestamp::Timestamp,
    translate::Words,
};

const LIMITS: ReadLimits = ReadLimits {
    spans: 10_000,
    attributes: 128,
    depth: 32,
    values: 4_096,
    texts: true,
};

fn memory(wait: u64) -> Memory {
    Memory::new(MemoryLimits {
        wait: Duration::from_secs(wait),
        waiting_bytes: 1 << 20,
        keep: Duration::from_secs(600),
        words: Words(Content::Preview),
    })
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/data/producers/{name}")).unwrap()
}

/// The recorded requests: those of Pydantic-AI in protobuf, those of LangGraph in JSON.
fn recorded() -> [(&'static str, Vec<Vec<Span>>); 2] {
    let protobuf = (1..=4).map(|n| {
        let body = file(&format!("otlp_pydantic_ai.0{n}.bin"));
        read_protobuf(&body, &LIMITS).unwrap().spans
    });
    let lines = file("otlp_langgraph_openinference.jsonl");
    let json = lines.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let json = json.map(|line| read_json(line, &LIMITS).unwrap().spans);
    [
        ("pydantic", protobuf.collect()),
        ("langgraph", json.collect()),
    ]
}

/// The events that requests give.
fn told(memory: &mut Memory, requests: Vec<Vec<Span>>) -> Vec<Value> {
    let mut all = Vec::new();
    for spans in requests {
        let mut taking = Taking::default();
        for span in spans {
            memory.take(&span, Instant::now(), &mut taking);
        }
        memory.commit();
        all.extend(taking.into_events().map(|(event, _)| event.into_json()));
    }
    all
}

/// The state that events give, without the time at which a project became known.
fn state(events: &[Value]) -> Value {
    let ledger = Ledger::new(10_000);
    let mut state = State::new(Limits::default());
    let nobody = "".into();
    for value in events {
        let context = event::ParseContext {
            now: Timestamp::from_micros(0),
            producer: "otlp",
            max_depth: 32,
        };
        let mut event = event::parse(value.clone(), &context).unwrap();
        event::check(&event).unwrap();
        let speaker = Speaker {
            producer: &nobody,
            projects: None,
        };
        ledger.settle(&mut event, speaker).unwrap();
        state.apply(&event);
    }
    let now = Timestamp::from_micros(0);
    let text = state.snapshot("c", now, None, &Permissions::everything());
    let mut state: Value = serde_json::from_str(&text).unwrap();
    // The count of events is the one thing that depends on how often the server had to correct itself.
    state["counts"]["events"] = Value::Null;
    state
}

/// The same list in another order, by a small generator.
fn shuffled<T>(mut list: Vec<T>, mut seed: u64) -> Vec<T> {
    for end in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        list.swap(end, (seed >> 33) as usize % (end + 1));
    }
    list
}

fn named<'v>(events: &'v [Value], name: &str) -> Vec<&'v Value> {
    events.iter().filter(|e| e["type"] == name).collect()
}

/// Two states, thing by thing: a difference is shown by itself.
fn same(left: &Value, right: &Value, what: &str) {
    for (key, value) in left.as_object().unwrap() {
        let Some(things) = value.as_object() else {
            assert_eq!(value, &right[key], "{what}: {key}");
            continue;
        };
        let ids: Vec<_> = right[key].as_object().unwrap().keys().collect();
        assert_eq!(things.keys().collect::<Vec<_>>(), ids, "{what}: {key}");
        for (id, thing) in things {
            assert_eq!(thing, &right[key][id], "{what}: {key}.{id}");
        }
    }
}

#[test]
fn the_state_is_the_same_in_whatever_order_spans_come() {
    for (name, requests) in recorded() {
        let one_by_one: Vec<Vec<Span>> = requests
            .iter()
            .flatten()
            .map(|span| vec![span.clone()])
            .collect();
        let together = vec![requests.iter().flatten().cloned().collect()];
        let whole = state(&told(&mut memory(60), requests.clone()));
        same(&whole, &state(&told(&mut memory(60), together)), name);
        for seed in 0..40 {
            let what = format!("{name}, shuffled by {seed}");
            let spans = shuffled(one_by_one.clone(), seed);
            same(&whole, &state(&told(&mut memory(60), spans)), &what);
        }
    }
}

#[test]
fn an_exporters_retry_tells_nothing_again() {
    for (name, requests) in recorded() {
        let mut memory = memory(60);
        let first = told(&mut memory, requests.clone());
        assert!(!first.is_empty());
        assert_eq!(told(&mut memory, requests), Vec::<Value>::new(), "{name}");
        let mut ids = BTreeMap::new();
        for event in &first {
            let before = ids.insert(event["id"].as_str().unwrap(), event);
            assert_eq!(before, None, "{name}");
        }
    }
}

#[test]
fn what_nobody_took_is_told_again() {
    for (name, requests) in recorded() {
        let whole = state(&told(&mut memory(60), requests.clone()));
        let mut memory = memory(60);
        let mut events = Vec::new();
        for spans in requests {
            for keeps in [false, true] {
                let mut taking = Taking::default();
                for span in &spans {
                    memory.take(span, Instant::now(), &mut taking);
                }
                if keeps {
                    memory.commit();
                    events.extend(taking.into_events().map(|(event, _)| event.into_json()));
                } else {
                    memory.roll_back();
                }
            }
        }
        same(&whole, &state(&events), name);
    }
}

#[test]
fn pydantic_ais_team_is_told() {
    let [(_, requests), _] = recorded();
    let events = told(&mut memory(60), requests);
    let state = state(&events);
    let agents = state["agents"].as_object().unwrap();
    let names: Vec<_> = agents.keys().map(String::as_str).collect();
    let all = ["concierge", "recipe_finder", "shopper"];
    assert_eq!(names, all.map(|name| format!("dinner-planner:{name}")));
    for agent in agents.values() {
        assert_eq!(agent["status"], "idle", "{agent}");
    }
    let tasks = state["tasks"].as_object().unwrap();
    assert_eq!(tasks.len(), 4);
    assert!(tasks.values().all(|task| task["status"] == "done"));
    let named_tasks: Vec<_> = tasks.values().map(|task| task["name"].clone()).collect();
    assert!(named_tasks.contains(&json!("Dinner for four, thai, at seven")));
    let runs = state["runs"].as_object().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.values().all(|run| run["status"] == "completed"));
    let session = "01a2194b-98f6-71f1-81e5-9ac86f5c03d9";
    assert!(runs.values().all(|run| run["session_id"] == session));
    assert_eq!(named(&events, "llm.completed").len(), 8);
    let tokens: u64 = named(&events, "llm.completed")
        .iter()
        .map(|event| event["data"]["input_tokens"].as_u64().unwrap())
        .sum();
    assert_eq!(tokens, 400, "no sum is added to what it is the sum of");
    let failed = named(&events, "tool.failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["data"]["attempt"], 1);
    assert_eq!(failed[0]["data"]["error_type"], "ToolRetryError");
    assert_eq!(named(&events, "tool.completed").len(), 6);
    let handed: Vec<_> = named(&events, "agent.handoff")
        .iter()
        .map(|event| event["data"]["to_agent_id"].clone())
        .collect();
    assert_eq!(handed.len(), 2);
    assert!(handed.contains(&json!("dinner-planner:shopper")));
    // These spans name their agent, so they don't wait for the one that names the task.
    for event in named(&events, "tool.completed") {
        assert!(event["data"]["agent_id"].is_string(), "{event}");
    }
    assert!(!named(&events, "agent.message.appended").is_empty());
}

#[test]
fn langgraphs_team_is_told() {
    let [_, (_, requests)] = recorded();
    let events = told(&mut memory(60), requests);
    let state = state(&events);
    let agents = state["agents"].as_object().unwrap();
    let names: Vec<_> = agents.keys().map(String::as_str).collect();
    let all = [
        "coordinator",
        "docs_researcher",
        "editor",
        "issue_analyst",
        "publisher",
        "writer",
    ];
    assert_eq!(names, all.map(|name| format!("release-team:{name}")));
    assert!(agents.values().all(|agent| agent["status"] == "idle"));
    let tasks = state["tasks"].as_object().unwrap();
    assert_eq!(tasks.len(), 6, "a retry and an answer go on with the task");
    assert!(tasks.values().all(|task| task["status"] == "done"));
    let of = |name: &str| tasks.values().find(|task| task["name"] == name).unwrap();
    assert_eq!(of("publisher")["attempt"], 2);
    assert_eq!(of("editor").get("attempt"), None);
    let asked = named(&events, "input.requested");
    assert_eq!(asked.len(), 1);
    let asked = &asked[0]["data"];
    assert_eq!(asked["message"], "Publish these release notes?");
    assert_eq!(asked["request_id"], "b80228a0acc5140b7d2a94073aefbbcd");
    let received = named(&events, "input.received");
    assert_eq!(received[0]["data"]["request_id"], asked["request_id"]);
    assert_eq!(named(&events, "task.blocked").len(), 1);
    assert_eq!(named(&events, "workflow.run.paused").len(), 1);
    assert_eq!(named(&events, "llm.completed").len(), 6);
    let projects = state["projects"].as_object().unwrap();
    assert_eq!(projects.keys().collect::<Vec<_>>(), ["releases"]);
    for event in named(&events, "tool.completed") {
        assert!(event["data"]["task_id"].is_string(), "{event}");
    }
}

/// A span of a team, in JSON.
fn span(id: u64, parent: u64, name: &str, at: (u64, u64), attributes: &Value) -> Value {
    let attributes = attributes.as_object().unwrap().iter().map(|(key, value)| {
        let value = match value {
            Value::Number(number) => json!({ "intValue": number.to_string() }),
            other => json!({ "stringValue": other }),
        };
        json!({ "key": key, "value": value })
    });
    json!({
        "traceId": format!("{:032x}", 7), "spanId": format!("{id:016x}"),
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
        "name": name, "startTimeUnixNano": (at.0 * 1_000_000).to_string(),
        "endTimeUnixNano": at.1 * 1_000_000, "attributes": attributes.collect::<Vec<_>>(),
        "unknown": [1, { "a": null }],
    })
}

fn request(spans: &[Value]) -> Vec<u8> {
    let resource = json!({ "attributes": [
        { "key": "service.name", "value": { "stringValue": "team" } }
    ] });
    let scope = json!([{ "spans": spans }]);
    let request = json!({ "resourceSpans": [{ "scopeSpans": scope, "resource": resource }] });
    request.to_string().into_bytes()
}

fn read(spans: &[Value]) -> Vec<Span> {
    read_json(&request(spans), &LIMITS).unwrap().spans
}

fn chat() -> Value {
    json!({ "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5 })
}

fn agent(name: &str) -> Value {
    json!({ "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name })
}

#[test]
fn a_child_waits_for_its_agent_and_then_goes_without() {
    let child = || read(&[span(2, 1, "chat", (2, 3), &chat())]);
    let above = || read(&[span(1, 9, "invoke_agent ada", (1, 4), &agent("ada"))]);
    let mut patient = memory(60);
    assert_eq!(told(&mut patient, vec![child()]).len(), 0);
    assert!(patient.deadline().is_some());
    let events = told(&mut patient, vec![above()]);
    let llm = named(&events, "llm.completed");
    assert_eq!(llm[0]["data"]["agent_id"], "team:ada");
    assert_eq!(llm[0]["data"]["task_id"], format!("{:032x}-{:016x}", 7, 1));
    assert!(patient.deadline().is_none());
    let mut late = memory(60);
    assert_eq!(told(&mut late, vec![child()]).len(), 0);
    let (mut taking, far) = (Taking::default(), Instant::now() + Duration::from_secs(61));
    assert_eq!(late.overdue(Instant::now(), &mut taking), 0);
    assert_eq!(late.overdue(far, &mut taking), 1);
    late.commit();
    let events: Vec<Value> = taking.into_events().map(|(e, _)| e.into_json()).collect();
    let llm = named(&events, "llm.completed");
    assert_eq!(llm[0]["data"].get("agent_id"), None);
    assert!(late.deadline().is_none());
    let events = told(&mut late, vec![above(), child()]);
    assert!(named(&events, "llm.completed").is_empty());
    // Spans that wait are bounded in bytes.
    let mut small = Memory::new(MemoryLimits {
        waiting_bytes: 1,
        ..memory(60).limits
    });
    assert_eq!(
        named(&told(&mut small, vec![child()]), "llm.completed").len(),
        1
    );
}

#[test]
fn an_agent_works_from_its_first_child_on_until_its_own_end() {
    let mut chat = chat();
    chat["gen_ai.agent.name"] = "ada".into();
    let mut memory = memory(60);
    let events = told(
        &mut memory,
        vec![read(&[span(2, 1, "chat", (2, 3), &chat)])],
    );
    let status = named(&events, "agent.status.changed");
    assert_eq!(status[0]["data"]["new_status"], "working");
    assert_eq!(named(&events, "workflow.run.started").len(), 1);
    let root = || read(&[span(1, 0, "invoke_agent ada", (1, 4), &agent("ada"))]);
    let events = told(&mut memory, vec![root()]);
    let status = named(&events, "agent.status.changed");
    assert_eq!(status[0]["data"]["new_status"], "idle");
    assert_eq!(named(&events, "workflow.run.completed").len(), 1);
    let late = read(&[span(3, 1, "chat", (2, 9), &chat)]);
    let events = told(&mut memory, vec![late]);
    assert!(named(&events, "agent.status.changed").is_empty());
}

#[test]
fn traceloop_says_the_same_in_its_own_words() {
    let inside = |more: Value| {
        let mut all = json!({
            "traceloop.association.properties.langgraph_node": "writer",
            "traceloop.association.properties.langgraph_checkpoint_ns": "writer:1",
            "traceloop.entity.name": "writer",
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let task = inside(json!({ "traceloop.span.kind": "task" }));
    let llm = inside(json!({
        "gen_ai.operation.name": "chat", "gen_ai.usage.prompt_tokens": 3,
        "gen_ai.request.model": "unknown", "gen_ai.completion.0.content": "Once",
    }));
    let mut failed = span(1, 5, "writer.task", (1, 4), &task);
    failed["status"] = json!({ "code": 2, "message": "(Interrupt(value='Go on?', id='q1'),)" });
    let spans = read(&[failed, span(2, 1, "chat", (2, 3), &llm)]);
    let events = told(&mut memory(60), vec![spans]);
    let asked = named(&events, "input.requested");
    assert_eq!(asked[0]["data"]["message"], "Go on?");
    assert_eq!(named(&events, "task.blocked").len(), 1);
    assert!(named(&events, "task.failed").is_empty());
    let llm = &named(&events, "llm.completed")[0]["data"];
    assert_eq!(llm["agent_id"], "team:writer");
    assert_eq!(llm["input_tokens"], 3);
    assert_eq!(llm.get("model"), None);
    let text = &named(&events, "agent.message.appended")[0]["data"];
    assert_eq!(text["content"], "Once");
}

#[test]
fn limits_leave_out_and_count() {
    let spans: Vec<Value> = (1..=5)
        .map(|id| span(id, 0, "x", (1, 2), &agent("ada")))
        .collect();
    let limits = ReadLimits {
        spans: 3,
        attributes: 1,
        ..LIMITS
    };
    let read = read_json(&request(&spans), &limits).unwrap();
    assert_eq!((read.spans.len(), read.cut.spans), (3, 2));
    assert_eq!(read.cut.attributes, 3);
    let mut deep = json!({ "stringValue": "x" });
    for _ in 0..40 {
        deep = json!({ "arrayValue": { "values": [deep] } });
    }
    let many = json!({ "arrayValue": { "values": vec![json!({ "intValue": 1 }); 5_000] } });
    for (value, cut) in [(deep, (1, 0)), (many, (0, 1))] {
        let mut odd = span(1, 0, "x", (1, 2), &json!({}));
        odd["attributes"] = json!([{ "key": "gen_ai.output.messages", "value": value }]);
        let read = read_json(&request(&[odd]), &LIMITS).unwrap();
        assert_eq!((read.cut.depth, read.cut.values), cut);
    }
    let mut nameless = span(1, 0, "x", (1, 2), &json!({}));
    nameless["traceId"] = "00".into();
    assert_eq!(
        read_json(&request(&[nameless]), &LIMITS).unwrap().nameless,
        1
    );
    for wrong in [
        "",
        "[",
        "{\"resourceSpans\": 4}",
        "{\"resourceSpans\": [4]}",
    ] {
        assert!(read_json(wrong.as_bytes(), &LIMITS).is_err(), "{wrong}");
    }
    assert!(read_json(b"{}", &LIMITS).is_ok());
    let good = file("otlp_pydantic_ai.03.bin");
    for end in [1, 2, 7, good.len() / 2, good.len() - 1] {
        assert!(read_protobuf(&good[..end], &LIMITS).is_err(), "{end}");
    }
    // A million empty spans in two megabytes take no memory of their own.
    let empty = [0x12, 0x00].repeat(1_000_000);
    let framed = |tag: u8, inner: &[u8]| {
        let mut out = vec![tag];
        prost::encoding::encode_varint(inner.len() as u64, &mut out);
        out.extend_from_slice(inner);
        out
    };
    let read = read_protobuf(&framed(0x0a, &framed(0x12, &empty)), &LIMITS).unwrap();
    assert_eq!((read.spans.len(), read.nameless), (0, 1_000_000));
}

#[test]
fn the_memory_is_bounded_in_spans_and_time() {
    let mut memory = memory(60);
    for id in 1..=50 {
        told(
            &mut memory,
            vec![read(&[span(id, 0, "x", (1, 2), &agent("ada"))])],
        );
    }
    assert_eq!(memory.len(), 50);
    assert_eq!(memory.forget(Instant::now(), 20), (30, 0));
    assert_eq!(memory.len(), 20);
    let far = Instant::now() + Duration::from_secs(601);
    assert_eq!(memory.forget(far, 20), (0, 20));
    assert!(memory.is_empty() && memory.agents.is_empty() && memory.tasks.is_empty());
}

#[test]
fn without_texts_none_is_taken_over() {
    let limits = ReadLimits {
        texts: false,
        ..LIMITS
    };
    let mut events = Vec::new();
    for n in 1..=4 {
        let body = file(&format!("otlp_pydantic_ai.0{n}.bin"));
        let spans = read_protobuf(&body, &limits).unwrap().spans;
        let mut memory = Memory::new(MemoryLimits {
            words: Words(Content::None),
            ..memory(0).limits
        });
        events.extend(told(&mut memory, vec![spans]));
    }
    assert!(events.len() > 30);
    let text = Value::from(events).to_string();
    for word in ["Dinner", "thai", "noodles", "4711", "required"] {
        assert!(!text.contains(word), "{word}");
    }
}
