//! LangGraph: the streaming protocol (`version="v3"`: `type: event`, `method`, `params`), and the events of `astream_events`
//! (`version="v2"`: `event: on_chain_start`).
//!
//! A node of the root graph is an agent, and each time that it runs is a task. Its place in the checkpoints
//! (`writer:e57f417a-…`) names the task: it is the same after an interrupt and for a retry. Nodes of graphs below are the work
//! of the node above them. Values, updates, checkpoints and inner chains are kept as they are.

mod events;
mod nodes;
mod protocol;
mod read;
mod repr;
mod said;
mod shapes;
mod state;
mod things;

pub(super) use shapes::{begins, speaks};
pub(super) use state::LangGraph;
