//! The translators over recorded streams, and over each message by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Language, StreamContext, Translator, TranslatorLimits, Treatment};
use crate::event::Object;

const LIMITS: TranslatorLimits = TranslatorLimits {
    open: 64,
    joined: 4_096,
};

fn translator(language: Language) -> Translator {
    Translator::new(language, StreamContext::default(), LIMITS)
}

/// The messages of a recorded stream.
fn recorded(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/producers/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The events of these messages, of which each gives some.
fn read(translator: &mut Translator, messages: &[Value]) -> Vec<Object> {
    let mut events = Vec::new();
    for message in messages {
        let translation = translator.read(message.clone()).unwrap();
        assert!(!translation.events.is_empty(), "{message}");
        events.extend(translation.events);
    }
    events
}

fn named<'e>(events: &'e [Object], kind: &'e str) -> impl Iterator<Item = &'e Value> {
    let is = move |event: &&Object| event["type"] == kind;
    events.iter().filter(is).map(|event| &event["data"])
}

/// A fact of all events of this type.
fn facts(events: &[Object], kind: &str, key: &str) -> Vec<Value> {
    named(events, kind).map(|data| data[key].clone()).collect()
}

/// The text of each message.
fn texts(events: &[Object], kind: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for data in named(events, kind) {
        let text: &mut String = texts
            .entry(data["message_id"].as_str().unwrap().to_owned())
            .or_default();
        text.push_str(data["content"].as_str().unwrap());
    }
    texts
}

fn kinds(events: &[Object]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

fn ids(events: &[Object]) -> BTreeSet<String> {
    let ids: BTreeSet<_> = events
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), events.len(), "each event has an id of its own");
    ids
}

#[test]
fn a_run_of_ag_ui_shows_its_agents_tasks_texts_tools_questions_and_tokens() {
    let messages = recorded("ag_ui_showcase_1_0.jsonl");
    let mut stream = translator(Language::AgUi);
    let events = read(&mut stream, &messages);
    let agents = facts(&events, "agent.registered", "agent_id");
    assert_eq!(
        agents,
        [
            "thread-42",
            "researcher",
            "researcher-2",
            "thread-42",
            "thread-42"
        ]
    );
    assert_eq!(
        facts(&events, "task.assigned", "task_id"),
        ["run-7", "sub-alpha", "sub-beta", "run-8", "run-9"]
    );
    assert_eq!(
        facts(&events, "task.assigned", "task_name")[0],
        "Compare two laptops"
    );
    // The run that waited is over when the next one goes on with it.
    assert_eq!(
        facts(&events, "task.completed", "task_id"),
        ["sub-alpha", "run-7", "run-8"]
    );
    assert_eq!(
        facts(&events, "task.failed", "task_id"),
        ["sub-beta", "run-9"]
    );
    assert_eq!(facts(&events, "task.blocked", "task_id"), ["run-7"]);
    assert_eq!(facts(&events, "input.requested", "request_id"), ["int-1"]);
    assert_eq!(facts(&events, "input.received", "request_id"), ["int-1"]);
    assert_eq!(facts(&events, "workflow.run.paused", "run_id"), ["run-7"]);
    assert_eq!(
        facts(&events, "agent.handoff", "to_agent_id"),
        ["researcher", "researcher-2"]
    );
    let said = texts(&events, "agent.message.appended");
    assert_eq!(said["m1"], "I ask two researchers.");
    assert_eq!(said["m_a"], "Alpha lasts 14 hours.");
    let thought = texts(&events, "agent.reasoning.appended");
    assert_eq!(thought["r1"], "Two researchers can work in parallel.");
    let begun: BTreeSet<_> = facts(&events, "agent.message.started", "message_id")
        .iter()
        .map(Value::to_string)
        .collect();
    let ended: BTreeSet<_> = facts(&events, "agent.message.completed", "message_id")
        .iter()
        .map(Value::to_string)
        .collect();
    assert_eq!(begun, ended);
    let args: Vec<_> = named(&events, "tool.progress")
        .map(|data| &data["args"])
        .collect();
    assert_eq!(args[0], &json!({ "laptop": "alpha" }));
    assert!(
        args.contains(&&json!({ "q": "laptop beta battery" })),
        "{args:?}"
    );
    let found = named(&events, "tool.completed").find(|data| data["tool_call_id"] == "ws_alpha");
    assert_eq!(found.unwrap()["agent_id"], "researcher");
    let tokens: Vec<_> = named(&events, "llm.completed")
        .map(|d| (&d["input_tokens"], &d["total"]))
        .collect();
    assert_eq!(
        tokens,
        [(&json!(1200), &json!(true)), (&json!(1510), &json!(true))]
    );
    assert_eq!(
        facts(&events, "custom.artifact", "value")[0]["title"],
        "comparison.md"
    );
    assert_eq!(facts(&events, "agent.activity", "activity_type").len(), 4);
    let kept: BTreeSet<_> = kinds(&events)
        .into_iter()
        .filter(|kind| kind.starts_with("agui."))
        .collect();
    let expected = [
        "agui.messages_snapshot",
        "agui.raw",
        "agui.reasoning_encrypted_value",
        "agui.reasoning_end",
        "agui.reasoning_start",
        "agui.state_delta",
        "agui.state_snapshot",
        "agui.tool_call_args",
    ];
    assert_eq!(kept, expected.into());

    // The same body again gives the same events under the same ids; another project's have others.
    let again = read(&mut stream, &messages);
    assert_eq!(ids(&events), ids(&again));
    let context = StreamContext {
        project: Some("p".into()),
        ..StreamContext::default()
    };
    let other = read(
        &mut Translator::new(Language::AgUi, context, LIMITS),
        &messages,
    );
    assert!(ids(&events).is_disjoint(&ids(&other)));
    assert!(other.iter().all(|event| event["project_id"] == "p"));
}

