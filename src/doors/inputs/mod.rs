//! Questions of agents to people, for all doors: operators answer them, and agents wait for the answers.
//!
//! ```text
//!  operator ─▶ answer: rights, open?, input.received ─▶ intake ─▶ journal ─▶ hub ─▶ observers
//!                                                                              └─▶ wait: the agent that asked
//! ```

mod answer;
mod answering;
mod places;
mod service;
mod wait;

pub(crate) use answer::{AnswerTo, Answerer};
pub(crate) use service::{Inputs, InputsContext};
pub(crate) use wait::Waited;
