//! The mapping as data: each fact, and the attributes that say it by the conventions of OpenTelemetry for generative AI
//! (`gen_ai.…`), OpenInference and Traceloop. These conventions change; a new name is a new word here.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;

use super::attributes::Attributes;

/// A fact that attributes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    /// `gen_ai.operation.name`.
    Operation,
    /// The kind of OpenInference.
    InferenceKind,
    /// The kind of Traceloop.
    TraceloopKind,
    /// A text that holds further facts as JSON.
    Metadata,
    AgentName,
    AgentId,
    Role,
    /// A node of a graph, and its place in the graph.
    Node,
    NodePlace,
    EntityName,
    WorkflowName,
    /// Whether it is there decides, not its value.
    WorkflowNodes,
    TaskName,
    Session,
    Project,
    Service,
    Instance,
    Model,
    Provider,
    InputTokens,
    OutputTokens,
    CachedTokens,
    ReasoningTokens,
    CostUsd,
    FinishReason,
    /// Seconds.
    FirstChunk,
    ToolName,
    ToolCall,
    ToolArgs,
    ToolResult,
    ToolAttempt,
    GotoFrom,
    GotoTo,
    ErrorType,
    ExceptionType,
    ExceptionMessage,
    /// Lists of messages, as JSON.
    Input,
    Output,
    /// Single texts.
    FirstInput,
    FirstOutput,
    Score,
    /// A span that was sent when it began, in the name of its parent.
    SpanType,
    PendingParent,
}

use Fact::{
    AgentId, AgentName, CachedTokens, CostUsd, EntityName, ErrorType, ExceptionMessage,
    ExceptionType, FinishReason, FirstChunk, FirstInput, FirstOutput, GotoFrom, GotoTo,
    InferenceKind, Input, InputTokens, Instance, Metadata, Model, Node, NodePlace, Operation,
    Output, OutputTokens, PendingParent, Project, Provider, ReasoningTokens, Role, Score, Service,
    Session, SpanType, TaskName, ToolArgs, ToolAttempt, ToolCall, ToolName, ToolResult,
    TraceloopKind, WorkflowName, WorkflowNodes,
};

/// Attributes by fact, the surest first. Those under `metadata.` stand in the JSON of the attribute `metadata`.
const TABLE: &[(Fact, &[&str])] = &[
    (Operation, &["gen_ai.operation.name"]),
    (InferenceKind, &["openinference.span.kind"]),
    (TraceloopKind, &["traceloop.span.kind"]),
    (Metadata, &["metadata"]),
    (
        AgentName,
        &[
            "gen_ai.agent.name",
            "agent.name",
            "metadata.lc_agent_name",
            "traceloop.association.properties.lc_agent_name",
        ],
    ),
    (AgentId, &["gen_ai.agent.id"]),
    (Role, &["gen_ai.agent.description"]),
    (
        Node,
        &[
            "metadata.langgraph_node",
            "traceloop.association.properties.langgraph_node",
        ],
    ),
    (
        NodePlace,
        &[
            "metadata.langgraph_checkpoint_ns",
            "traceloop.association.properties.langgraph_checkpoint_ns",
        ],
    ),
    (EntityName, &["traceloop.entity.name"]),
    (
        WorkflowName,
        &["gen_ai.workflow.name", "traceloop.workflow.name"],
    ),
    (WorkflowNodes, &["gen_ai.workflow.nodes"]),
    (TaskName, &["gen_ai.task.name"]),
    (
        Session,
        &[
            "gen_ai.conversation.id",
            "session.id",
            "metadata.thread_id",
            "traceloop.association.properties.thread_id",
        ],
    ),
    (Project, &["stoa.project_id", "openinference.project.name"]),
    (Service, &["service.name"]),
    (Instance, &["service.instance.id"]),
    (
        Model,
        &[
            "gen_ai.response.model",
            "gen_ai.request.model",
            "llm.model_name",
            "embedding.model_name",
            "traceloop.association.properties.ls_model_name",
        ],
    ),
    (
        Provider,
        &["gen_ai.provider.name", "gen_ai.system", "llm.provider"],
    ),
    (
        InputTokens,
        &[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
        ],
    ),
    (
        OutputTokens,
        &[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
        ],
    ),
    (
        CachedTokens,
        &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "llm.token_count.prompt_details.cache_read",
        ],
    ),
    (
        ReasoningTokens,
        &[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ],
    ),
    (
        CostUsd,
        &["operation.cost", "stoa.cost_usd", "llm.cost.total"],
    ),
    (
        FinishReason,
        &["gen_ai.response.finish_reasons", "llm.finish_reason"],
    ),
    (
        FirstChunk,
        &[
            "gen_ai.response.time_to_first_chunk",
            "gen_ai.client.operation.time_to_first_chunk",
        ],
    ),
    (
        ToolName,
        &["gen_ai.tool.name", "tool.name", "traceloop.entity.name"],
    ),
    (ToolCall, &["gen_ai.tool.call.id", "tool_call.id"]),
    (
        ToolArgs,
        &[
            "gen_ai.tool.call.arguments",
            "tool_arguments",
            "input.value",
            "traceloop.entity.input",
        ],
    ),
    (
        ToolResult,
        &[
            "gen_ai.tool.call.result",
            "tool_response",
            "output.value",
            "traceloop.entity.output",
        ],
    ),
    (ToolAttempt, &["pydantic_ai.tool.retry.attempt"]),
    (GotoFrom, &["langgraph.command.source_node"]),
    (GotoTo, &["langgraph.command.goto_node"]),
    (ErrorType, &["error.type"]),
    (ExceptionType, &["exception.type"]),
    (ExceptionMessage, &["exception.message"]),
    (
        Input,
        &["gen_ai.input.messages", "pydantic_ai.all_messages"],
    ),
    (Output, &["gen_ai.output.messages"]),
    (
        FirstInput,
        &[
            "gen_ai.prompt.0.content",
            "llm.input_messages.0.message.content",
        ],
    ),
    (
        FirstOutput,
        &[
            "gen_ai.completion.0.content",
            "llm.output_messages.0.message.content",
        ],
    ),
    (Score, &["gen_ai.evaluation.score.value", "eval.score"]),
    (SpanType, &["logfire.span_type"]),
    (PendingParent, &["logfire.pending_parent_id"]),
];

