//! Requests that are made to cost much: work is counted in things that are looked at, and memory in what is kept.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::*;
use crate::{config::Content, translate::Words};

const LIMITS: ReadLimits = ReadLimits {
    spans: 100_000,
    attributes: 128,
    depth: 32,
    values: 4_096,
    texts: true,
};
/// Spans that are taken together, as the door does it.
pub(super) const BATCH: usize = 64;

pub(super) fn memory(content: Content) -> Memory {
    Memory::new(MemoryLimits {
        wait: Duration::from_secs(60),
        waiting_bytes: 1 << 24,
        keep: Duration::from_secs(600),
        words: Words(content),
    })
}

/// A span of trace 7 that lasts until so many milliseconds.
pub(super) fn span(id: u64, parent: u64, end: u64, attributes: &[(&str, &str)]) -> Value {
    let attributes = attributes
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }));
    let parent = if parent == 0 {
        String::new()
    } else {
        format!("{parent:016x}")
    };
    json!({
        "traceId": format!("{:032x}", 7), "spanId": format!("{id:016x}"), "parentSpanId": parent, "name": "x",
        "startTimeUnixNano": (1_000_000 + id).to_string(), "endTimeUnixNano": (end * 1_000_000).to_string(),
        "attributes": attributes.collect::<Vec<_>>(),
    })
}

pub(super) fn request(spans: &[Value]) -> Request {
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    read_json(body.to_string().as_bytes(), &LIMITS).unwrap()
}

pub(super) fn read(spans: &[Value]) -> Vec<Span> {
    let request = request(spans);
    assert_eq!((request.odd, request.nameless), (0, 0));
    request.spans
}

pub(super) fn agent(name: &str) -> [(&str, &str); 2] {
    [
        ("gen_ai.operation.name", "invoke_agent"),
        ("gen_ai.agent.name", name),
    ]
}

fn chat(name: &str) -> [(&str, &str); 2] {
    [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.agent.name", name),
    ]
}

pub(super) const NAMELESS: [(&str, &str); 1] = [("gen_ai.operation.name", "chat")];

/// Takes spans, so many together; the events.
pub(super) fn told(memory: &mut Memory, spans: &[Span], together: usize) -> Vec<Value> {
    let mut events = Vec::new();
    for some in spans.chunks(together) {
        let mut taking = Taking::default();
        memory.take_all(some, Instant::now(), &mut taking, |_| {});
        memory.commit();
        events.extend(taking.into_events().map(|(event, _)| event.into_json()));
    }
    events
}

pub(super) fn named<'v>(events: &'v [Value], name: &str) -> Vec<&'v Value> {
    events
        .iter()
        .filter(|event| event["type"] == name)
        .collect()
}

/// The last event of each agent, task and run, and the calls.
fn last(events: &[Value]) -> BTreeMap<String, Value> {
    let mut last = BTreeMap::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        let data = &event["data"];
        let key = match kind.split_once('.').unwrap() {
            ("agent", "status.changed") => {
                format!("agent {} {}", event["project_id"], data["agent_id"])
            }
            ("task", _) => format!("task {}", data["task_id"]),
            ("workflow", _) => format!("run {} {}", event["project_id"], data["run_id"]),
            _ => format!("{kind} {}", event["id"]),
        };
        let value = match kind {
            "agent.status.changed" => data["new_status"].clone(),
            "task.updated" => continue,
            "workflow.run.updated" => continue,
            _ => json!([kind, data]),
        };
        if key.starts_with("run") || key.starts_with("task") {
            last.insert(key, kind.into());
        } else {
            last.insert(key, value);
        }
    }
    last
}

#[test]
fn many_agents_of_one_trace_cost_each_once() {
    for is_root_first in [true, false] {
        let mut all: Vec<Value> = (0..3_000)
            .map(|n| span(10 + n, 1, 2, &chat(&format!("a{n}"))))
            .collect();
        let at = if is_root_first { 0 } else { all.len() };
        let mut root = span(1, 0, 9, &agent("root"));
        root["startTimeUnixNano"] = if is_root_first { "1" } else { "1500000" }.into();
        all.insert(at, root);
        let mut memory = memory(Content::Preview);
        let events = told(&mut memory, &read(&all), BATCH);
        assert_eq!(named(&events, "llm.completed").len(), 3_000);
        assert!(memory.looked < 5 * all.len(), "{}", memory.looked);
        let last = last(&events);
        let agents: Vec<_> = last
            .iter()
            .filter(|(key, _)| key.starts_with("agent \""))
            .collect();
        assert_eq!(agents.len(), 3_001);
        assert!(agents.iter().all(|(_, status)| *status == "idle"));
    }
}