#[test]
fn a_message_that_lacks_what_it_is_about_is_refused_and_changes_nothing() {
    let cases = [
        (Language::AgUi, json!([1]), "JSON object"),
        (Language::AgUi, json!({}), "no type"),
        (
            Language::AgUi,
            json!({ "type": "RUN_STARTED", "runId": "r" }),
            "threadId",
        ),
        (
            Language::AgUi,
            json!({ "type": "TEXT_MESSAGE_CONTENT", "messageId": "m" }),
            "delta",
        ),
        (
            Language::AgUi,
            json!({ "type": "TEXT_MESSAGE_START", "messageId": "" }),
            "messageId",
        ),
        (
            Language::AgUi,
            json!({ "type": "TEXT_MESSAGE_CHUNK", "delta": "x" }),
            "messageId",
        ),
        (
            Language::AgUi,
            json!({ "type": "TOOL_CALL_CHUNK", "toolCallId": "t" }),
            "toolCallName",
        ),
        (
            Language::AgUi,
            json!({ "type": "TOOL_CALL_START", "toolCallId": "x".repeat(600), "toolCallName": "t" }),
            "512",
        ),
        (
            Language::AgUi,
            json!({ "type": "SUBAGENT_STARTED", "subagentRunId": "s" }),
            "name",
        ),
        (Language::AgUi, json!({ "type": "RUN_ERROR" }), "message"),
        (
            Language::Vercel,
            json!({ "type": "text-delta", "delta": "x" }),
            "id",
        ),
        (
            Language::Vercel,
            json!({ "type": "tool-input-start", "toolCallId": "t" }),
            "toolName",
        ),
        (Language::Vercel, json!({ "type": "error" }), "errorText"),
        (Language::LangGraph, json!({ "event": 1 }), "event"),
    ];
    for (language, message, word) in cases {
        let mut stream = translator(language);
        let refusal = stream.read(message.clone()).unwrap_err();
        assert!(refusal.message.contains(word), "{message}: {refusal}");
        assert!(stream.is_empty() && !stream.is_open(), "{message}");
    }
}

#[test]
fn messages_of_later_versions_are_kept_under_their_names() {
    for (language, message, kind) in [
        (
            Language::AgUi,
            json!({ "type": "THINKING_START", "title": "x" }),
            "agui.thinking_start",
        ),
        (
            Language::Vercel,
            json!({ "type": "steering-message", "x": 1 }),
            "vercel.steering-message",
        ),
        (
            Language::LangGraph,
            json!({ "event": "on_new_thing", "x": 1 }),
            "langgraph.on_new_thing",
        ),
    ] {
        let mut stream = translator(language);
        if language == Language::Vercel {
            stream
                .read(json!({ "type": "start", "messageId": "m" }))
                .unwrap();
        }
        let translation = stream.read(message).unwrap();
        assert_eq!(translation.treatment, Treatment::Unknown);
        assert_eq!(kinds(&translation.events), [kind]);
    }
}

