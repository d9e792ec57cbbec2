//! `agent_action`: goes from an operator at any door to the producers that perform an agent's actions, and their answer
//! comes back.

mod elsewhere;
mod local;
mod perform;
mod performers;
mod registry;

pub(crate) use perform::{Accepted, Actions, ActionsContext, Operator};
pub(crate) use registry::{Hands, Performer, Performing};