#[test]
fn many_projects_and_tasks_of_one_trace_cost_each_once() {
    let all: Vec<Value> = (0..2_000)
        .map(|n| {
            let project = format!("p{n}");
            let mut attributes = agent("same").to_vec();
            attributes.push(("stoa.project_id", &project));
            // Each is a root that lasts longer than all before it.
            span(10 + n, 0, 10 + n, &attributes)
        })
        .collect();
    let mut memory = memory(Content::Preview);
    let spans = read(&all);
    let events = told(&mut memory, &spans, BATCH);
    assert_eq!(named(&events, "task.completed").len(), 2_000);
    assert_eq!(named(&events, "workflow.run.started").len(), 16);
    assert_eq!(memory.take_runless(), 2_000 - 16);
    assert_eq!(memory.take_runless(), 0);
    assert!(memory.looked < 5 * all.len(), "{}", memory.looked);
    // Sixteen runs learn of each end that lasts longer, but only once for all spans that are taken together.
    let updates = named(&events, "workflow.run.updated").len();
    assert!(updates <= 16 * (spans.len() / BATCH + 1), "{updates}");
}

#[test]
fn many_that_wait_below_a_chain_are_moved_together() {
    let count = 2_000;
    let waits = (0..count).map(|n| span(10 + n, 100_000, 9, &NAMELESS));
    // Hand-offs wait too.
    let handed = (0..count).map(|n| span(50_000 + n, 100_000, 9, &agent("ada")));
    let link = |n: u64, above: u64| span(100_000 + n, above, 9, &[]);
    let links = (0..count).map(|n| link(n, 100_001 + n));
    let all: Vec<Value> = waits.chain(handed).chain(links).collect();
    let mut memory = memory(Content::Preview);
    let events = told(&mut memory, &read(&all), BATCH);
    assert_eq!(named(&events, "llm.completed").len(), 0);
    assert!(memory.looked < 5 * all.len(), "{}", memory.looked);
    let top = read(&[span(100_000 + count, 0, 99, &agent("root"))]);
    let events = told(&mut memory, &top, BATCH);
    // Two thousand links are more than are looked at, so all of them go without an agent.
    assert_eq!(memory.deadline(), None);
    let llm = named(&events, "llm.completed");
    assert_eq!(llm.len() as u64, count);

    // Below a chain of usual length they find it.
    let mut memory = self::memory(Content::Preview);
    let chain = (0..50).map(|n| link(n, 100_001 + n));
    let mut all: Vec<Value> = vec![
        span(10, 100_000, 9, &NAMELESS),
        span(11, 100_000, 9, &agent("ada")),
    ];
    all.extend(chain);
    all.push(span(100_050, 0, 99, &agent("root")));
    let events = told(&mut memory, &read(&all), 1);
    let llm = &named(&events, "llm.completed")[0]["data"];
    assert_eq!(llm["agent_id"], "default:root");
    let handed = &named(&events, "agent.handoff")[0]["data"];
    assert_eq!(
        (&handed["from_agent_id"], &handed["to_agent_id"]),
        (&json!("default:root"), &json!("default:ada"))
    );
}

/// A node of a graph that asks so many questions.
fn asks(n: u64, count: u64) -> Value {
    let place = [
        ("traceloop.span.kind", "task"),
        ("traceloop.entity.name", "writer"),
        ("traceloop.association.properties.langgraph_node", "writer"),
        (
            "traceloop.association.properties.langgraph_checkpoint_ns",
            "writer:1",
        ),
    ];
    let mut asks = span(n, 5, 0, &place);
    asks["startTimeUnixNano"] = (n * 1_000).to_string().into();
    asks["endTimeUnixNano"] = (n * 1_000 + 1).to_string().into();
    let one = |k: u64| format!("Interrupt(value='Go on?', id='q{n}.{k}'),");
    let all: String = (0..count).map(one).collect();
    asks["status"] = json!({ "code": 2, "message": format!("({all})") });
    asks
}