#[test]
fn what_a_stream_holds_is_bounded_and_what_it_forgets_is_counted() {
    let limits = TranslatorLimits {
        open: 2,
        joined: 10,
    };
    let mut stream = Translator::new(Language::AgUi, StreamContext::default(), limits);
    let mut messages = vec![json!({ "type": "RUN_STARTED", "threadId": "t", "runId": "r" })];
    for id in ["a", "b", "c"] {
        messages
            .push(json!({ "type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": "search" }));
        messages.push(json!({ "type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": "{\"q\":1" }));
        messages.push(json!({ "type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": "}" }));
    }
    messages.push(json!({ "type": "TOOL_CALL_END", "toolCallId": "b" }));
    messages.push(json!({ "type": "TOOL_CALL_END", "toolCallId": "c" }));
    let events = read(&mut stream, &messages);
    let told: Vec<_> = named(&events, "tool.progress").collect();
    // The first call was forgotten, and with it its arguments; of the last ones not all had room.
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["args_cut"], true);
    let lost = stream.take_forgotten();
    assert_eq!(lost.open, 1);
    assert!(lost.pieces >= 1, "{lost:?}");
    assert!(stream.held() < 4_096, "{}", stream.held());
}

#[test]
fn both_spellings_of_ag_ui_are_read() {
    let mut stream = translator(Language::AgUi);
    let events = read(
        &mut stream,
        &[
            json!({ "type": "RUN_STARTED", "thread_id": "t", "run_id": "r" }),
            json!({ "type": "TEXT_MESSAGE_CHUNK", "message_id": "m", "delta": "Hello" }),
            json!({ "type": "RUN_FINISHED", "thread_id": "t", "run_id": "r" }),
        ],
    );
    let expected = [
        "workflow.run.started",
        "agent.registered",
        "task.assigned",
        "agent.message.started",
        "agent.message.appended",
        "agent.message.completed",
        "task.completed",
        "workflow.run.completed",
    ];
    assert_eq!(kinds(&events), expected);
    // An end after the end is only kept.
    let late = read(
        &mut stream,
        &[json!({ "type": "RUN_FINISHED", "thread_id": "t", "run_id": "r" })],
    );
    assert_eq!(kinds(&late), ["agui.run_finished"]);
}

#[test]
fn a_stream_of_the_ai_sdk_shows_its_agent_steps_tools_and_text() {
    let messages = recorded("vercel_ai_ui_message_stream.jsonl");
    let events = read(&mut translator(Language::Vercel), &messages);
    assert_eq!(
        facts(&events, "agent.registered", "agent_id"),
        ["assistant"]
    );
    assert_eq!(
        facts(&events, "tool.started", "tool_name"),
        ["research", "broken"]
    );
    assert_eq!(facts(&events, "tool.failed", "tool_name"), ["broken"]);
    assert_eq!(
        facts(&events, "tool.completed", "result"),
        ["Facts about stoas. "]
    );
    assert_eq!(
        facts(&events, "workflow.node.completed", "node_id"),
        ["step-1", "step-2"]
    );
    let said = texts(&events, "agent.message.appended");
    assert_eq!(
        said.into_values().collect::<Vec<_>>(),
        ["A stoa is a covered walkway. "]
    );
    assert_eq!(facts(&events, "task.completed", "finish_reason"), ["stop"]);
    // Without a name two streams with the same words are two; with one the second is a repetition.
    let other = read(&mut translator(Language::Vercel), &messages);
    assert!(ids(&events).is_disjoint(&ids(&other)));
    let mut named_run = messages.clone();
    named_run[0]["messageId"] = json!("m-1");
    let [first, second] = [0, 1].map(|_| read(&mut translator(Language::Vercel), &named_run));
    assert_eq!(first, second);
    assert_eq!(facts(&first, "workflow.run.started", "run_id"), ["m-1"]);
}

