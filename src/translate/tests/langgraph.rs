//! Streams of LangGraph, in both of its languages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{facts, ids, kinds, named, read, recorded, texts, translator};
use crate::translate::Language;

#[test]
fn events_of_langgraph_show_nodes_as_agents_with_an_interrupt_and_a_retry() {
    let messages = recorded("langgraph_astream_events_v2.jsonl");
    let mut stream = translator(Language::LangGraph);
    let events = read(&mut stream, &messages);
    let agents: BTreeSet<_> = facts(&events, "agent.registered", "agent_id")
        .iter()
        .map(|a| a.as_str().unwrap().to_owned())
        .collect();
    let team = [
        "coordinator",
        "docs_researcher",
        "editor",
        "issue_analyst",
        "publisher",
        "writer",
    ];
    assert_eq!(agents, team.map(str::to_owned).into());
    assert_eq!(facts(&events, "task.assigned", "task_id").len(), 6);
    assert_eq!(facts(&events, "task.completed", "task_id").len(), 6);
    assert_eq!(facts(&events, "task.retried", "agent_id"), ["publisher"]);
    assert_eq!(facts(&events, "task.blocked", "agent_id"), ["editor"]);
    assert_eq!(
        facts(&events, "input.requested", "message"),
        ["Publish these release notes?"]
    );
    assert_eq!(
        facts(&events, "input.requested", "request_id"),
        facts(&events, "input.received", "request_id")
    );
    let run = &facts(&events, "workflow.run.started", "run_id")[0];
    for kind in [
        "workflow.run.paused",
        "workflow.run.resumed",
        "workflow.run.completed",
    ] {
        assert_eq!(
            &facts(&events, kind, "run_id"),
            std::slice::from_ref(run),
            "{kind}"
        );
    }
    assert_eq!(facts(&events, "tool.completed", "tool_name").len(), 3);
    assert!(
        facts(&events, "tool.completed", "result")
            .contains(&json!("open: 7, closed this month: 31"))
    );
    let by_docs = named(&events, "tool.started")
        .filter(|data| data["agent_id"] == "docs_researcher")
        .count();
    assert_eq!(by_docs, 2);
    let said: Vec<_> = texts(&events, "agent.message.appended")
        .into_values()
        .collect();
    assert!(
        said.contains(&"Plan: docs, issues, write, review, publish.".to_owned()),
        "{said:?}"
    );
    assert!(
        facts(&events, "llm.completed", "input_tokens")
            .iter()
            .all(Value::is_u64)
    );
    assert!(!stream.is_open());
    assert_eq!(ids(&events), ids(&read(&mut stream, &messages)));
}

#[test]
fn the_protocol_of_langgraph_is_read_as_it_comes_within_a_process() {
    let messages = recorded("langgraph_protocol_v3.jsonl");
    let mut stream = translator(Language::LangGraph);
    let mut events = read(&mut stream, &messages);
    assert_eq!(
        facts(&events, "agent.registered", "agent_id"),
        ["planner", "researcher"]
    );
    assert_eq!(
        facts(&events, "task.completed", "agent_id"),
        ["planner", "researcher"]
    );
    let said: Vec<_> = texts(&events, "agent.message.appended")
        .into_values()
        .collect();
    assert_eq!(said, ["Plan: look and write.", "A stoa is a walkway."]);
    assert_eq!(facts(&events, "input.requested", "message"), ["Publish?"]);
    let run = facts(&events, "workflow.run.started", "run_id");
    assert_eq!(facts(&events, "workflow.run.paused", "run_id"), run);
    assert_eq!(facts(&events, "workflow.run.resumed", "run_id"), run);
    events.extend(stream.end());
    assert_eq!(facts(&events, "workflow.run.completed", "run_id"), run);
    let again = read(&mut translator(Language::LangGraph), &messages);
    assert!(ids(&again).is_subset(&ids(&events)));
}

#[test]
fn the_protocol_of_langgraph_is_read_as_it_goes_over_the_wire() {
    let place = "writer:0a1b";
    let event = |seq: u64, method: &str, namespace: &[&str], data: Value| {
        json!({ "type": "event", "event_id": format!("e{seq}"), "seq": seq, "method": method,
            "params": { "namespace": namespace, "timestamp": 1_795_877_349_574_u64, "data": data } })
    };
    let messages = [
        event(
            1,
            "lifecycle",
            &[],
            json!({ "event": "running", "graph_name": "team" }),
        ),
        event(
            2,
            "tasks",
            &[],
            json!({ "id": "0a1b", "name": "writer", "input": {} }),
        ),
        event(
            3,
            "messages",
            &[place],
            json!({ "event": "message-start", "role": "ai", "id": "m1", "metadata": { "model": "small-1" } }),
        ),
        event(
            4,
            "messages",
            &[place],
            json!({ "event": "content-block-delta", "index": 0, "delta": { "type": "reasoning-delta", "reasoning": "Hm" } }),
        ),
        event(
            5,
            "messages",
            &[place],
            json!({ "event": "content-block-delta", "index": 0, "delta": { "type": "text-delta", "text": "Hello" } }),
        ),
        event(
            6,
            "messages",
            &[place],
            json!({ "event": "message-finish", "usage": { "input_tokens": 5, "output_tokens": 2 } }),
        ),
        event(
            7,
            "tools",
            &[place],
            json!({ "event": "tool-started", "tool_call_id": "c1", "tool_name": "search", "input": { "q": 1 } }),
        ),
        event(
            8,
            "tools",
            &[place],
            json!({ "event": "tool-error", "tool_call_id": "c1", "message": "no network" }),
        ),
        event(
            9,
            "input.requested",
            &[place],
            json!({ "interrupt_id": "i1", "payload": { "question": "Now?" } }),
        ),
        event(10, "lifecycle", &[], json!({ "event": "interrupted" })),
        event(11, "lifecycle", &[place], json!({ "event": "started" })),
        event(12, "custom", &[], json!({ "name": "note", "payload": 1 })),
        event(
            13,
            "tasks",
            &[],
            json!({ "id": "0a1b", "name": "writer", "error": "broken", "interrupts": [] }),
        ),
        event(14, "checkpoints", &[], json!({ "id": "cp" })),
        event(
            15,
            "lifecycle",
            &[],
            json!({ "event": "failed", "error": "broken" }),
        ),
    ];
    let mut stream = translator(Language::LangGraph);
    let events = read(&mut stream, &messages);
    let expected = [
        "workflow.run.started",
        "agent.registered",
        "task.assigned",
        "agent.message.started",
        "agent.reasoning.appended",
        "agent.message.appended",
        "agent.message.completed",
        "agent.message.completed",
        "llm.completed",
        "tool.started",
        "tool.failed",
        "input.requested",
        "workflow.run.paused",
        "workflow.run.resumed",
        "input.received",
        "task.started",
        "custom.note",
        "task.failed",
        "langgraph.checkpoints",
        "workflow.run.failed",
    ];
    assert_eq!(kinds(&events), expected);
    // Both the thought and the text of a message are ended.
    assert_eq!(
        facts(&events, "agent.message.completed", "kind"),
        ["reasoning", "text"]
    );
    assert!(named(&events, "tool.failed").all(|data| data["agent_id"] == "writer"));
    ids(&events);
    assert!(stream.end().is_empty(), "it said its end itself");
}
