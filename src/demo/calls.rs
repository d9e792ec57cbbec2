//! Calls of models and tools, and questions to a person: each has a beginning and an end.

use serde_json::{Value, json};

use super::{
    cast::{MODELS, Model, QUESTIONS, TOOLS},
    job::{Job, about},
    rng::Rng,
    world::{Draft, fresh_id},
};

/// The shortest and the longest time in which a person may answer.
const PATIENCE_MS: (u64, u64) = (10_000, 13_000);

/// The beginning or the end of a call.
#[derive(Debug)]
pub(super) enum Call {
    /// The agent waits for a model.
    Thinks {
        /// The call's id.
        id: String,
        /// The model.
        model: &'static Model,
    },
    /// The model has answered.
    Thought {
        /// The call's id.
        id: String,
        /// The model.
        model: &'static Model,
        /// Milliseconds since the beginning.
        took: u64,
    },
    /// The agent uses a tool.
    Reaches {
        /// The call's id.
        id: String,
        /// The tool's name.
        tool: &'static str,
    },
    /// The tool has answered.
    Returned {
        /// The call's id.
        id: String,
        /// The tool's name.
        tool: &'static str,
        /// Milliseconds since the beginning.
        took: u64,
    },
    /// The agent asks a person.
    Asked {
        /// The request's id.
        id: String,
        /// The question and its answers.
        question: &'static [&'static str; 3],
    },
    /// Nobody answered, and the agent goes on by itself.
    Answered {
        /// The request's id.
        id: String,
        /// The answer.
        answer: &'static str,
    },
}

/// A call of a model, each step with the milliseconds to wait after it.
pub(super) fn think(rng: &mut Rng) -> [(u64, Call); 2] {
    let [large, small] = &MODELS;
    let model = if rng.one_in(3) { small } else { large };
    let (id, took) = (fresh_id(), rng.between(700, 2_200));
    let thinks = Call::Thinks {
        id: id.clone(),
        model,
    };
    [(took, thinks), (150, Call::Thought { id, model, took })]
}

/// A call of a tool.
pub(super) fn reach(rng: &mut Rng) -> [(u64, Call); 2] {
    let tool = rng.pick(&TOOLS).copied().unwrap_or_default();
    let (id, took) = (fresh_id(), rng.between(600, 1_900));
    let reaches = Call::Reaches {
        id: id.clone(),
        tool,
    };
    [(took, reaches), (200, Call::Returned { id, tool, took })]
}

/// A question to a person.
pub(super) fn ask(rng: &mut Rng) -> [(u64, Call); 2] {
    let [first, ..] = &QUESTIONS;
    let question = rng.pick(&QUESTIONS).unwrap_or(first);
    let [_, answer, _] = *question;
    let (id, patience) = (fresh_id(), rng.between(PATIENCE_MS.0, PATIENCE_MS.1));
    let asked = Call::Asked {
        id: id.clone(),
        question,
    };
    [(patience, asked), (500, Call::Answered { id, answer })]
}

impl Call {
    /// The event of it.
    pub(super) fn draft(&self, agent: &'static str, job: &Job, rng: &mut Rng) -> Draft {
        let run = &job.run_id;
        let (name, with): (_, Value) = match self {
            Self::Thinks { id, model } => (
                "llm.started",
                json!({ "call_id": id, "model": model.name, "run_id": run }),
            ),
            Self::Thought { id, model, took } => {
                let (input, output) = (rng.between(900, 14_000), rng.between(60, 900));
                let with = json!({
                    "call_id": id,
                    "model": model.name,
                    "run_id": run,
                    "input_tokens": input,
                    "output_tokens": output,
                    "cost_usd": dollars((input * model.input + output * model.output) / 1_000),
                    "duration_ms": took,
                });
                ("llm.completed", with)
            }
            Self::Reaches { id, tool } => (
                "tool.started",
                json!({ "tool_call_id": id, "tool_name": tool, "run_id": run }),
            ),
            Self::Returned { id, tool, took } => (
                "tool.completed",
                json!({ "tool_call_id": id, "tool_name": tool, "run_id": run, "duration_ms": took }),
            ),
            Self::Asked { id, question } => {
                let [message, options @ ..] = *question;
                let with = json!({
                    "request_id": id,
                    "kind": "confirmation",
                    "message": message,
                    "options": options,
                    "run_id": run,
                });
                ("input.requested", with)
            }
            Self::Answered { id, answer } => (
                "input.received",
                json!({ "request_id": id, "answer": answer, "outcome": "answered", "run_id": run }),
            ),
        };
        Draft::new(name, agent, about(agent, job, with))
    }
}

/// Millionths of a dollar in dollars.
fn dollars(millionths: u64) -> f64 {
    u32::try_from(millionths).map_or(0.0, |millionths| f64::from(millionths) / 1_000_000.0)
}
