//! The UI message stream of Vercel's AI SDK (data stream protocol v1).
//!
//! | part | here |
//! |---|---|
//! | `start`, `finish`, `abort`, `error`, `start-step`, `finish-step` | the run, the agent and its task, the run's nodes: `runs` |
//! | `text-*`, `reasoning-*` | messages: `parts` |
//! | `tool-*` | calls of tools, and questions whether they may be made: `tools` |
//! | `source-*`, `file`, `data-*` | what was found, files, and the producer's own words: `parts` |
//! | `message-metadata` and the others | kept as they are |
//!
//! The `id` of a part names a text, never an event.

mod parts;
mod read;
mod runs;
mod shapes;
mod state;
mod tools;

pub(super) use shapes::{begins, perhaps_begins, speaks};
pub(super) use state::Vercel;
