//! Streams of AG-UI.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{LIMITS, facts, ids, kinds, named, read, recorded, texts, translator};
use crate::translate::{Language, StreamContext, Translator, TranslatorLimits};

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