#[test]
fn each_part_of_the_ai_sdk_has_its_event() {
    let parts = json!([
        { "type": "start", "messageId": "m" },
        { "type": "start" },
        { "type": "reasoning-start", "id": "0" },
        { "type": "reasoning-delta", "id": "0", "delta": "Hm" },
        { "type": "reasoning-end", "id": "0" },
        { "type": "tool-input-available", "toolCallId": "c1", "toolName": "pay", "input": { "eur": 5 } },
        { "type": "tool-approval-request", "approvalId": "a1", "toolCallId": "c1" },
        { "type": "tool-approval-response", "approvalId": "a1", "approved": false },
        { "type": "tool-output-denied", "toolCallId": "c1" },
        { "type": "tool-input-error", "toolCallId": "c2", "toolName": "x", "input": "{", "errorText": "no JSON" },
        { "type": "tool-output-available", "toolCallId": "c3", "output": 1, "preliminary": true },
        { "type": "source-url", "sourceId": "s", "url": "https://a.example/b", "title": "B" },
        { "type": "file", "url": "data:text/plain;base64,AAAA", "mediaType": "text/plain" },
        { "type": "data-weather", "id": "w", "data": { "c": 21 } },
        { "type": "message-metadata", "messageMetadata": {} },
        { "type": "finish", "finishReason": "stop", "messageMetadata": { "usage": { "inputTokens": 3, "outputTokens": 4 } } },
        { "type": "error", "errorText": "late" },
        { "type": "start", "messageId": "n" },
        { "type": "abort", "reason": "stopped" },
        { "type": "text-start", "id": "1" },
        { "type": "error", "errorText": "quota" },
    ]);
    let events = read(&mut translator(Language::Vercel), parts.as_array().unwrap());
    let expected = [
        "workflow.run.started",
        "agent.registered",
        "task.assigned",
        "vercel.start",
        "agent.message.started",
        "agent.reasoning.appended",
        "agent.message.completed",
        "tool.started",
        "input.requested",
        "input.received",
        "tool.cancelled",
        "tool.failed",
        "tool.progress",
        "retrieval.source",
        "artifact.created",
        "custom.weather",
        "vercel.message-metadata",
        "llm.completed",
        "task.completed",
        "workflow.run.completed",
        "vercel.error",
        "workflow.run.started",
        "agent.registered",
        "task.assigned",
        "task.cancelled",
        "workflow.run.cancelled",
        "workflow.run.started",
        "agent.registered",
        "task.assigned",
        "agent.message.started",
        "agent.message.completed",
        "task.failed",
        "workflow.run.failed",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(
        named(&events, "artifact.created")
            .next()
            .unwrap()
            .get("url"),
        None
    );
}

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
    assert!(named(&events, "tool.failed").all(|data| data["agent_id"] == "writer"));
    ids(&events);
    assert!(stream.end().is_empty(), "it said its end itself");
}

#[test]
fn a_plain_event_is_never_taken_for_a_message_of_a_stream() {
    let begins = |message: Value| Language::begun_by(message.as_object().unwrap());
    for message in [
        json!({ "type": "task.created", "data": { "task_id": "t" } }),
        json!({ "type": "RUN_STARTED", "data": { "runId": "r" } }),
        json!({ "type": "RUN_STARTED" }),
        json!({ "type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "x" }),
        json!({ "type": "start" }),
        json!({ "type": "start", "messageId": "m", "agent_id": "a" }),
        json!({ "type": "text-delta", "id": "0", "delta": "x" }),
        json!({ "type": "error", "message": "disk" }),
        json!({ "type": "event", "data": {} }),
        json!({ "event": "task_assignment", "run_id": "r" }),
        json!({ "event": "on_call", "run_id": "r", "data": {} }),
    ] {
        assert_eq!(begins(message.clone()), None, "{message}");
    }
    let start = json!({ "type": "start" });
    assert_eq!(
        Language::perhaps_begun_by(start.as_object().unwrap()),
        Some(Language::Vercel)
    );
}

#[test]
fn whatever_a_field_is_a_message_is_told_kept_or_refused() {
    let odd = [
        json!(null),
        json!(-1),
        json!(""),
        json!([]),
        json!([{ "id": 1 }]),
        json!({ "type": [] }),
        json!("é'\\"),
    ];
    for (language, file) in [
        (Language::AgUi, "ag_ui_showcase_1_0.jsonl"),
        (Language::Vercel, "vercel_ai_ui_message_stream.jsonl"),
        (Language::LangGraph, "langgraph_astream_events_v2.jsonl"),
        (Language::LangGraph, "langgraph_protocol_v3.jsonl"),
    ] {
        let messages = recorded(file);
        for value in &odd {
            let mut stream = translator(language);
            for message in messages.iter().step_by(5) {
                let keys: Vec<_> = message.as_object().unwrap().keys().cloned().collect();
                for key in keys {
                    let mut message = message.clone();
                    let mut spoilt = vec![message.clone()];
                    message[&key] = value.clone();
                    spoilt.push(message.clone());
                    // And one level deeper.
                    for inner in ["data", "params", "outcome", "input", "metadata"] {
                        if let Some(Value::Object(inside)) = message.get_mut(inner) {
                            inside.values_mut().for_each(|field| *field = value.clone());
                        }
                    }
                    spoilt.push(message);
                    for message in spoilt {
                        match stream.read(message.clone()) {
                            Ok(translation) => assert!(!translation.events.is_empty(), "{message}"),
                            Err(refusal) => assert!(!refusal.message.is_empty(), "{message}"),
                        }
                    }
                }
            }
            assert!(stream.held() < 1 << 20, "{file}");
        }
    }
}
