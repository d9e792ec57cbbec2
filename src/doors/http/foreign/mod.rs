//! Streams of other systems: `POST /ag-ui/in`, `/vercel/in` and `/langgraph/in`, and the same at `POST /api/v1/events`.
//!
//! A body is a stream of server-sent events, of lines, or JSON: a message or a list of them. Each message becomes the events of
//! [`crate::translate`], and the answer counts messages: accepted, duplicates and rejected ones add up to those sent.
//! The state is the body's, and goes on in the next body of the same thread ([`Threads`]).

mod door;
mod messages;
mod recognise;
mod relay;
mod session;
mod threads;

pub(super) use door::{AG_UI, LANGGRAPH, VERCEL, ag_ui, langgraph, vercel};
pub(super) use recognise::{Opening, after, opening, opening_of};
pub(super) use relay::relay;
pub(super) use session::Session;
pub use threads::{ThreadLimits, Threads};
