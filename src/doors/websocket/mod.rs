//! The doors for clients that speak JSON over a plain WebSocket, each in the shapes of the system that it serves.
//!
//! ```text
//!  handshake ─▶ who are you ─▶ Opening (rooms, filter, cursor) ─▶ a member of the hub ─▶ Session: requests in, messages out
//! ```
//!
//! A door is a [`Protocol`](protocol::Protocol): it says what its clients see at first ([`Opening`](opening::Opening)), how an update is written for them
//! ([`Wire`](super::queue::Wire)), and what their messages mean. Everything else is the same for all of them.

mod connected;
mod context;
mod control;
mod ending;
mod fault;
mod fragments;
mod guide;
mod observed;
mod opening;
mod pipeline;
mod protocol;
mod served;
mod session;
mod shaped;
mod socket;
mod streams;
mod visualization;
mod watched;

use axum::Router;

pub use super::depths::Depths;
pub use context::{Context, Options};
pub use socket::Bounds;
pub use visualization::{PATH as VISUALIZATION, watch_queues};

/// The workflow visualization alone, at every path.
pub fn visualization(context: Context) -> Router {
    visualization::at_every_path().with_state(context)
}

/// The routes of all these doors.
pub fn routes(context: Context) -> Router {
    Router::new()
        .merge(guide::routes())
        .merge(streams::routes())
        .merge(pipeline::routes())
        .merge(visualization::routes())
        .with_state(context)
}
