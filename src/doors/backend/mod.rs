//! The application's own service: client events that Stoa does not know are posted to it, and its answer says what
//! becomes of them.
//!
//! A client's calls go one after the other, in its order: its one worker (`socketio/work.rs`) waits for each answer. Over
//! all clients so many go at a time and so many more wait (`turns.rs`); a service that is down, slow or wrong costs each
//! of them a bounded time and an answer that says so (`service.rs`, with a circuit breaker). What it wants done is carried
//! out by `operations`.

mod answer;
mod application;
mod call;
mod metrics;
mod presence;
mod service;
mod session_data;
mod signature;
mod told;
mod turns;
mod waiting;

pub(crate) use answer::{Answer, Arguments, Refusal};
pub(crate) use application::{Backend, BackendOptions, was_not_handed_over, words};
pub(crate) use call::{CallKind, Recovers, Subject};
pub(crate) use metrics::BackendMetrics;
pub(crate) use presence::Presence;
pub(crate) use service::ServiceOptions;
pub(crate) use session_data::{SessionBounds, SessionData};
pub(crate) use signature::{SIGNATURE, TIMESTAMP};
pub(crate) use turns::WaitingBytes;
