//! Calls of models and tools, and the other parts of an agent's work: only their ends are known, with the time that they took.

use std::sync::Arc;

use serde_json::Value;

use super::{
    hex,
    meaning::{Ended, Meaning, Named, bare},
    span::Span,
    table::{
        Fact::{self, GotoFrom, GotoTo, ToolArgs, ToolAttempt, ToolCall, ToolName, ToolResult},
        Kind,
    },
    telling::{Teller, event_id},
    texts,
    trace::Around,
};
use crate::translate::{Told, Words, one_line, slug};

/// The names of tools by which an agent hands its work over, before the name of the other agent.
const HANDS_OVER: [&str; 2] = ["transfer_to_", "handoff_to_"];
/// The facts of a model's call that are numbers.
const NUMBERS: [(&str, Fact); 5] = [
    ("input_tokens", Fact::InputTokens),
    ("output_tokens", Fact::OutputTokens),
    ("cached_tokens", Fact::CachedTokens),
    ("reasoning_tokens", Fact::ReasoningTokens),
    ("cost_usd", Fact::CostUsd),
];

/// Whose work a call is part of.
#[derive(Debug)]
pub(super) struct Place {
    agent: Option<Arc<str>>,
    task: Option<Arc<str>>,
    run: String,
}

impl Place {
    pub(super) fn of(span: &Span, meaning: &Meaning, around: &Around) -> Self {
        let own = meaning.agent.as_ref().map(|agent| agent.id.clone());
        // The task around a span of another agent is not this one's.
        let is_same = own.is_none() || own == around.agent;
        let task = around.task.clone().filter(|_| is_same);
        Self {
            agent: own.or_else(|| around.agent.clone()),
            task: meaning.task.clone().or(task),
            run: hex::trace_text(span.trace),
        }
    }

    fn on(&self, event: Told) -> Told {
        event
            .with_some("agent_id", self.agent.as_deref())
            .with_some("task_id", self.task.as_deref())
            .with("run_id", self.run.as_str())
    }
}

/// The name of a task: what the agent was asked, else the agent's own.
pub(super) fn task_name(span: &Span, named: &Named, words: Words) -> String {
    if named.is_node {
        return named.name.clone();
    }
    let said = span.text(Fact::TaskName).map(one_line);
    let asked = || words.line(&texts::question(span)?);
    said.or_else(asked).unwrap_or_else(|| named.name.clone())
}

/// Tells the end of a call.
pub(super) fn tell(span: &Span, meaning: &Meaning, place: &Place, to: &mut Teller<'_>) {
    let failed = matches!(meaning.ended, Ended::Failed(_));
    let named = |name: &'static str, to: &Teller<'_>| {
        let event = place.on(to.event(name));
        let event = event.with("name", one_line(bare(&span.name)));
        event.with("duration_ms", span.duration_ms())
    };
    let either = |good: &'static str, bad: &'static str| if failed { bad } else { good };
    match meaning.kind {
        Some(Kind::Llm) => {
            messages(span, place, to);
            model(span, meaning, place, to);
        }
        Some(Kind::Tool) => tool(span, meaning, place, to),
        Some(kind @ (Kind::Retrieval | Kind::Memory | Kind::Guardrail | Kind::Eval)) => {
            let name = match kind {
                Kind::Retrieval => either("retrieval.completed", "retrieval.failed"),
                Kind::Memory => either("memory.completed", "memory.failed"),
                Kind::Guardrail => either("guardrail.passed", "guardrail.triggered"),
                _ => "eval.scored",
            };
            let event = named(name, to).with_some("score", span.value(Fact::Score).cloned());
            end(span, meaning, event, "end", to);
        }
        Some(Kind::Plan) => {
            let event = named("plan.updated", to);
            end(span, meaning, event, "end", to);
        }
        Some(Kind::Agent | Kind::NewAgent | Kind::Run | Kind::Chain) | None => {}
    }
    if let (Some(from), Some(goto)) = (span.text(GotoFrom), span.text(GotoTo)) {
        let from = slug(&format!("{}:{from}", meaning.service));
        handed(span, meaning, (&from, goto), place, to);
    }
}

/// Tells an event at the end of the span, with its error if it has one.
fn end(span: &Span, meaning: &Meaning, event: Told, what: &str, to: &mut Teller<'_>) {
    let event = match &meaning.ended {
        Ended::Failed(fault) => to.fault(event, fault),
        Ended::Done | Ended::Asked(_) => event,
    };
    let event = event.id(event_id(span.key(), what)).at(span.ended_at());
    to.tell(event, span.key());
}

