//! Operations: what an application wants done beside an answer: emits, rooms, the end of a connection, session data,
//! questions to a client. They come in the answer of its service and by `POST /api/v1/operations`.

mod by;
mod clients;
mod elsewhere;
mod operation;
mod outcome;
mod perform;
mod reconnect;
mod remote;
mod room_name;

pub(crate) use by::By;
pub(crate) use clients::{Asking, Connected};
pub(crate) use operation::is_session_of;
pub(crate) use outcome::Outcome;
pub(crate) use perform::{Operations, OperationsContext};
pub(crate) use remote::Remote;
