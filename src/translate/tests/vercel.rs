//! Streams of Vercel's AI SDK.

use serde_json::json;

use super::{facts, ids, kinds, named, read, recorded, texts, translator};
use crate::translate::Language;

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
fn a_thought_that_is_open_at_the_end_is_ended_as_a_thought() {
    for end in [
        json!({ "type": "finish", "finishReason": "stop" }),
        json!({ "type": "abort", "reason": "stopped" }),
        json!({ "type": "error", "errorText": "quota" }),
    ] {
        let messages = [
            json!({ "type": "start", "messageId": "m" }),
            json!({ "type": "text-start", "id": "1" }),
            json!({ "type": "reasoning-start", "id": "2" }),
            end,
        ];
        let events = read(&mut translator(Language::Vercel), &messages);
        for kind in ["agent.message.started", "agent.message.completed"] {
            assert_eq!(facts(&events, kind, "message_id"), ["m/1", "m/2"]);
            assert_eq!(facts(&events, kind, "kind"), ["text", "reasoning"]);
        }
    }
}
