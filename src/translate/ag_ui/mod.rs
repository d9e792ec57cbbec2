//! AG-UI 1.0: all 31 types of its events.
//!
//! | AG-UI | here |
//! |---|---|
//! | `RUN_*` | the run, the agent and its task, questions to people, tokens: `runs` |
//! | `SUBAGENT_*` | agents with tasks of their own: `subagents` |
//! | `TEXT_MESSAGE_*`, `REASONING_MESSAGE_*` | messages: `messages` |
//! | `TOOL_CALL_*` | calls of tools: `tools` |
//! | `STEP_*`, `ACTIVITY_*`, `CUSTOM` | nodes of the run, activities, and the producer's own words: `steps` |
//! | `STATE_*`, `MESSAGES_SNAPSHOT`, `RAW`, `REASONING_START`, `_END`, `_ENCRYPTED_VALUE`, `TOOL_CALL_ARGS` | kept as they are |

mod messages;
mod read;
mod runs;
mod state;
mod steps;
mod subagents;
mod things;
mod tools;
mod types;

pub(super) use state::AgUi;
pub(super) use types::{begins, speaks};
