//! Hooks of Claude Code and of the Claude Agent SDK as events: a session is a run, each prompt a task of its agent, a subagent
//! an agent that got its work from the main one.
//!
//! A hook says what happens now and nothing of what was before, so a session is remembered while it goes on. One that is
//! not known (the server was started in the middle of it) begins with the first hook that comes.

mod hook;
mod questions;
mod session;

pub use hook::{Hook, NoHook};
pub use session::Session;