#[test]
fn a_task_of_many_questions_is_looked_at_where_it_changed() {
    let all: Vec<Value> = (1..=500).map(|n| asks(n, 16)).collect();
    let mut memory = memory(Content::Preview);
    let events = told(&mut memory, &read(&all), BATCH);
    assert_eq!(named(&events, "input.requested").len(), 500 * 16);
    assert_eq!(named(&events, "input.received").len(), 499 * 16);
    assert!(memory.looked < 6 * all.len(), "{}", memory.looked);
    // Events that were told in vain are told again.
    let mut memory = self::memory(Content::Preview);
    let spans = read(&all[..3]);
    told(&mut memory, &spans[..1], 1);
    let mut taking = Taking::default();
    memory.take_all(&spans[1..], Instant::now(), &mut taking, |_| {});
    memory.roll_back();
    let events = told(&mut memory, &spans[1..], BATCH);
    assert_eq!(named(&events, "input.requested").len(), 32);
    assert_eq!(named(&events, "input.received").len(), 32);
}

/// A team of every kind of span, the children before their parents.
fn team() -> Vec<Span> {
    let mut all = Vec::new();
    for n in 0..40 {
        let name = format!("a{}", n % 5);
        let project = format!("p{}", n % 3);
        let mut attributes = agent(&name).to_vec();
        attributes.push(("stoa.project_id", &project));
        all.push(span(100 + n, 300 + n % 7, 20 + n, &attributes));
        all.push(span(200 + n, 100 + n, 10 + n, &chat(&name)));
        all.push(span(400 + n, 300 + n % 7, 5 + n, &NAMELESS));
    }
    for n in 0..7 {
        all.push(span(300 + n, 1, 90, &[]));
    }
    all.push(span(1, 0, 99, &agent("root")));
    let mut spans = read(&all);
    spans.reverse();
    spans
}

#[test]
fn it_is_the_same_however_many_are_taken_together() {
    let spans = team();
    let alone = told(&mut memory(Content::Preview), &spans, 1);
    assert!(named(&alone, "agent.handoff").len() >= 40);
    let alone = last(&alone);
    for together in [2, 3, 7, 64, spans.len()] {
        let events = told(&mut memory(Content::Preview), &spans, together);
        assert_eq!(alone, last(&events), "{together}");
    }
    // And when every second taking is in vain.
    let mut memory = memory(Content::Preview);
    let mut events = Vec::new();
    for some in spans.chunks(9) {
        memory.take_all(some, Instant::now(), &mut Taking::default(), |_| {});
        memory.roll_back();
        events.extend(told(&mut memory, some, some.len()));
        let mut taking = Taking::default();
        memory.overdue(Instant::now(), &mut taking);
        memory.commit();
        events.extend(taking.into_events().map(|(event, _)| event.into_json()));
    }
    assert_eq!(alone, last(&events));
}

#[test]
fn a_hand_off_told_in_vain_by_a_mere_link_is_told_again() {
    let mut memory = memory(Content::Preview);
    let below = read(&[span(3, 2, 9, &agent("ada")), span(1, 0, 99, &agent("root"))]);
    assert!(named(&told(&mut memory, &below, 1), "agent.handoff").is_empty());
    let link = read(&[span(2, 1, 9, &[])]);
    let mut taking = Taking::default();
    memory.take_all(&link, Instant::now(), &mut taking, |_| {});
    assert_eq!(taking.len(), 1);
    memory.roll_back();
    let events = told(&mut memory, &link, 1);
    assert_eq!(named(&events, "agent.handoff").len(), 1);
    assert!(told(&mut memory, &link, 1).is_empty());
}