/// The attributes that hold texts, which are not read at all where none are taken over.
const TEXTS: &[Fact] = &[ToolArgs, ToolResult, Input, Output, FirstInput, FirstOutput];

/// The attributes that hold JSON, also as text.
const JSON: &[Fact] = &[Metadata, Input, Output];

/// The kind of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An agent at work.
    Agent,
    /// An agent is made.
    NewAgent,
    /// A whole run, or a part of one that is no agent.
    Run,
    /// A chain of OpenInference or a task of Traceloop: an agent if it is a node of a graph.
    Chain,
    Llm,
    Tool,
    Retrieval,
    Memory,
    Guardrail,
    Eval,
    Plan,
}

/// Kinds by the words of the conventions.
const KINDS: &[(Fact, &str, Kind)] = &[
    (Operation, "invoke_agent", Kind::Agent),
    (Operation, "create_agent", Kind::NewAgent),
    (Operation, "invoke_workflow", Kind::Run),
    (Operation, "chat", Kind::Llm),
    (Operation, "generate_content", Kind::Llm),
    (Operation, "text_completion", Kind::Llm),
    (Operation, "embeddings", Kind::Llm),
    (Operation, "execute_tool", Kind::Tool),
    (Operation, "retrieval", Kind::Retrieval),
    (Operation, "plan", Kind::Plan),
    (InferenceKind, "AGENT", Kind::Agent),
    (InferenceKind, "CHAIN", Kind::Chain),
    (InferenceKind, "LLM", Kind::Llm),
    (InferenceKind, "EMBEDDING", Kind::Llm),
    (InferenceKind, "TOOL", Kind::Tool),
    (InferenceKind, "RETRIEVER", Kind::Retrieval),
    (InferenceKind, "RERANKER", Kind::Retrieval),
    (InferenceKind, "GUARDRAIL", Kind::Guardrail),
    (InferenceKind, "EVALUATOR", Kind::Eval),
    (TraceloopKind, "agent", Kind::Agent),
    (TraceloopKind, "workflow", Kind::Run),
    (TraceloopKind, "task", Kind::Chain),
    (TraceloopKind, "tool", Kind::Tool),
];

/// The end of operations on memories.
const MEMORY: &str = "_memory";

/// The kind that one of the conventions' words says.
pub(super) fn kind(fact: Fact, word: &str) -> Option<Kind> {
    let known = KINDS
        .iter()
        .find(|(of, named, _)| *of == fact && *named == word);
    let is_memory = fact == Operation && word.ends_with(MEMORY);
    known
        .map(|(_, _, kind)| *kind)
        .or(is_memory.then_some(Kind::Memory))
}

/// The attributes that say a fact.
pub(super) fn keys(fact: Fact) -> &'static [&'static str] {
    let row = TABLE.iter().find(|(of, _)| *of == fact);
    row.map_or(&[], |(_, keys)| keys)
}

/// The table's own name for an attribute that it knows, and whether the attribute is a text.
static KNOWN: LazyLock<HashMap<&'static str, (&'static str, bool)>> = LazyLock::new(|| {
    let rows = TABLE.iter().flat_map(|(fact, keys)| {
        let is_text = TEXTS.contains(fact);
        keys.iter().map(move |key| (*key, (*key, is_text)))
    });
    // A name in two rows is a text only if both are.
    let mut known = HashMap::<_, (&str, bool)>::new();
    for (key, (name, is_text)) in rows {
        let before = known.insert(key, (name, is_text));
        if let Some((_, was_text)) = before {
            known.insert(key, (name, is_text && was_text));
        }
    }
    known
});

/// The table's own name for an attribute that is to be kept.
pub(super) fn known(key: &str, with_texts: bool) -> Option<&'static str> {
    let (name, is_text) = KNOWN.get(key)?;
    (with_texts || !is_text).then_some(name)
}

/// Whether an attribute holds JSON, also as text.
pub(super) fn is_json(key: &str) -> bool {
    JSON.iter().any(|fact| keys(*fact).contains(&key))
}

/// The type and the message that the attributes of an exception say.
pub(super) fn exception(of: &Attributes) -> (String, String) {
    let text = |fact: Fact| {
        let value = keys(fact).first().and_then(|key| of.get(key));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    (text(ExceptionType), text(ExceptionMessage))
}
