//! The translators over recorded streams, and over each message by itself.

mod ag_ui;
mod langgraph;
mod vercel;

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

/// The recorded streams of a language.
fn recordings(language: Language) -> &'static [&'static str] {
    match language {
        Language::AgUi => &["ag_ui_showcase_1_0.jsonl"],
        Language::Vercel => &["vercel_ai_ui_message_stream.jsonl"],
        Language::LangGraph => &[
            "langgraph_astream_events_v2.jsonl",
            "langgraph_protocol_v3.jsonl",
        ],
    }
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
        for file in recordings(language) {
            // Neither at the beginning nor within a stream.
            let messages = recorded(file);
            for at in [0, 1, messages.len() / 3, messages.len() / 2] {
                let context = StreamContext {
                    run: Some("r".into()),
                    ..StreamContext::default()
                };
                let mut unspoilt = Translator::new(language, context, LIMITS);
                read(&mut unspoilt, &messages[..at]);
                let mut stream = unspoilt.clone();
                stream.read(message.clone()).unwrap_err();
                assert_eq!(stream.held(), unspoilt.held(), "{message} at {at}");
                assert_eq!(
                    read(&mut stream, &messages[at..]),
                    read(&mut unspoilt, &messages[at..]),
                    "{message} at {at} of {file}"
                );
            }
        }
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
    let languages = [Language::AgUi, Language::Vercel, Language::LangGraph];
    let files = languages.map(|language| recordings(language).iter().map(move |f| (language, *f)));
    for (language, file) in files.into_iter().flatten() {
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