#[test]
fn texts_of_errors_are_kept_as_far_as_they_are_told() {
    let long = "x".repeat(200_000);
    let fails = |n: u64, message: &str| {
        let mut fails = span(n, 0, 9, &agent("ada"));
        fails["traceId"] = format!("{n:032x}").into();
        fails["status"] = json!({ "code": 2, "message": message });
        fails
    };
    let asks = format!("(Interrupt(value='{long}', id='a'),)");
    for (content, most) in [
        (Content::None, 2_000),
        (Content::Preview, 4_000),
        (Content::Full, 50_000),
    ] {
        for message in [&long, &asks] {
            let mut memory = memory(content);
            let spans = read(&[fails(1, message)]);
            let events = told(&mut memory, &spans, 1);
            assert!(Value::from(events).to_string().len() < 60_000);
            assert!(memory.held() < most, "{}", memory.held());
            let kept = format!("{memory:?}");
            assert!(kept.len() < 3 * most + 8_000, "{}", kept.len());
        }
    }
    // The memory is bounded in bytes, and counts to nothing when all is forgotten.
    let mut memory = memory(Content::Full);
    let all: Vec<Value> = (1..=100).map(|n| fails(n, &long[..20_000])).collect();
    told(&mut memory, &read(&all), BATCH);
    assert!(memory.held() > 100 * 16_000);
    let forgotten = memory.shrink(1_000_000);
    assert!(memory.held() <= 1_000_000);
    assert_eq!(memory.len(), 100 - forgotten);
    assert!(memory.len() > 10);
    memory.forget(Instant::now(), 0);
    assert_eq!(
        (memory.held(), memory.agents.len(), memory.tasks.len()),
        (0, 0, 0)
    );
}

#[test]
fn what_waits_is_not_lost_when_agents_are_forgotten() {
    let mut memory = memory(Content::Preview);
    told(&mut memory, &read(&[span(5, 6, 9, &NAMELESS)]), 1);
    let all: Vec<Value> = (0..300)
        .map(|n| span(10 + n, 0, 9, &chat(&format!("a{n}"))))
        .collect();
    told(&mut memory, &read(&all), BATCH);
    memory.forget(Instant::now(), 100);
    assert_eq!((memory.len(), memory.agents.len()), (100, 100));
    assert!(memory.deadline().is_some());
    let (mut taking, far) = (Taking::default(), Instant::now() + Duration::from_secs(61));
    assert_eq!(memory.overdue(far, &mut taking), 1);
    let events: Vec<Value> = taking
        .into_events()
        .map(|(event, _)| event.into_json())
        .collect();
    assert_eq!(named(&events, "llm.completed").len(), 1);
}

#[test]
fn an_endless_trace_holds_no_more_than_is_remembered() {
    let mut memory = memory(Content::Preview);
    let mut id = 10;
    for _ in 0..20 {
        let mut all = Vec::new();
        for _ in 0..200 {
            id += 2;
            let (name, project) = (format!("a{id}"), format!("p{id}"));
            let mut attributes = agent(&name).to_vec();
            attributes.push(("stoa.project_id", &project));
            all.push(span(id, 1_000_000 + id, 9, &attributes));
            all.push(span(id + 1, 2_000_000 + id, 9, &NAMELESS));
        }
        told(&mut memory, &read(&all), BATCH);
        let far = Instant::now() + Duration::from_secs(61);
        memory.overdue(far, &mut Taking::default());
        memory.commit();
        memory.forget(Instant::now(), 100);
        let trace = memory.traces.values().next().unwrap();
        assert_eq!((memory.traces.len(), trace.spans.len()), (1, 100));
        assert!(trace.waiters.len() <= 204, "{}", trace.waiters.len());
        assert_eq!((trace.handed.len(), trace.agents.len()), (50, 50));
        assert_eq!((trace.tasks.len(), memory.tasks.len()), (50, 50));
        assert_eq!((memory.agents.len(), trace.at_work.len()), (50, 50));
        assert!(trace.runs.len() <= 16 && memory.projects.len() <= 1_200);
        assert!(memory.held() < 200_000, "{}", memory.held());
    }
    // Spans that were sent when they began, and whose parents have none, make no traces.
    let pending = (0..50).map(|n| {
        let mut pending = span(1 + n, 0, 9, &[("logfire.span_type", "pending_span")]);
        pending["traceId"] = format!("{:032x}", 1_000 + n).into();
        pending
    });
    told(&mut memory, &read(&pending.collect::<Vec<_>>()), BATCH);
    assert_eq!(memory.traces.len(), 1);
}
