//! The part of the door that goes on with a session once the engine is not needed for it.
//!
//! Browsers poll first and then become a WebSocket. From there on the engine does nothing that `websocket` does not do
//! with a third of the memory. So it gives such a session up as soon as nothing of it is left in the engine: the upgrade is over,
//! each client is introduced, and the marks say that all earlier packets are out. The engine then sees the end of its stream,
//! and forgets the session; the client sees nothing.

use std::{fmt, sync::Arc};

use socketioxide::socket::Sid;

use super::{counted::Counted, door::Door, lane::ExpressLane, source::Source};

/// Takes a session over from the engine.
pub(in crate::doors::socketio) trait Successor:
    fmt::Debug + Send
{
    /// Takes the clients over, at a time when nothing of them is in the engine; `false` when it has none of them.
    fn take_clients(&mut self) -> bool;
    /// Goes on with the session's stream.
    fn go_on(self: Box<Self>, source: Source, counted: Counted);
}

/// Makes the successor of a session.
pub(in crate::doors::socketio) type Succession =
    fn(&Door, Sid, &Arc<ExpressLane>) -> Box<dyn Successor>;