fn model(span: &Span, meaning: &Meaning, place: &Place, to: &mut Teller<'_>) {
    let failed = matches!(meaning.ended, Ended::Failed(_));
    let name = if failed {
        "llm.failed"
    } else {
        "llm.completed"
    };
    let model = span
        .text(Fact::Model)
        .filter(|model| *model != "unknown")
        .map(one_line);
    let mut event = place
        .on(to.event(name))
        .with("call_id", hex::span_text(span.key()))
        .with_some("model", model)
        .with_some("provider", span.text(Fact::Provider).map(one_line))
        .with("duration_ms", span.duration_ms());
    for (key, fact) in NUMBERS {
        event = event.with_some(key, span.value(fact).and_then(number));
    }
    let reason = span
        .value(Fact::FinishReason)
        .and_then(|value| match value {
            Value::Array(reasons) => reasons.first()?.as_str(),
            value => value.as_str(),
        });
    let first = span.value(Fact::FirstChunk).and_then(Value::as_f64);
    let first = first.map(|seconds| (seconds * 1e6).round() / 1e3);
    let event = event
        .with_some("finish_reason", reason.map(one_line))
        .with_some("ttft_ms", first);
    end(span, meaning, event, "end", to);
}

/// A number that may be written as text; none below zero.
fn number(value: &Value) -> Option<Value> {
    let number = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        number => number.clone(),
    };
    (number.as_f64()? >= 0.0).then_some(number)
}

/// The text and the thoughts of a model's answer.
fn messages(span: &Span, place: &Place, to: &mut Teller<'_>) {
    if !to.words.are_any() {
        return;
    }
    let (text, thought) = texts::answer(span);
    for (said, kind, name) in [
        (thought, "reasoning", "agent.reasoning.appended"),
        (text, "text", "agent.message.appended"),
    ] {
        let Some(content) = to.words.cut(said.trim()) else {
            continue;
        };
        let message = format!("{}:{kind}", hex::span_text(span.key()));
        let about = |name: &'static str, to: &Teller<'_>| {
            place
                .on(to.event(name))
                .with("message_id", message.as_str())
                .with("role", "assistant")
                .with("kind", kind)
        };
        let at = span.ended_at();
        let appended = about(name, to).with("content", content);
        to.tell(appended.id(event_id(span.key(), kind)).at(at), span.key());
        let whole = about("agent.message.completed", to);
        let id = event_id(span.key(), &format!("{kind}.end"));
        to.tell(whole.id(id).at(at), span.key());
    }
}

fn tool(span: &Span, meaning: &Meaning, place: &Place, to: &mut Teller<'_>) {
    let tool = one_line(span.text(ToolName).unwrap_or_else(|| bare(&span.name)));
    let failed = matches!(meaning.ended, Ended::Failed(_));
    let name = if failed {
        "tool.failed"
    } else {
        "tool.completed"
    };
    let call = span.text(ToolCall).map(one_line);
    let words = |fact: Fact| match span.value(fact)? {
        Value::String(text) => to.words.cut(text),
        value => to.words.cut(&value.to_string()),
    };
    let attempt = span.value(ToolAttempt).and_then(number);
    let event = place
        .on(to.event(name))
        .with(
            "tool_call_id",
            call.unwrap_or_else(|| hex::span_text(span.key())),
        )
        .with("tool_name", tool.as_str())
        .with("duration_ms", span.duration_ms())
        .with_some("args", words(ToolArgs))
        .with_some("attempt", attempt);
    let result = words(ToolResult).filter(|_| !failed);
    end(span, meaning, event.with_some("result", result), "end", to);
    let taker = HANDS_OVER.iter().find_map(|way| tool.strip_prefix(way));
    if let (Some(taker), Some(giver)) = (taker.filter(|_| !failed), &place.agent) {
        handed(span, meaning, (giver, taker), place, to);
    }
}

fn handed(
    span: &Span,
    meaning: &Meaning,
    (from, taker): (&str, &str),
    place: &Place,
    to: &mut Teller<'_>,
) {
    let taker = slug(&format!("{}:{taker}", meaning.service));
    let event = to
        .event("agent.handoff")
        .with("from_agent_id", from)
        .with("to_agent_id", taker)
        .with("kind", "handoff")
        .with_some("task_id", place.task.as_deref())
        .with("run_id", place.run.as_str());
    let event = event.id(event_id(span.key(), "goto")).at(span.ended_at());
    to.tell(event, span.key());
}
